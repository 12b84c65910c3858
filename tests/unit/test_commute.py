"""`commute`: functions of a value that run again where it moves, and lose no update."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

import stmpy as stm
from tests.unit.background import Background, in_another_thread
from tests.unit.test_add import ISOLATION, LOOKS, meanwhile

type Table = stm.TVar[Any, Any]


def test_alone(store: stm.Store, table: Table) -> None:
    calls = []

    def double(value: Any) -> Any:
        calls.append(value)
        return (value or 1) * 2

    with store.atomically():
        assert table.commute("n", double) is None  # type: ignore[func-returns-value]
        table.commute("n", double)
    assert table == {"n": 4}
    assert calls == [None, 2]
    ref: stm.TRef[list[int]] = store.TRef("ref", [1])
    with store.atomically():
        ref.commute(lambda value: [*value, 2])
    assert ref.value == [1, 2]


@ISOLATION
@pytest.mark.parametrize("start", [{}, {"n": [0]}])
def test_what_moves_is_followed(
    store: stm.Store, table: Table, isolation: str, start: dict[str, Any]
) -> None:
    with store.atomically():
        table.update(start)
    calls = []

    def append(what: str) -> Callable[[Any], Any]:
        def function(value: Any) -> Any:
            calls.append((what, list(value or [])))
            return [*(value or []), what]

        return function

    def first() -> None:
        table.commute("n", append("a"))
        table.commute("n", append("b"))
        table.add("beside")

    def other() -> None:
        table.commute("n", append("other"))

    before = start.get("n", [])
    assert meanwhile(table, first, other, isolation=isolation) == 1
    assert table == {"n": [*before, "other", "a", "b"], "beside": 1}
    assert len(table) == 2
    assert calls == [
        ("a", before),
        ("b", [*before, "a"]),
        ("other", before),
        ("a", [*before, "other"]),
        ("b", [*before, "other", "a"]),
    ]
    assert store.stats().conflicts == 0


@pytest.mark.parametrize("there", [False, True])
def test_keys_that_come_and_go(store: stm.Store, table: Table, there: bool) -> None:
    if there:
        with store.atomically():
            table["n"] = 1
    attempts = meanwhile(
        table,
        lambda: table.commute("n", lambda value: [value]),
        lambda: table.pop("n") if there else table.update(n=5),
    )
    assert attempts == 1
    assert table == {"n": [None] if there else [5]}
    assert len(table) == 1


@ISOLATION
@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("before", [False, True])
def test_who_reads_the_key_depends_on_it(
    store: stm.Store, table: Table, isolation: str, look: Callable[[Table], Any], before: bool
) -> None:
    with store.atomically():
        table["n"] = 10
    seen = []

    def first() -> None:
        if before:
            seen.append(look(table))
        table.commute("n", lambda value: value * 2)
        seen.append(look(table))
        table.commute("n", lambda value: value + 1)
        table["copy"] = look(table)

    def other() -> None:
        table["n"] = 100

    assert meanwhile(table, first, other, isolation=isolation) == 2
    assert table == {"n": 201, "copy": 201}
    assert seen == [*[10] * before, 20, *[100] * before, 200]


def test_read_after_the_snapshot_moved_on(store: stm.Store, table: Table) -> None:
    """The function had the older value: what it made of that must not count as read."""

    def first() -> None:
        table.commute("n", lambda value: (value or 0) + 1)
        if not moved:
            moved.append(1)
            in_another_thread(lambda: store.run(table.update, {"n": 10, "x": 1}))
        assert table["x"] == 1  # moves the snapshot
        table["copy"] = table["n"]

    moved: list[int] = []
    store.run(first)
    assert table == {"n": 11, "x": 1, "copy": 11}


def test_beside_other_writes(store: stm.Store, table: Table) -> None:
    def add(value: Any) -> Any:
        return (value or 0) + 5

    def first() -> None:
        table.commute("assigned", add)
        table["assigned"] = 1
        table["assigned first"] = 1
        table.commute("assigned first", add)
        table.add("added", 1)
        table.commute("added", add)
        table.commute("added later", add)
        table.add("added later", 1)
        table.commute("deleted", add)
        del table["deleted"]

    store.run(first)
    expected = {"assigned": 1, "assigned first": 6, "added": 6, "added later": 6}
    assert table == expected
    attempts = meanwhile(table, first, lambda: table.update(assigned=100))
    assert attempts == 1
    assert table == expected | {"added": 12, "added later": 12}


@pytest.mark.parametrize("outer", [False, True])
def test_undone_with_its_level(store: stm.Store, table: Table, outer: bool) -> None:
    def append(what: str) -> Callable[[Any], Any]:
        return lambda value: (value or "") + what

    def undone() -> None:
        table.commute("n", append("undone"))
        table.commute("m", append("undone"))
        raise LookupError

    def losing() -> None:
        table.commute("n", append("undone"))
        stm.retry()

    def first() -> None:
        if outer:
            table.commute("n", append("a"))
        with pytest.raises(LookupError):
            store.run(undone)
        stm.or_else(losing, lambda: table.commute("n", append("b")))

    assert meanwhile(table, first, lambda: table.update(n="x")) == 1
    assert table == {"n": "xab" if outer else "xb"}


def test_who_loses_the_race_often_takes_the_lock(store: stm.Store, table: Table) -> None:
    """Each call of the function makes its value old, until others have to wait for it."""
    serial = []
    late: list[Background] = []

    def function(value: Any) -> Any:
        serial.append(tx.serial)
        if tx.serial:
            late.append(Background(lambda: store.run(table.add, "n", 1)))
        else:
            in_another_thread(lambda: store.run(table.add, "n", 1))
        return (value or 0) + 100

    with store.atomically() as tx:
        table.commute("n", function)
        assert tx.attempt == 1
    for background in late:
        background.join()
    assert serial == [False] * 4 + [True]
    assert table == {"n": 4 + 100 + 1}


def test_becoming_serial_checks_what_was_read(store: stm.Store, table: Table) -> None:
    with store.atomically():
        table["read"] = 0
    calls = []

    def function(value: Any) -> Any:
        calls.append(value)
        if len(calls) <= 4:
            in_another_thread(lambda: store.run(table.add, "n", 1))
        if len(calls) == 4:
            in_another_thread(lambda: store.run(table.add, "read", 1))
        return (value or 0) + 100

    attempts = []
    with store.atomically() as tx:
        attempts.append(tx.attempt)
        table["copy"] = table["read"]
        table.commute("n", function)
    assert table == {"n": 104, "read": 1, "copy": 1}
    assert tx.version is not None


def test_nothing_is_lost_between_threads(store: stm.Store, table: Table) -> None:
    def append(what: tuple[int, int], log: Any) -> Any:
        return [*(log or []), what]

    def work(me: int) -> None:
        for i in range(40):
            with store.atomically():
                table.commute("log", partial(append, (me, i)))

    workers = [Background(partial(work, me)) for me in range(3)]
    for worker in workers:
        worker.join()
    log = table["log"]
    assert len(log) == 120
    for me in range(3):
        assert [i for who, i in log if who == me] == list(range(40))
    assert store.stats().conflicts == 0


def test_where_it_is_refused(store: stm.Store, table: Table) -> None:
    ref: stm.TRef[int] = store.TRef("ref", 1)
    calls: list[Callable[[], Any]] = [
        lambda: table.commute("n", lambda _: 1),
        lambda: ref.commute(lambda _: 1),
    ]
    for commute in calls:
        with pytest.raises(stm.TransactionRequired):
            commute()
        with pytest.raises(stm.ReadOnly), store.atomically(read_only=True):
            commute()
    with store.atomically():
        with pytest.raises(TypeError, match="a function of the value, not 5"):
            table.commute("n", 5)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="arguments"):
            table.commute("n")  # type: ignore[call-arg]
        with pytest.raises(stm.EncodeError):
            table.commute(object(), lambda _: 1)
    assert not table


def test_in_serial_blocks(store: stm.Store, table: Table) -> None:
    calls = []

    def function(value: Any) -> Any:
        calls.append(value)
        return 5

    with store.atomically(irrevocable=True):
        table.add("n", 1)
        table.commute("m", function)
    assert calls == [None]
    assert table == {"n": 1, "m": 5}
