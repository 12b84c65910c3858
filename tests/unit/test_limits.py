"""The limits that the README names: what they are, and that nothing worse happens beyond them."""

from typing import Any

import pytest

import stmpy as stm


@pytest.fixture
def table(store: stm.Store) -> stm.TVar[Any, Any]:
    return store.TVar("table")


def test_local_that_may_be_unbound_is_named_by_retry(table: stm.TVar[Any, Any]) -> None:
    def wait(lines: list[str]) -> str:
        with table.store.atomically() as tx:
            assert tx.serial
            stm.check("never" in table)
        for line in lines:
            table.get(line)
        return line

    with pytest.raises(stm.NestedMisuse, match="'line'"):
        wait(["a"])


def test_same_function_with_a_value_before_the_block(table: stm.TVar[Any, Any]) -> None:
    def count(lines: list[str]) -> str:
        line = ""
        with table.store.atomically() as tx:
            table["n"] = table.get("n", 0) + 1
            assert not tx.serial
        for line in lines:
            table.get(line)
        return line

    assert count(["a", "b"]) == "b"
    assert table["n"] == 1


def test_block_on_one_line_is_serial(table: stm.TVar[Any, Any]) -> None:
    before = table.store.stats().serial
    # fmt: off
    with table.store.atomically(): table["n"] = 1  # noqa: E701
    # fmt: on
    assert table.store.stats().serial == before + 1


def test_values_read_outside_a_block_are_copies(table: stm.TVar[Any, Any]) -> None:
    table.store.run(table.update, days=[])
    table["days"].append("lost")
    assert table["days"] == []


def test_freed_room_serves_smaller_values() -> None:
    with stm.open(max_bytes=1 << 20) as store:
        table = store.TVar("table")

        def fill() -> None:
            for i in range(2000):
                store.run(table.__setitem__, i, b"x" * 1000)

        with pytest.raises(stm.StoreFull):
            fill()
        for key in list(table):
            store.run(table.__delitem__, key)
        for i in range(900):
            store.run(table.__setitem__, i, b"x" * 500)
        assert len(table) == 900
