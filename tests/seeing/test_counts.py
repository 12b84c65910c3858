"""What a store counts is what has happened."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

import stmpy as stm
from stmpy.statistics import UNKNOWN, Block, CutKey, Stats
from tests.seeing.planted import beat


@pytest.fixture
def store() -> stm.Store:
    return stm.open(max_bytes=1 << 20)


def block(stats: Stats, name: str) -> Block:
    (found,) = (block for block in stats.blocks if block.name == name)
    return found


def test_who_beats_whom_how_often_and_over_what(store: stm.Store) -> None:
    beat(store, 1000)
    found = store.stats()
    (pair,) = found.pairs
    assert (pair.winner, pair.loser, pair.variable, pair.key) == ("A", "B", "table", "k")
    assert pair.count == 1000
    a, b = block(found, "A"), block(found, "B")
    assert (a.commits, a.conflicts, a.wasted_ns) == (1000, 0, 0)
    assert (b.commits, b.conflicts) == (1000, 1000)
    assert b.reasons["early"] + b.reasons["read"] == 1000
    assert b.attempts.rows() == [(2, 1000)]
    assert pair.cost_ns == b.wasted_ns == found.wasted_ns > 0
    assert found.conflicts == 1000
    (heat,) = found.keys
    assert (heat.variable, heat.key, heat.conflicts) == ("table", "k", 1000)


def test_blocks_go_by_label_or_by_function_file_and_line(store: stm.Store) -> None:
    table = store.TVar("t")
    store.run(table.__setitem__, "n", 0)

    @store.atomically
    def decorated() -> None:
        table["n"] += 1

    def called() -> None:
        table["n"] += 1

    decorated()
    store.run(called)
    for _ in range(2):
        with store.atomically():
            table["n"] += 1
    with store.atomically(label="a label"):
        table["n"] += 1
    store.run(table.get, "n")
    here = "test_blocks_go_by_label_or_by_function_file_and_line"
    first = here + ".<locals>.decorated (seeing/test_counts.py:"
    names = {b.name: b.commits + b.read_only_commits for b in store.stats().blocks}
    assert names.pop("a label") == 1
    assert names.pop(UNKNOWN) == 2  # methods that are written in C
    assert sorted((name.rpartition(":")[0] + ":", n) for name, n in names.items()) == [
        (f"{here} (seeing/test_counts.py:", 2),
        (first.replace("decorated", "called"), 1),
        (first, 1),
    ]


def test_blocks_of_stmpy_itself_go_by_what_was_called(store: stm.Store) -> None:
    stm.TVar("t", {"n": 0}, store=store)
    queue, ref = stm.TQueue[int](store=store), stm.TRef("r", 1, store=store)
    queue.put_nowait(ref.swap(lambda n: n + 1))
    names = {b.name for b in store.stats().blocks}
    own = {"TRef.swap (stmpy)", "_Queue.put_nowait (stmpy)"}
    assert names == {"new TVar", "new TQueue", "new TRef", *own}


def test_waits_of_tasks_are_counted(store: stm.Store) -> None:
    table = store.TVar("t", {"n": 0})

    def come() -> None:
        stm.check(table["n"] == 2)

    async def main() -> None:
        waiting = asyncio.create_task(stm.arun(come, store=store))
        while not any("come" in b.name and b.waits for b in store.stats().blocks):
            await asyncio.sleep(0)
        table.store.run(lambda: table.update(n=2))
        await waiting

    asyncio.run(main())
    (found,) = (b for b in store.stats().blocks if "come" in b.name)
    assert (found.waits, found.commits + found.read_only_commits, found.aborts) == (1, 1, 0)


def test_times_are_taken_of_one_block_in_sixteen(store: stm.Store) -> None:
    table = store.TVar("t", {"n": 0})
    for _ in range(32):
        with store.atomically(label="b"):
            table["n"] += 1
    found = block(store.stats(), "b")
    assert found.commit_ns.total == found.block_ns.total == 2
    assert 0 < found.commit_ns_sum < found.block_ns_sum
    assert found.busy_ns == 16 * found.block_ns_sum
    least, count = found.block_ns.rows()[-1]
    assert least <= found.block_ns_sum
    assert count <= 2


def test_aborts_serial_attempts_and_waits(store: stm.Store) -> None:
    table = store.TVar("t", {"n": 0})
    with pytest.raises(LookupError), store.atomically(label="fails"):
        raise LookupError
    with store.atomically(label="once", irrevocable=True):
        table["n"] = 1

    @store.atomically(label="waits", timeout=0.001)
    def waits() -> None:
        stm.check(table["n"] == 2)

    with pytest.raises(stm.TransactionTimeout):
        waits()
    found = store.stats()
    assert (block(found, "fails").aborts, block(found, "fails").commits) == (1, 0)
    assert block(found, "once").serial == 1
    assert (block(found, "waits").waits, block(found, "waits").aborts) == (1, 1)
    assert found.aborts["exception"] == 2


def test_what_threads_are_doing(store: stm.Store) -> None:
    table = store.TVar("t", {"n": 0})
    me = threading.get_native_id()

    @store.atomically(label="parks")
    def parks() -> None:
        stm.check(table["n"])

    waiter = threading.Thread(target=parks)
    waiter.start()
    while not store.stats().waiters:
        pass
    (parked,) = store.stats().waiters
    assert (parked.block, parked.variable, parked.key, parked.keys) == ("parks", "t", "n", 1)
    assert parked.age_ns > 0
    with store.atomically(label="mine") as tx:
        table["n"] = 1
        (own,) = (t for t in store.stats().threads if t.thread == me)
        oldest = store.stats().oldest
        assert own.snapshot == tx.snapshot
    assert (own.state, own.block, own.attempt, own.process) == ("in block", "mine", 1, os.getpid())
    assert oldest is not None
    assert oldest.thread == me
    waiter.join()
    with store.atomically(label="alone", irrevocable=True):
        (own,) = (t for t in store.stats().threads if t.thread == me)
    assert own.serial
    (own,) = (t for t in store.stats().threads if t.thread == me)
    assert (own.state, own.block, own.age_ns) == ("idle", None, 0)


def test_who_waits_for_the_lock_is_told_who_has_it(store: stm.Store) -> None:
    table = store.TVar("t", {"n": 0})
    writer = threading.Thread(target=lambda: store.run(table.__setitem__, "n", 1))
    with store.atomically(irrevocable=True):
        table["n"] = 2
        writer.start()
        while not (found := [t for t in store.stats().threads if t.state == "waiting for lock"]):
            pass
    writer.join()
    assert found[0].holder == threading.get_native_id()


def test_long_keys_are_cut_and_structures_have_none(store: stm.Store) -> None:
    table = store.TVar("t")
    long = "x" * 400

    def wins() -> None:
        if long in table:
            del table[long]
        else:
            table[long] = 1

    def lose(read: Callable[[], object]) -> None:
        first = True

        @store.atomically(label="loses")
        def loses() -> None:
            nonlocal first
            read()
            table["mine"] = first
            if first:
                first = False
                other = threading.Thread(target=lambda: store.run(wins))
                other.start()
                other.join()

        loses()

    lose(lambda: table.get(long))
    lose(lambda: len(table))
    keys = [heat.key for heat in store.stats().keys]
    assert None in keys
    (cut,) = (key for key in keys if isinstance(key, CutKey))
    assert cut.length > 400
    assert len(cut.start) == 40


def test_more_blocks_than_are_counted_apart(store: stm.Store) -> None:
    for i in range(100):
        with store.atomically(label=f"block {i}", read_only=True):
            pass
    found = store.stats()
    assert found.read_only_commits == 100
    assert block(found, UNKNOWN).read_only_commits == 100 - 64


def test_labels_that_cannot_be_shown(store: stm.Store) -> None:
    for label in ("\x1b[31mred\n", "\N{RIGHT-TO-LEFT OVERRIDE}x", "\ud800", "é" * 300, ""):
        with store.atomically(label=label, read_only=True):
            pass
    names = [b.name for b in store.stats().blocks]
    assert all(name.isprintable() for name in names)
    assert {r"\x1b[31mred\n", r"\u202ex", UNKNOWN, "é" * 120, ""} == set(names)


def test_the_switch_leaves_plain_counts() -> None:
    program = (
        "import stmpy as stm\n"
        "with stm.atomically(label='b'): stm.TVar('t')['n'] = 1\n"
        "(block,) = stm.stats().blocks\n"
        "print(block.name, block.commits, block.block_ns.total)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        env=os.environ | {"STMPY_STATISTICS": "off"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [UNKNOWN, "1", "0"]
