"""Bugs of other STMs that no other folder shows to be absent here; README.md lists them all."""

import asyncio
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import stmpy as stm
from stmpy.statistics import Durability
from tests.unit.background import LIMIT, Background, in_another_thread

type Table = stm.TVar[Any, Any]
type Run = Callable[..., str]

ROOT = Path(__file__).parents[2]


@pytest.fixture
def store() -> Iterator[stm.Store]:
    with stm.open(max_bytes=16 << 20) as store:
        yield store


@pytest.fixture
def table(store: stm.Store) -> Table:
    return store.TVar("table")


def test_a_write_after_commute_loses_no_update(store: stm.Store, table: Table) -> None:
    attempts = 0
    with store.atomically():
        table["n"] = 1

    def body() -> None:
        nonlocal attempts
        attempts += 1
        table.commute("n", lambda value: value + 1)
        if attempts == 1:
            in_another_thread(lambda: store.run(table.add, "n", 100))
        table["n"] += 10

    store.run(body)
    assert attempts == 2
    assert table == {"n": 112}


SIGNALS = """
    import itertools, signal
    import stmpy as stm

    table = stm.TVar("table", dict.fromkeys(range(50), 0))
    armed = False

    class Stop(Exception):
        pass

    def stop(number, frame):
        if armed:
            raise Stop

    def write(round):
        global armed
        armed = True
        signal.setitimer(signal.ITIMER_REAL, 0.000005 + round % 40 * 0.000002)
        with stm.atomically():
            for key in range(50):
                table[key] = round
        armed = False

    with stm.atomically():
        table[0] = 0  # the first block imports what runs it again
    signal.signal(signal.SIGALRM, stop)
    stopped = 0
    for round in itertools.count(1):
        try:
            write(round)
        except Stop:
            stopped += 1
            armed = False
        assert len(set(table.values())) == 1, table.copy()
        if stopped >= 100:
            break
    print("torn: none")
"""


def test_a_signal_tears_no_commit(in_process: Run) -> None:
    assert in_process(SIGNALS) == "torn: none\n"


def test_tasks_share_no_block(store: stm.Store, table: Table) -> None:
    async def task(me: int, turn: asyncio.Barrier) -> None:
        async def body() -> None:
            pass

        for _ in range(20):
            await turn.wait()
            with store.atomically() as tx:
                assert tx.attempt == 1
                assert stm.in_transaction()
                table[me] = table.get(me, 0) + 1
            assert not stm.in_transaction()
            await body()

    async def all_of_them() -> None:
        turn = asyncio.Barrier(5)
        await asyncio.gather(*(task(me, turn) for me in range(5)))

    asyncio.run(all_of_them())
    assert table == dict.fromkeys(range(5), 20)


def test_a_block_lets_no_other_task_in(store: stm.Store, table: Table) -> None:
    async def wait_inside() -> None:
        with store.atomically():
            table["garbage"] = 1
            await asyncio.sleep(0)

    async def other() -> None:
        assert not stm.in_transaction()

    async def both() -> None:
        one, two = asyncio.create_task(wait_inside()), asyncio.create_task(other())
        await two
        with pytest.raises(stm.NestedMisuse):
            await one

    asyncio.run(both())
    assert not table


def test_an_undone_block_fulfils_nothing(store: stm.Store, table: Table) -> None:
    event = stm.TEvent("done", store=store)
    channel: stm.TChannel[int] = stm.TChannel("sent", store=store)
    reader = channel.subscribe()
    called = []

    def fulfil() -> None:
        event.set()
        channel.send(1)
        stm.on_commit(lambda: called.append(1))
        raise LookupError

    with pytest.raises(LookupError):
        store.run(fulfil)
    assert not event.is_set()
    assert not called
    with pytest.raises(stm.StmError):
        reader.get_nowait()


def history(store: stm.Store) -> int:
    return store.stats().memory.history_bytes


def test_history_does_not_grow(store: stm.Store, table: Table) -> None:
    """Reading walks the versions of a key: they must not become more with each write."""
    with store.atomically():
        table["n"] = 0
    sizes = []
    for rounds in (100, 1000, 10_000):
        for n in range(rounds):
            with store.atomically():
                table["n"] = n
        sizes.append(history(store))
    assert max(sizes) < 100 * 64


def test_history_beside_a_reader_does_not_grow(store: stm.Store, table: Table) -> None:
    """One version stays for the reader, however many are written after it."""
    with store.atomically():
        table["n"] = 0
    entered, leave = threading.Event(), threading.Event()

    def read() -> None:
        with store.atomically(read_only=True):
            assert table["n"] == 0
            entered.set()
            assert leave.wait(LIMIT)
            assert table["n"] == 0

    reader = Background(read)
    assert entered.wait(LIMIT)
    for n in range(5000):
        with store.atomically():
            table["n"] = n
    assert history(store) < 100 * 64
    leave.set()
    reader.join()


def test_what_is_deleted_is_freed(store: stm.Store, table: Table) -> None:
    used = []
    for round in range(6):
        for n in range(200):
            with store.atomically():
                table[round, n] = "x" * 200
        for n in range(200):
            with store.atomically():
                del table[round, n]
        used.append(store.stats().memory.used_bytes)
    assert used[-1] <= used[1] + 50_000
    assert not table


def test_a_long_audit_ends_beside_a_writer(store: stm.Store, table: Table) -> None:
    with store.atomically():
        table.update(dict.fromkeys(range(100), 10))
    done = threading.Event()
    transfers = 0

    def transfer() -> None:
        nonlocal transfers
        while not done.is_set():
            with store.atomically():
                table[transfers % 100] -= 1
                table[(transfers + 1) % 100] += 1
            transfers += 1

    writer = Background(transfer)
    try:
        for _ in range(20):
            before, attempts, total = transfers, 0, 0
            with store.atomically(read_only=True):
                attempts += 1
                for key in range(100):
                    total += table[key]
                    if key == 50:
                        while transfers < before + 5:
                            done.wait(0)
            assert (attempts, total) == (1, 1000)
    finally:
        done.set()
        writer.join()


def test_a_queue_that_is_empty_takes_no_room(store: stm.Store) -> None:
    queue: stm.TQueue[str] = stm.TQueue("queue", store=store)
    used = []
    for _ in range(6):
        for n in range(200):
            queue.put(f"{n} " + "x" * 200)
        for n in range(200):
            assert queue.get().startswith(f"{n} ")
        used.append(store.stats().memory.used_bytes)
    assert queue.empty()
    assert used[-1] <= used[1] + 50_000


def test_history_goes_though_its_keys_are_not_written_again(store: stm.Store, table: Table) -> None:
    with store.atomically():
        table.update(dict.fromkeys(range(500), "x" * 100))
    entered, leave = threading.Event(), threading.Event()

    def read() -> None:
        with store.atomically(read_only=True):
            table.get(0)
            entered.set()
            assert leave.wait(LIMIT)

    reader = Background(read)
    assert entered.wait(LIMIT)
    with store.atomically():
        table.update(dict.fromkeys(range(500), "y" * 100))
    assert history(store) > 500 * 100
    leave.set()
    reader.join()
    other: Table = store.TVar("other")
    for n in range(1000):
        with store.atomically():
            other["n"] = n
    assert history(store) < 100 * 64


def names_in(text: str) -> set[tuple[str, ...]]:
    """What the text reads of `stats()`, as paths of attributes."""
    return {
        tuple(found.strip(".").split(".")) for found in re.findall(r"stats\(\)((?:\.\w+)+)", text)
    }


def test_the_statistics_in_the_documentation_exist(store: stm.Store) -> None:
    texts = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    names = set().union(*(names_in(path.read_text()) for path in texts))
    assert ("commits",) in names
    for path in names:
        value: Any = store.stats()
        for name in path:
            value = getattr(value, name)
            if value is None:  # a store in memory has none of this
                value = {"durability": Durability}[name]
    # The check can fail.
    assert names_in("`stats().absent.name`") == {("absent", "name")}
    assert not hasattr(store.stats(), "absent")
