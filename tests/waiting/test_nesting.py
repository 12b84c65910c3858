"""Closed nesting: what an inner level undoes, and what it leaves in the outer one's hands."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

import stmpy as stm
from tests.waiting.conftest import Start

type Table = stm.TVar[Any, Any]


class Undo(Exception):
    pass


def undone(table: Table, body: Callable[[], Any]) -> None:
    """Run the body in a nested block that is undone."""

    def fail() -> None:
        with table.store.atomically():
            body()
            raise Undo

    with pytest.raises(Undo):
        fail()


def undone_call(table: Table, body: Callable[[], Any]) -> None:
    def fail() -> None:
        body()
        raise Undo

    with pytest.raises(Undo):
        table.store.run(fail)


def losing(table: Table, body: Callable[[], Any]) -> None:
    def lose() -> None:
        body()
        stm.retry()

    stm.or_else(lose, lambda: None)


type Undoing = Callable[[Table, Callable[[], Any]], None]
FORMS = pytest.mark.parametrize("undo", [undone, undone_call, losing])


@pytest.fixture
def filled(store: stm.Store, table: Table) -> Table:
    with store.atomically():
        table["n"], table["rows"], table["map"], table["set"] = 1, [1], {"k": [1]}, {1}
    return table


@FORMS
def test_writes_of_the_inner_level_alone_are_undone(filled: Table, undo: Undoing) -> None:
    def inner() -> None:
        filled["n"] = 3
        filled["new"] = 1
        filled.pop("set")
        assert len(filled) == 4

    with filled.store.atomically():
        filled["n"] = 2
        undo(filled, inner)
        assert (filled["n"], "new" in filled, filled["set"], len(filled)) == (2, False, {1}, 4)
        filled["after"] = True
    assert filled == {"n": 2, "rows": [1], "map": {"k": [1]}, "set": {1}, "after": True}


@FORMS
def test_values_changed_in_place(filled: Table, undo: Undoing) -> None:
    def inner() -> None:
        filled["rows"].append("inner")
        filled["map"]["k"].append("inner")
        filled["set"].clear()

    with filled.store.atomically():
        rows = filled["rows"]
        rows.append("outer")
        undo(filled, inner)
        assert rows == [1, "outer"]
        assert filled["rows"] is rows
        rows.append("after")
    assert filled == {"n": 1, "rows": [1, "outer", "after"], "map": {"k": [1]}, "set": {1}}


@FORMS
def test_an_object_that_the_inner_level_replaced_is_the_block_s_again(
    filled: Table, undo: Undoing
) -> None:
    def inner() -> None:
        filled["rows"] = ["other"]
        del filled["map"]

    with filled.store.atomically():
        rows, mapping = filled["rows"], filled["map"]
        undo(filled, inner)
        rows.append(2)
        mapping["new"] = 1
    assert filled["rows"] == [1, 2]
    assert filled["map"] == {"k": [1], "new": 1}


@FORMS
def test_what_the_program_gave_stays_its_own(filled: Table, undo: Undoing) -> None:
    mine = ["mine"]

    def inner() -> None:
        filled["rows"] = mine

    with filled.store.atomically():
        undo(filled, inner)
        assert filled["rows"] == [1]
    assert mine == ["mine"]
    assert filled["rows"] == [1]


@FORMS
def test_three_levels(filled: Table, undo: Undoing) -> None:
    def deepest() -> None:
        filled["rows"].append("deepest")

    def middle() -> None:
        filled["rows"].append("middle")
        undo(filled, deepest)
        assert filled["rows"] == [1, "outer", "middle"]
        filled.store.run(deepest)

    with filled.store.atomically():
        rows = filled["rows"]
        rows.append("outer")
        undo(filled, middle)
        assert rows == [1, "outer"]
        filled.store.run(middle)
        assert rows == [1, "outer", "middle", "deepest"]
    assert filled["rows"] == [1, "outer", "middle", "deepest"]


@dataclass
class Point:
    x: int


@FORMS
def test_dataclasses_in_the_block_s_hands(filled: Table, undo: Undoing) -> None:
    stm.register(Point, "tests.waiting.Point")
    with filled.store.atomically():
        filled["point"] = Point(1)

    def inner() -> None:
        filled["point"].x = 9

    with filled.store.atomically():
        point = filled["point"]
        undo(filled, inner)
        assert point.x == 1
        point.x += 1
    assert filled["point"] == Point(2)


@FORMS
def test_what_an_undone_level_has_read_still_counts(
    filled: Table, start: Start, undo: Undoing
) -> None:
    """The program may have learnt from it: the conflict is found though the level is undone."""
    seen = []

    def write(n: int) -> None:
        with filled.store.atomically():
            filled["n"] = n

    def body() -> None:
        undo(filled, lambda: seen.append(filled["n"]))
        if len(seen) == 1:
            start(write, 5).result(60)
        filled["copy"] = seen[-1]

    filled.store.run(body)
    assert seen == [1, 5]
    assert filled["copy"] == 5


@FORMS
def test_what_was_only_assigned_in_an_undone_level_is_read_anew(
    filled: Table, start: Start, undo: Undoing
) -> None:
    """After the undone assignment of a list, reading the key is a read, and is validated."""
    attempts = []

    def write() -> None:
        with filled.store.atomically():
            filled["rows"] = [2]

    def body() -> None:
        undo(filled, lambda: filled.update(rows=[0]))
        attempts.append(list(filled["rows"]))
        if len(attempts) == 1:
            start(write).result(60)
        filled["copy"] = attempts[-1]

    filled.store.run(body)
    assert attempts == [[1], [2]]
    assert filled["copy"] == [2]


def test_a_conflict_inside_runs_the_outermost_again(filled: Table, start: Start) -> None:
    runs: list[int] = []

    def write() -> None:
        with filled.store.atomically():
            filled["n"] += 1

    def inner() -> int:
        n = int(filled["n"])
        if len(runs) == 1:
            start(write).result(60)
        filled["n"] = n + 10
        return n

    def body() -> int:
        runs.append(1)
        try:
            return filled.store.run(inner)
        except Exception:
            return -1

    assert filled.store.run(body) == 2
    assert len(runs) == 2
    assert filled["n"] == 12
