"""What the functions given to `commute` may do, and what becomes of those that fail."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

import stmpy as stm
from tests.unit.background import LIMIT, Background
from tests.unit.test_add import meanwhile

type Table = stm.TVar[Any, Any]


def test_a_value_of_its_own_each_time(store: stm.Store, table: Table) -> None:
    with store.atomically():
        table["list"] = [0]

    def append(value: Any) -> Any:
        value.append(1)
        return value

    assert (
        meanwhile(
            table,
            lambda: table.commute("list", append),
            lambda: table.commute("list", lambda value: [*value, 7]),
        )
        == 1
    )
    assert table == {"list": [0, 7, 1]}


@pytest.mark.parametrize("again", [False, True])
def test_a_function_that_fails_undoes_the_block(
    store: stm.Store, table: Table, again: bool
) -> None:
    with store.atomically():
        table["n"] = 1

    def function(value: int) -> int:
        if value == (2 if again else 1):
            raise LookupError(value)
        return value

    def first() -> None:
        table["written"] = 1
        table.commute("n", function)

    with pytest.raises(LookupError, match="2" if again else "1"):
        meanwhile(table, first, lambda: table.update(n=2))
    assert table == ({"n": 2} if again else {"n": 1})
    with store.atomically():
        table["n"] = 3  # nothing is held


def test_a_result_that_cannot_be_stored(store: stm.Store, table: Table) -> None:
    def write() -> None:
        table["written"] = 1
        table.commute("n", lambda _: object())

    with pytest.raises(stm.EncodeError):
        store.run(write)
    with pytest.raises(stm.EncodeError):
        meanwhile(
            table,
            lambda: table.commute("n", lambda value: None if value is None else object()),
            lambda: table.update(n=1),
        )
    assert table == {"n": 1}


def test_a_function_may_read_other_keys(store: stm.Store, table: Table) -> None:
    with store.atomically():
        table.update(n=1, factor=10)

    def first() -> None:
        table.commute("n", lambda value: value * table["factor"])

    assert meanwhile(table, first, lambda: table.update(n=2)) == 1
    assert table["n"] == 20
    # What it reads is read.
    assert meanwhile(table, first, lambda: table.update(n=3, factor=100)) == 2
    assert table["n"] == 300


@pytest.mark.parametrize("use", [lambda t: t["n"], lambda t: t.update(n=9)])
def test_a_function_that_uses_its_key(
    store: stm.Store, table: Table, use: Callable[[Table], Any]
) -> None:
    with store.atomically():
        table["n"] = 1
    with pytest.raises(stm.NestedMisuse, match=r"table\['n'\]: the function given to commute"):
        store.run(table.commute, "n", lambda value: (use(table), value)[1])
    assert table == {"n": 1}


def test_a_function_that_retries(store: stm.Store, table: Table) -> None:
    with store.atomically():
        table.update(n=1, go=False)
    waits = threading.Event()

    def function(value: int) -> int:
        if value == 2:
            go = table["go"]
            waits.set()
            stm.check(go)
        return value + 10

    def first() -> None:
        table.commute("n", function)

    block = Background(lambda: meanwhile(table, first, lambda: table.update(n=2)))
    assert waits.wait(LIMIT)
    with store.atomically():
        table["go"] = True
    block.join()
    assert table == {"n": 12, "go": True}
