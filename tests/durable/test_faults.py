"""A disk that fails, is full, or hangs: who is told what, what goes on, what is found again."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path

import pytest

import stmpy as stm
from stmpy import _native
from stmpy.durable import keeper
from stmpy.durable.backend import Backend, BackendFailed, BackendFull, Change
from stmpy.durable.lmdb_backend import LmdbBackend
from stmpy.durable.memory import MemoryBackend
from tests.durable.inside import Threads


class Disk:
    """Does what it is told: raises `error` from the write after `good` ones on, or holds writes.

    While it is `crammed` only the log has room; `refused` counts what has not.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.get, self.get_many = backend.get, backend.get_many
        self.scan, self.close = backend.scan, backend.close
        self.error: Exception | None = None
        self.good = 0
        self.crammed = False
        self.refused = 0
        self.open = threading.Event()
        self.open.set()

    def write(self, changes: Sequence[Change]) -> None:
        self.open.wait()
        self.good -= 1
        if self.error is not None and self.good < 0:
            raise self.error
        if self.crammed and changes[0][0] != "log":
            self.refused += 1
            raise BackendFull("no space left on device")
        self._backend.write(changes)


@pytest.fixture(params=["memory", "lmdb"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Disk:
    return Disk(MemoryBackend() if request.param == "memory" else LmdbBackend(str(tmp_path)))


@pytest.fixture
def threads(disk: Disk) -> Iterator[Threads]:
    threads = Threads()
    yield threads
    disk.open.set()
    threads.stop()


def put(store: stm.Store, key: int) -> None:
    with store.atomically():
        store.TVar("v")[key] = key


def put_many(
    store: stm.Store, keys: Iterable[int], known: list[int], content: bytes = b"x"
) -> None:
    """One block per key; `known` are those that were acknowledged."""
    for key in keys:
        with store.atomically(timeout=30):
            store.TVar("v")[key] = content + bytes([key % 256])
        known.append(key)


def state_name(store: stm.Store) -> str:
    durability = store.stats().durability
    assert durability is not None
    return durability.state


@pytest.mark.parametrize("good", range(5))
def test_a_failed_disk_takes_no_more_writes(threads: Threads, disk: Disk, good: int) -> None:
    store = threads.start(lambda: disk)
    disk.good, disk.error = good, BackendFailed("input/output error")
    known: list[int] = []
    with pytest.raises(stm.CommitUnknown, match="input/output error"):
        put_many(store, range(10), known)
    assert len(known) == good
    with pytest.raises(stm.DurabilityError, match="mend it and open the store again"):
        put(store, 99)
    assert set(store.TVar("v")) == {*known, good}  # reads go on
    with pytest.raises(stm.CommitUnknown):
        store.flush()
    assert state_name(store) == "failed"
    threads.stop()
    disk.error = None
    again = threads.start(lambda: disk)
    assert set(again.TVar("v")) == set(known)
    put(again, 100)


def test_a_full_disk_recovers_when_there_is_room(threads: Threads, disk: Disk) -> None:
    store = threads.start(lambda: disk)
    put(store, 1)
    disk.error = BackendFull("no space left on device")
    with pytest.raises(stm.CommitUnknown, match="no space left"):
        put(store, 2)
    with pytest.raises(stm.DurabilityError, match="make room and run the block again"):
        put(store, 3)
    assert state_name(store) == "full"
    disk.error = None
    while state_name(store) != "running":
        _native._durable_wait(store, (1 << 64) - 1, 0.05)
    put(store, 4)
    store.flush()
    threads.stop()
    assert set(threads.start(lambda: disk).TVar("v")) == {1, 2, 4}


def await_refusals(store: stm.Store, disk: Disk, count: int) -> None:
    until = disk.refused + count
    while disk.refused < until:
        _native._durable_wait(store, (1 << 64) - 1, 0.001)


def test_a_full_disk_is_one_on_which_the_log_has_no_room_or_is_too_long(
    threads: Threads, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "_IDLE", 0.001)
    monkeypatch.setattr(keeper, "_RETRY_FULL", 0.001)
    store = threads.start(lambda: disk)
    disk.crammed = True
    for key in range(10):
        put(store, key)
        await_refusals(store, disk, 2)
        assert state_name(store) == "running"
    monkeypatch.setattr(keeper, "BACKLOG_BYTES", 1)
    put(store, 10)
    await_refusals(store, disk, 3)
    for _ in range(5):
        with pytest.raises(stm.DurabilityError, match="make room and run the block again"):
            put(store, 99)
        await_refusals(store, disk, 1)
    disk.crammed = False
    while state_name(store) != "running":
        _native._durable_wait(store, (1 << 64) - 1, 0.001)
    put(store, 11)
    threads.stop()
    assert set(threads.start(lambda: disk).TVar("v")) == set(range(12))


def test_a_timeout_leaves_the_outcome_open(threads: Threads, disk: Disk) -> None:
    store = threads.start(lambda: disk)
    disk.open.clear()
    unknown = pytest.raises(stm.CommitUnknown, match="its timeout passed")
    with unknown, store.atomically(timeout=0.2):
        store.TVar("v")[1] = 1
    with pytest.raises(stm.CommitUnknown, match="the time was up"):
        store.flush(timeout=0.01)
    disk.open.set()
    store.flush()
    assert store.TVar("v")[1] == 1


def test_what_was_only_read_must_be_durable_too(threads: Threads, disk: Disk) -> None:
    store = threads.start(lambda: disk)
    disk.open.clear()
    writer = threading.Thread(target=put, args=(store, 1))
    writer.start()
    while 1 not in store.TVar("v"):
        pass  # published, and not durable
    with pytest.raises(stm.CommitUnknown), store.atomically(timeout=0.1):
        assert store.TVar("v")[1] == 1
    disk.open.set()
    writer.join()
    with store.atomically(timeout=30):
        assert store.TVar("v")[1] == 1


class Undone(Exception):
    """Ends a level of a block, whose writes are undone."""


@pytest.mark.parametrize("seen", [True, False])
def test_what_a_snapshot_that_has_moved_shows_is_waited_for(
    threads: Threads, disk: Disk, seen: bool
) -> None:
    """A block that has come to write nothing, with reads of a later snapshot than it began with."""
    store = threads.start(lambda: disk)
    v, other = store.TVar("v", {1: 1}), store.TVar("other", {1: 1})
    disk.open.clear()
    began = _native._durable_state(store)["clock"]
    writer = threading.Thread(target=put, args=(store, 2))

    def read() -> None:
        assert other[1] == 1  # in the snapshot that it begins with
        if not writer.ident:
            writer.start()
        while _native._durable_state(store)["clock"] == began:
            pass
        with suppress(Undone), store.atomically():
            other[2] = 1  # a newer snapshot is better from here on
            if seen:
                assert v[2] == 2
            raise Undone
        assert v[1] == 1

    unknown = pytest.raises(stm.CommitUnknown) if seen else nullcontext()
    with unknown, store.atomically(timeout=0):
        read()
    disk.open.set()
    writer.join()
    with store.atomically(timeout=30):
        read()


@pytest.fixture
def held(threads: Threads, disk: Disk) -> Iterator[stm.Store]:
    """Durable, but that 2 is changed, 3 deleted, 4 added in `v`, and the value of `same keys`."""
    store = threads.start(lambda: disk)
    v = store.TVar("v", {1: 1, 2: 2, 3: 3})
    other, same_keys = store.TVar("other", {1: 1}), store.TVar("same keys", {1: 1})
    disk.open.clear()

    def change() -> None:
        with store.atomically():
            v[2], v[4], same_keys[1] = 0, 4, 2
            del v[3]

    writer = threading.Thread(target=change)
    writer.start()
    while 4 not in v:
        pass  # published, and not durable
    assert len(other) == 1
    yield store
    disk.open.set()
    writer.join()


READS: dict[str, Callable[[stm.Store], object]] = {
    "a key": lambda store: store.TVar("v")[1],
    "several": lambda store: [store.TVar("other")[1], store.TVar("v").get(1), 1 in store.TVar("v")],
    "all of another variable": lambda store: list(store.TVar("other").items()),
    "how many in another variable": lambda store: len(store.TVar("other")),
    "keys of which values have changed": lambda store: list(store.TVar("same keys")),
    "nothing": lambda store: None,
}
NOT_DURABLE: dict[str, Callable[[stm.Store], object]] = {
    "changed": lambda store: store.TVar("v")[2],
    "deleted": lambda store: store.TVar("v").get(3),
    "added": lambda store: 4 in store.TVar("v"),
    "absent, so perhaps deleted": lambda store: store.TVar("v").get(5),
    "one of several": lambda store: [store.TVar("v")[key] for key in (1, 2, 1)],
    "all values": lambda store: list(store.TVar("same keys").values()),
    "keys": lambda store: list(store.TVar("v")),
    "how many": lambda store: len(store.TVar("v")),
}


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_what_is_durable_is_read_without_waiting(
    held: stm.Store, read: Callable[[stm.Store], object], read_only: bool
) -> None:
    with held.atomically(timeout=0, read_only=read_only):
        read(held)


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("read", NOT_DURABLE.values(), ids=NOT_DURABLE)
def test_all_that_was_read_is_waited_for(
    held: stm.Store, read: Callable[[stm.Store], object], read_only: bool
) -> None:
    with pytest.raises(stm.CommitUnknown), held.atomically(timeout=0, read_only=read_only):
        read(held)


def test_a_value_that_is_there_already_is_waited_for(held: stm.Store) -> None:
    with pytest.raises(stm.CommitUnknown), held.atomically(timeout=0):
        held.TVar("v")[2] = 0


def fill(store: stm.Store) -> None:
    """More than the log may hold."""
    for i in range(1000):
        with store.atomically(timeout=0.2):
            store.TVar("v")[i % 2] = bytes([i % 256]) * 4096


def test_relaxed_blocks_wait_when_the_log_is_too_long(threads: Threads, disk: Disk) -> None:
    store = threads.start(lambda: disk, relaxed=True, history=1 << 17)
    disk.open.clear()
    with pytest.raises(stm.TransactionTimeout):
        fill(store)
    log = store.stats().durability
    assert log is not None
    assert log.log_bytes < 1 << 18
    disk.open.set()
    for i in range(100):
        put(store, i)
    store.flush()
    assert len(store.TVar("v")) == 100


def test_a_busy_keeper_applies_what_has_piled_up(
    threads: Threads, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "BACKLOG_BYTES", 5_000)
    monkeypatch.setattr(keeper, "_IDLE", 60.0)  # never idle
    store = threads.start(lambda: disk)
    put_many(store, range(100), [])
    rows, groups = (len(list(disk.scan(table))) for table in ("data", "log"))
    assert rows > 50
    assert groups < 50


def test_a_loop_goes_on_while_a_thread_waits_for_the_disk(threads: Threads, disk: Disk) -> None:
    store = threads.start(lambda: disk)

    async def main() -> None:
        disk.open.clear()
        waiting = asyncio.create_task(asyncio.to_thread(store.run, put, store, 1))
        while 1 not in store.TVar("v"):
            await asyncio.sleep(0)  # published, and not durable
        assert not waiting.done()
        disk.open.set()
        await waiting

    asyncio.run(main())


def test_ctrl_c_ends_the_wait(threads: Threads, disk: Disk) -> None:
    store = threads.start(lambda: disk)
    disk.open.clear()
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        put(store, 1)
    assert store.TVar("v")[1] == 1
    disk.open.set()
    store.flush()
