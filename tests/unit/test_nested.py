"""Blocks within blocks: an inner one that fails undoes its own writes and no others."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

import stmpy as stm
from tests.unit.background import in_another_thread

type Table = stm.TVar[Any, Any]
type Lose = Callable[..., list[bool]]


class Undo(Exception):
    """Undoes a block."""


def block(store: stm.Store, body: Callable[[], object]) -> None:
    with store.atomically():
        body()


def call(store: stm.Store, body: Callable[[], object]) -> None:
    store.run(body)


@pytest.fixture(params=[block, call])
def inner(request: pytest.FixtureRequest, store: stm.Store) -> Callable[..., None]:
    """Runs its arguments in a nested block; raises Undo at the end if `undo`."""

    def run(*bodies: Callable[[], object], undo: bool = False) -> None:
        def body() -> None:
            for step in bodies:
                step()
            if undo:
                raise Undo

        request.param(store, body)

    return run


def test_the_writes_of_both_are_one(store: stm.Store, table: Table, inner: Any) -> None:
    with store.atomically():
        table["a"] = 1
        inner(lambda: table.update(a=table["a"] + 1, b=1))
        assert table == {"a": 2, "b": 1}
        in_another_thread(lambda: _is(table, {}))
        table["c"] = table["b"]
    assert table == {"a": 2, "b": 1, "c": 1}


def _is(table: Table, expected: dict[Any, Any]) -> None:
    assert table == expected


def test_an_inner_exception_undoes_the_inner_writes(
    store: stm.Store, table: Table, inner: Any
) -> None:
    with store.atomically():
        table.update(a=1, b=2, c=3)
        with pytest.raises(Undo):
            inner(
                lambda: table.update(a=10, d=4),
                lambda: table.pop("b"),
                lambda: table.setdefault("e", []).append(1),
                undo=True,
            )
        assert table == {"a": 1, "b": 2, "c": 3}
        assert len(table) == 3
        table["a"] += 1
    assert table == {"a": 2, "b": 2, "c": 3}


def test_undone_over_several_levels(store: stm.Store, table: Table, inner: Any) -> None:
    def second() -> None:
        table["2"] = 1
        inner(lambda: table.update({"3": 1, "1": 3}))
        with suppress(Undo):
            inner(lambda: table.update({"4": 1, "1": 4}), undo=True)
        assert table == {"1": 3, "2": 1, "3": 1}

    with store.atomically():
        table["1"] = 1
        with pytest.raises(Undo):
            inner(second, undo=True)
        assert table == {"1": 1}
        inner(second)
    assert table == {"1": 3, "2": 1, "3": 1}


def test_the_outer_exception_undoes_all(store: stm.Store, table: Table, inner: Any) -> None:
    def work() -> None:
        table["a"] = 1
        inner(lambda: table.update(b=1))
        raise Undo

    with pytest.raises(Undo):
        store.run(work)
    assert table == {}


@pytest.mark.parametrize("made", [[1], {"k": 1}, {1}], ids=lambda value: type(value).__name__)
def test_changes_in_place_are_undone_in_place(
    made: Any, store: stm.Store, table: Table, inner: Any
) -> None:
    """The program has the object in its hands: it holds again what it held."""

    def change(value: Any) -> None:
        match value:
            case list():
                value.append(2)
            case dict():
                value["j"] = 2
            case set():
                value.add(2)

    with store.atomically():
        table["old"] = made
    with store.atomically():
        table["new"] = type(made)(made)
        old, new = table["old"], table["new"]
        for value in (old, new):
            with pytest.raises(Undo):
                inner(lambda value=value: change(value), undo=True)
            assert value == made
        assert table["old"] is old
        change(old)
        inner(lambda: change(table["new"]))
        assert table["new"] is new
        with suppress(Undo):
            inner(lambda: change(table["old"].clear() or table["old"]), undo=True)
        assert old == new != made
    assert table["old"] == table["new"] == old


def test_what_is_replaced_in_an_undone_block_comes_back(
    store: stm.Store, table: Table, inner: Any
) -> None:
    with store.atomically():
        table["a"] = [1]
        mine = table["a"]
        mine.append(2)
        with suppress(Undo):
            inner(lambda: table.update(a=[9]), lambda: table["a"].append(9), undo=True)
        assert table["a"] == [1, 2]
        with suppress(Undo):
            inner(lambda: table.pop("a"), undo=True)
        assert table["a"] == [1, 2]
        table["a"].append(3)
    assert table == {"a": [1, 2, 3]}


def test_deleted_inside_and_undone(store: stm.Store, table: Table, inner: Any) -> None:
    with store.atomically():
        table["a"] = 1
    with store.atomically():
        with suppress(Undo):
            inner(lambda: table.clear(), undo=True)
        assert len(table) == 1
        inner(lambda: table.clear())
        assert table == {}
        with suppress(Undo):
            inner(lambda: table.update(a=2), undo=True)
        assert "a" not in table
    assert table == {}


def test_a_conflict_inside_runs_the_outermost_again(
    store: stm.Store, table: Table, inner: Any, lose: Lose
) -> None:
    given = lose(False, False, True)
    runs: list[str] = []

    def outer() -> None:
        runs.append("outer")
        table["a"] = len(runs)
        inner(lambda: runs.append("inner"), lambda: table.update(b=1, c=1))

    store.run(outer)
    assert given[2]
    assert runs == ["outer", "inner"] * 2
    assert table == {"a": 3, "b": 1, "c": 1}


def test_what_an_undone_block_has_read_counts(store: stm.Store, table: Table, inner: Any) -> None:
    """It may be why it was undone; so the outer block conflicts over it."""
    with store.atomically():
        table["a"] = 0
    attempts: list[int] = []

    def outer() -> None:
        attempts.append(1)
        with suppress(Undo):
            inner(lambda: table["a"], undo=True)
        if len(attempts) == 1:
            in_another_thread(lambda: store.run(lambda: table.update(a=1)))
        table["b"] = 1

    store.run(outer)
    assert len(attempts) == 2


def test_reading_blocks_inside(store: stm.Store, table: Table) -> None:
    """See what the outer block has written, and write nothing."""
    with store.atomically():
        table["a"] = 1
        with store.snapshot():
            assert table["a"] == 1
            with pytest.raises(stm.ReadOnly):
                table["a"] = 2
            with store.atomically(), pytest.raises(stm.ReadOnly):
                table["a"] = 2
        table["a"] += 1
    assert table == {"a": 2}
    with store.snapshot(), store.atomically(), pytest.raises(stm.ReadOnly):
        table["a"] = 2


def test_what_cannot_be_nested(store: stm.Store, table: Table) -> None:
    with stm.open(max_bytes=1 << 20) as other:
        foreign = other.TVar("foreign", {"a": 1})
        with store.atomically():
            table["a"] = 1
            for misuse in (
                lambda: other.atomically().__enter__(),
                lambda: other.snapshot().__enter__(),
                lambda: other.run(lambda: None),
                lambda: other.atomically(lambda: None)(),
                lambda: foreign["a"],
                lambda: len(foreign),
                lambda: foreign.get_many(["a"]),
                lambda: foreign.update(a=2),
                lambda: other.TRef("new", 1),
                lambda: stm.atomically().__enter__(),
                lambda: stm.run(lambda: None),
                lambda: store.atomically(irrevocable=True).__enter__(),
                lambda: store.atomically(lambda: None, irrevocable=True)(),
            ):
                with pytest.raises(stm.NestedMisuse):
                    misuse()
            table["a"] += 1
        assert table == {"a": 2}
        assert foreign == {"a": 1}
    with store.atomically(irrevocable=True), store.atomically(irrevocable=True):
        table["a"] += 1
    assert table == {"a": 3}


def test_left_in_the_wrong_order(store: stm.Store, table: Table) -> None:
    outer, within = store.atomically(), store.atomically()
    outer.__enter__()
    table["a"] = 1
    within.__enter__()
    table["b"] = 1
    with pytest.raises(stm.NestedMisuse, match="innermost"):
        outer.__exit__(None, None, None)
    assert outer.__exit__(ValueError, ValueError(), None) is False
    assert stm.in_transaction()
    within.__exit__(None, None, None)
    outer.__exit__(None, None, None)
    assert table == {"a": 1, "b": 1}
    for block in (outer, within, store.atomically()):
        with pytest.raises(stm.NestedMisuse):
            block.__exit__(None, None, None)
        assert block.__exit__(ValueError, ValueError(), None) is False


def test_an_object_that_is_dropped_undoes_its_level(store: stm.Store, table: Table) -> None:
    with store.atomically():
        table["a"] = 1
        inside = store.atomically()
        inside.__enter__()
        table["b"] = 1
        table["a"] = 2
        del inside
        assert table == {"a": 1}
        table["c"] = 1
    assert table == {"a": 1, "c": 1}
    whole = store.atomically()
    whole.__enter__()
    table["a"] = 5
    del whole
    assert not stm.in_transaction()
    assert table == {"a": 1, "c": 1}


@pytest.mark.parametrize("depth", [2, 63, 64])
def test_deep_nesting(depth: int, store: stm.Store, table: Table) -> None:
    def down(level: int) -> None:
        with store.atomically():
            table[level] = level
            if level < depth:
                down(level + 1)
            table[level] += 1

    down(1)
    assert table == {level: level + 1 for level in range(1, depth + 1)}
