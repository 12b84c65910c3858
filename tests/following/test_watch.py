"""Watching: every committed change, once, in order, whoever has made it."""

import gc
import threading
from collections.abc import Callable
from typing import Any

import pytest

import stmpy as stm
from stmpy.structs import Closed, Empty
from tests.conftest import Interpreters
from tests.following.conftest import Start

type Table = stm.TVar[Any, Any]


def what(changes: Any, count: int) -> list[tuple[Any, Any]]:
    """Key and value of the next changes."""
    taken = [changes.get(timeout=60) for _ in range(count)]
    return [(change.key, change.value) for change in taken]


def test_what_a_change_says(store: stm.Store, table: Table) -> None:
    ref = store.TRef("ref", 0)
    with store.atomically():
        table.update(a=1, list=[1])
    with stm.watch(table, ref) as changes:
        with store.atomically() as tx:
            table["b"] = {"x": (1, None)}
            table["list"].append(2)
            del table["a"]
            ref.value = 5
        seen = sorted((changes.get() for _ in range(4)), key=lambda change: str(change.key))
        assert seen == [
            (tx.version, ref, None, 5, False),
            (tx.version, table, "a", None, True),
            (tx.version, table, "b", {"x": (1, None)}, False),
            (tx.version, table, "list", [1, 2], False),
        ]
        assert seen[1].deleted
        assert seen[1].variable is table
        with pytest.raises(Empty):
            changes.get_nowait()


def test_only_what_is_committed_to_what_is_watched(store: stm.Store, table: Table) -> None:
    other: Table = store.TVar("other", {"n": 0})
    with store.atomically():
        table["before"] = 1
    with stm.watch(table) as changes:
        with pytest.raises(ZeroDivisionError), store.atomically():
            table["undone"] = 1 // 0
        for n in range(3):
            with store.atomically():
                other["n"] += 1
                table[n] = n
                table[n] = -n
        with store.atomically():
            table[1] = -1  # as it was: no change
        with store.atomically():
            table["last"] = True
        assert what(changes, 4) == [(0, 0), (1, -1), (2, -2), ("last", True)]


def test_from_a_snapshot_on(store: stm.Store, table: Table, start: Start) -> None:
    """The contents and the later changes make what is there, while others write."""
    turns = threading.Semaphore(0)
    rounds, each = 20, 100

    def write(me: int) -> None:
        for n in range(rounds * each):
            turns.acquire(timeout=60)
            with store.atomically():
                if n % 3 == 0:
                    table.pop((me, n % 7), None)
                else:
                    table[me, n % 7] = n

    def apply(mirror: dict[Any, Any], change: Any) -> None:
        if change.deleted:
            del mirror[change.key]
        else:
            mirror[change.key] = change.value

    def follow(changes: Any, mirror: dict[Any, Any]) -> None:
        """Brings the mirror up to a snapshot that is some changes away."""
        for _ in range(50):
            change = changes.get(timeout=60)
            assert change.commit > changes.start
            apply(mirror, change)
        with store.snapshot() as tx:
            now = table.copy()
        while mirror != now:
            change = changes.get(timeout=60)
            assert change.commit <= tx.snapshot
            apply(mirror, change)

    writers = [start(write, me) for me in range(3)]
    for n in range(rounds):
        with stm.watch(table) as changes:
            turns.release(2 * each)
            with store.atomically():
                table["between"] = n
            (mirror,) = changes.contents()
            turns.release(each)
            follow(changes, mirror)
    for writer in writers:
        writer.result(60)


WRITER = """
    import stmpy as stm
    store = stm.open(name="watched")
    table = store.TVar("table")
    for n in range(1, 301):
        with store.atomically():
            table["all"] = table.get("all", 0) + 1
            table[me] = n
"""


def check_order(changes: Any, writers: list[Any], each: int) -> None:
    """Reads all that they write, and that nothing is missing or out of order."""
    count = dict.fromkeys(writers, 0)
    commits: list[int] = []
    for n in range(1, each * len(writers) + 1):
        pair = {change.key: change for change in (changes.get(timeout=60) for _ in range(2))}
        assert pair["all"].value == n
        (writer,) = pair.keys() - {"all"}
        count[writer] += 1
        assert pair[writer].value == count[writer]
        assert pair[writer].commit == pair["all"].commit
        commits.append(pair["all"].commit)
    assert commits == sorted(set(commits))
    assert set(count.values()) == {each}


def test_writers_in_other_interpreters(interpreters: Interpreters, start: Start) -> None:
    with stm.open(name="watched", max_bytes=32 << 20) as store:
        table: Table = store.TVar("table")
        with stm.watch(table) as changes, stm.watch(table) as later:
            running = start(interpreters.run_each, WRITER, 3)
            check_order(changes, [0, 1, 2], 300)
            running.result(60)
            check_order(later, [0, 1, 2], 300)


def test_a_watcher_in_another_interpreter(interpreters: Interpreters, store: stm.Store) -> None:
    with stm.open(name="watched there", max_bytes=16 << 20) as shared:
        table: Table = shared.TVar("table")
        id = interpreters.create()
        text = """
            import stmpy as stm
            store = stm.open(name="watched there")
            changes = stm.watch(store.TVar("table"))
        """
        interpreters.run(id, text)
        for n in range(10):
            with shared.atomically():
                table["n"] = n
        interpreters.run(id, "assert [changes.get().value for _ in range(10)] == list(range(10))")
        interpreters.close()  # without a close of the watch
        for n in range(10):
            with shared.atomically():
                table["n"] = n
        places = [stm.watch(table) for _ in range(64)]
        for place in places:
            place.close()


FORKED = """
import os
import stmpy as stm

table = stm.TVar("table")
children = []
changes = stm.watch(table)
for me in (1, 2):
    child = os.fork()
    if child == 0:
        try:
            changes.get()
        except stm.StmError as error:
            assert "parent" in str(error)
            for n in range(1, 201):
                with stm.atomically():
                    table[me] = n
            os._exit(0)
        os._exit(1)
    children.append(child)
last = {1: 0, 2: 0}
for _ in range(400):
    change = changes.get(timeout=60)
    assert change.value == last[change.key] + 1
    last[change.key] = change.value
for child in children:
    assert os.waitpid(child, 0)[1] == 0
print(last)
"""


def test_writers_in_forked_processes(in_process: Callable[..., str]) -> None:
    assert in_process(FORKED) == "{1: 200, 2: 200}\n"


KILLED = """
import os, signal
import stmpy as stm

store = stm.open(max_bytes=64 << 20, history_bytes=1 << 20)
table = store.TVar("table")
ready, pipe = os.pipe()
for _ in range(3):
    child = os.fork()
    if child == 0:
        changes = stm.watch(table)
        changes.fileno = changes._follower.fileno()  # with its thread
        os.write(pipe, b".")
        signal.pause()
    os.read(ready, 1)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)

def write(count):
    for n in range(count):
        with store.atomically():
            table["n"] = n.to_bytes(2000, "big")

write(1000)
before = store.stats().memory.used_bytes
write(2000)
assert store.stats().memory.used_bytes < before + (512 << 10), "the dead hold memory"
watches = [stm.watch(table) for _ in range(64)]  # and no places
write(1)
assert all(changes.get().commit for changes in watches)
print("free")
"""


def test_killed_watchers_hold_nothing(in_process: Callable[..., str]) -> None:
    assert in_process(KILLED) == "free\n"


def test_too_slow() -> None:
    with stm.open(max_bytes=16 << 20, history_bytes=1 << 20) as store:
        table: Table = store.TVar("table")
        slow, fast = stm.watch(table), stm.watch(table)
        for n in range(500):
            with store.atomically():
                table[0] = bytes(4000) + n.to_bytes(2, "big")
            assert fast.get(timeout=60).commit
        for _ in range(2):
            with pytest.raises(stm.SnapshotTooOld, match="missed"):
                slow.get()
        slow.close()
        again = stm.watch(table)
        assert len(again.contents()[0][0]) == 4002
        with store.atomically():
            table[0] = 1
        assert what(again, 1) == what(fast, 1) == [(0, 1)]


def test_a_large_commit(store: stm.Store, table: Table) -> None:
    with stm.watch(table) as changes:
        with store.atomically() as tx:
            table.update((n, bytes(1000)) for n in range(1500))
        keys = set()
        for _ in range(1500):
            change = changes.get(timeout=60)
            assert change.commit == tx.version
            keys.add(change.key)
        assert keys == set(range(1500))


def test_waiting_and_closing(store: stm.Store, table: Table, start: Start) -> None:
    with stm.watch(table) as changes:
        with pytest.raises(Empty):
            changes.get(timeout=0.01)
        reading = start(lambda: [change.key for change in changes])
        for n in range(5):
            with store.atomically():
                table[n] = n
    keys = reading.result(60)
    assert keys == list(range(len(keys)))
    with pytest.raises(Closed):
        changes.get()
    changes.close()


def test_nothing_is_kept_without_watchers(store: stm.Store, table: Table) -> None:
    def write() -> int:
        for n in range(300):
            with store.atomically():
                table[0] = n.to_bytes(1000, "big")
        return store.stats().memory.used_bytes

    write()
    before = write()
    with stm.watch(table):
        assert write() > before + 200_000
    gc.collect()
    assert write() <= before + (64 << 10)


def test_misuse(store: stm.Store, table: Table) -> None:
    other = stm.open(max_bytes=1 << 20)
    with pytest.raises(TypeError):
        stm.watch()
    with pytest.raises(TypeError):
        stm.watch("table")  # type: ignore[arg-type]
    with other, pytest.raises(stm.NestedMisuse, match="two stores"):
        stm.watch(table, other.TVar("a"))
    with pytest.raises(stm.NestedMisuse):
        store.run(stm.watch, table)
    with stm.watch(table) as changes, pytest.raises(stm.NestedMisuse):
        store.run(changes.get)
    with stm.watch(table) as changes, pytest.raises(ValueError, match="timeout"):
        changes.get(timeout=-1)
    watches = [stm.watch(table) for _ in range(64)]
    with pytest.raises(stm.StmError, match="64"):
        stm.watch(table)
    del watches
    with stm.watch(table) as changes:
        with store.atomically():
            table[0] = 0
        store.close()
        assert what(changes, 1) == [(0, 0)]
        with pytest.raises(stm.StoreClosed):
            changes.get()
    with pytest.raises(stm.StoreClosed):
        stm.watch(table)


def test_a_signal_handler_cannot_read_what_it_interrupts(
    store: stm.Store, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    with stm.watch(table) as watch:
        monkeypatch.setattr(watch, "_next", watch._take)  # as if the signal came in the middle
        with pytest.raises(stm.NestedMisuse, match="signal handler"):
            watch.get_nowait()
        monkeypatch.undo()
        with store.atomically():
            table["k"] = 1
        assert watch.get_nowait().key == "k"
