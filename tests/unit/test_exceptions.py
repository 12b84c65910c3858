"""What leaves a block by an exception is undone, and the exception goes on as the same object."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

import stmpy as stm

type Table = stm.TVar[Any, Any]


class Mine(BaseException):
    """What nobody else raises or catches."""


RAISED = [
    ValueError("one"),
    KeyError(("a", 1)),
    KeyboardInterrupt(),
    SystemExit(3),
    GeneratorExit(),
    Mine("two"),
    StopIteration(4),
    ExceptionGroup("several", [ValueError(1), TypeError(2)]),
    stm.StmError("my own"),
    MemoryError(),
]
FORMS = ["with", "serial", "nested", "run", "decorated", "snapshot"]


def leave(form: str, store: stm.Store, body: Callable[[], None]) -> None:
    """Runs the body in a block of this form."""
    match form:
        case "with":
            with store.atomically():
                body()
        case "serial":
            with store.atomically(irrevocable=True):
                body()
        case "nested":
            with store.atomically(), store.atomically():
                body()
        case "run":
            store.run(body)
        case "decorated":
            store.atomically(body)()
        case "snapshot":
            with store.snapshot():
                body()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_it_propagates_as_it_is(
    error: BaseException, form: str, store: stm.Store, table: Table
) -> None:
    runs = []

    def body() -> None:
        runs.append(1)
        if form != "snapshot":
            table["a"] = 1
        raise error

    error.__traceback__ = error.__context__ = None
    with pytest.raises(type(error)) as caught:
        leave(form, store, body)
    assert caught.value is error
    assert error.__context__ is None
    assert error.__cause__ is None
    assert len(runs) == 1
    assert table == {}
    assert not stm.in_transaction()
    assert sys.exception() is None


@pytest.mark.parametrize("form", ["with", "run", "decorated"])
@pytest.mark.parametrize("lost", range(3))
def test_a_note_says_which_attempt_it_was(
    lost: int, form: str, store: stm.Store, table: Table, lose: Callable[..., list[bool]]
) -> None:
    """Only after others: a block that ran once leaves the exception as it is."""
    error = Mine("unlucky")

    def body() -> None:
        table["a"] = 1
        raise error

    lose(*[True] * lost)
    with pytest.raises(Mine):
        leave(form, store, body)
    notes = getattr(error, "__notes__", [])
    assert len(notes) == (lost > 0)
    for note in notes:
        assert note.startswith(f"stmpy: raised in attempt {lost + 1} of ")
        assert note.endswith(f"; it lost {lost} to other blocks and waited after 0")
        assert ("body" if form in ("run", "decorated") else "leave") in note


def test_a_note_does_without_a_name_that_is_none(
    store: stm.Store, table: Table, lose: Callable[..., list[bool]]
) -> None:
    @store.atomically(label="\ud800")
    def body() -> None:
        table["a"] = 1
        raise Mine

    lose(True)
    with pytest.raises(Mine) as caught:
        body()
    assert caught.value.__notes__[0].startswith("stmpy: raised in attempt 2 of this block;")


def test_its_traceback_is_that_of_the_body(store: stm.Store) -> None:
    with pytest.raises(ZeroDivisionError) as caught, store.atomically():
        1 / 0  # noqa: B018
    assert [entry.name for entry in caught.traceback] == ["test_its_traceback_is_that_of_the_body"]


def test_handling_it_goes_on_inside(store: stm.Store, table: Table) -> None:
    with store.atomically():
        table["a"] = 1
        try:
            raise ValueError
        except ValueError:
            table["b"] = 2
        finally:
            table["c"] = 3
    assert table == {"a": 1, "b": 2, "c": 3}


def test_the_handled_exception_is_the_same_after_a_block(store: stm.Store, table: Table) -> None:
    outer = ValueError("outer")
    try:
        raise outer
    except ValueError:
        with store.atomically():
            assert sys.exception() is outer
            table["a"] = 1
        assert sys.exception() is outer
        with pytest.raises(KeyError) as caught, store.atomically():
            table["absent"]
        assert caught.value.__context__ is outer
        assert sys.exception() is outer
    assert sys.exception() is None


def handled_around_a_block(table: Table, outer: BaseException) -> list[BaseException | None]:
    seen: list[BaseException | None] = []
    try:
        raise outer
    except ValueError:
        with table.store.atomically():
            seen.append(sys.exception())
            table["a"] = 1
            with suppress(KeyError):
                table["absent"]
            seen.append(sys.exception())
        seen.append(sys.exception())
    seen.append(sys.exception())
    return seen


@pytest.mark.parametrize("lost", range(4))
def test_the_handled_exception_is_the_same_after_a_conflict(
    lost: int, table: Table, lose: Callable[..., list[bool]]
) -> None:
    given = lose(*[False] * lost, True)
    outer = ValueError("outer")
    seen = handled_around_a_block(table, outer)
    assert sum(given) == (lost < 3)  # it is asked at the two accesses and at the commit
    assert seen[-4:] == [outer, outer, outer, None]
    assert set(seen) == {outer, None}


def test_another_manager_in_the_same_statement_sees_it(store: stm.Store, table: Table) -> None:
    seen: list[object] = []

    @contextmanager
    def watch() -> Iterator[None]:
        try:
            yield
        except ValueError as error:
            seen.append(error)
            raise

    error = ValueError("one")

    def fail() -> None:
        with watch(), store.atomically(), watch():
            table["a"] = 1
            raise error

    with pytest.raises(ValueError, match="one") as caught:
        fail()
    assert seen == [error, error]
    assert caught.value is error
    assert table == {}


def test_a_swallowing_manager_decides_by_its_place(store: stm.Store, table: Table) -> None:
    with suppress(ValueError), store.atomically():
        table["a"] = 1
        raise ValueError
    assert table == {}
    with store.atomically(), suppress(ValueError):
        table["a"] = 1
        raise ValueError
    assert table == {"a": 1}


def test_return_break_and_continue_commit(store: stm.Store, table: Table) -> None:
    def returns() -> str:
        with store.atomically():
            table["return"] = 1
            return "value"

    assert returns() == "value"
    for turn in range(3):
        with store.atomically():
            table["turn"] = turn
            if turn == 1:
                continue
            table["last"] = turn
            if turn == 2:
                break
    assert table == {"return": 1, "turn": 2, "last": 2}


def test_recursion_without_end_undoes_the_block(store: stm.Store, table: Table) -> None:
    def again() -> None:
        table["depth"] = table.get("depth", 0) + 1
        again()

    with pytest.raises(RecursionError), store.atomically():
        again()
    assert table == {}
    with store.atomically():
        table["after"] = 1
    assert table == {"after": 1}


@pytest.mark.parametrize("form", FORMS)
def test_the_store_goes_on(form: str, store: stm.Store, table: Table) -> None:
    for _ in range(3):
        with pytest.raises(Mine):
            leave(form, store, lambda: (_ for _ in ()).throw(Mine))
        with store.atomically(timeout=60):
            table["n"] = table.get("n", 0) + 1
    assert table == {"n": 3}
    assert store.stats().aborts["exception"] == 3
