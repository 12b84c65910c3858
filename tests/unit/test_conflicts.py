"""A block that loses runs again as if it had not run, whatever its body tries to catch.

Conflicts are injected at each access and at commit, at one after the other, so no answer depends on
how threads happen to run.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import pytest

import stmpy as stm
from stmpy import _native
from stmpy.testing import conflicts

type Table = stm.TVar[Any, Any]
type Body = Callable[[Table], None]


def bare_except(to: Table) -> None:
    try:
        to["a"] += 1
        to["b"] += to["a"]
    except:  # noqa: E722  # what is tested
        to["garbage"] = 1


def catching_exceptions(to: Table) -> None:
    try:
        to["a"] += 1
    except Exception:
        to["garbage"] = 1
    try:
        to["b"] += to["a"]
    except BaseException:
        to["garbage"] = 2


def suppressing(to: Table) -> None:
    with suppress(BaseException):
        to["a"] += 1
        to["b"] += to["a"]
        return
    to["garbage"] = 1


def cleaning_up(to: Table) -> None:
    try:
        to["a"] += 1
    finally:
        to["b"] += 2


def in_a_nested_block(to: Table) -> None:
    try:
        with to.store.atomically():
            to["a"] += 1
            with to.store.atomically():
                to["b"] += to["a"]
    except BaseException:
        to["garbage"] = 1


def in_a_nested_call(to: Table) -> None:
    def inner() -> None:
        to["a"] += 1
        to["b"] += to["a"]

    try:
        to.store.run(inner)
    except BaseException:
        to["garbage"] = 1


def in_a_generator(to: Table) -> None:
    def steps() -> Iterator[None]:
        try:
            to["a"] += 1
            yield
            to["b"] += to["a"]
        except BaseException:
            to["garbage"] = 1

    for _ in steps():
        pass


def in_a_manager_that_swallows(to: Table) -> None:
    @contextmanager
    def swallow() -> Iterator[None]:
        try:
            yield
        except BaseException:
            to["garbage"] = 1

    with swallow():
        to["a"] += 1
        to["b"] += to["a"]


def raising_instead(to: Table) -> None:
    try:
        to["a"] += 1
        to["b"] += to["a"]
    except BaseException as error:
        raise ValueError("translated") from error


def deleting_and_walking(to: Table) -> None:
    try:
        total = sum(value for value in to.values() if isinstance(value, int))
        del to["a"]
        to["a"] = 2
        to["b"] = len(to) + total
    except BaseException:
        to["garbage"] = 1


def changing_in_place(to: Table) -> None:
    try:
        to["list"].append(len(to["list"]))
        to["a"] = 2
        to["b"] = 3
    except BaseException:
        to["garbage"] = 1


BODIES: list[Body] = [
    bare_except,
    catching_exceptions,
    suppressing,
    cleaning_up,
    in_a_nested_block,
    in_a_nested_call,
    in_a_generator,
    in_a_manager_that_swallows,
    raising_instead,
    deleting_and_walking,
    changing_in_place,
]


def with_statement(store: stm.Store, body: Callable[[], None]) -> None:
    with store.atomically():
        body()


def function(store: stm.Store, body: Callable[[], None]) -> None:
    store.run(body)


@pytest.mark.parametrize("form", [with_statement, function])
@pytest.mark.parametrize("body", BODIES)
def test_no_body_can_swallow_a_conflict(
    body: Body,
    form: Callable[[stm.Store, Callable[[], None]], None],
    store: stm.Store,
    lose: Callable[..., list[bool]],
) -> None:
    """Loses at each question in turn, and at that one and the next, until a run meets none."""
    before = {"a": 1, "b": 1, "list": []}
    undisturbed = store.TVar("undisturbed", before)
    form(store, partial(body, undisturbed))
    expected = undisturbed.copy()
    assert expected != before
    assert "garbage" not in expected
    for losses in (1, 2):
        for start in range(100):
            table = store.TVar(f"{losses} {start}", before)
            given = lose(*[False] * start, *[True] * losses)
            form(store, partial(body, table))
            assert table == expected
            if not any(given):
                break
        assert 3 <= start < 99, "it lost nowhere, or everywhere"


# The blocks below stand in functions without assertions: what pytest makes of those binds names of
# its own, and a block in which that could be noticed is not run again.


def swallow_once(table: Table, then: Callable[[], None]) -> stm.atomically:
    """Swallows the conflict of the first attempt and goes on to `then`."""
    with table.store.atomically() as block:
        with suppress(BaseException):
            table["a"] = 1
        if block.attempt == 1:
            then()
    return block


def test_after_a_conflict_every_access_fails(
    store: stm.Store, table: Table, lose: Callable[..., list[bool]]
) -> None:
    """What goes on after swallowing sees nothing of a snapshot that is gone."""
    lose(True)
    outcomes: list[object] = []
    accesses: list[Callable[[], object]] = [
        lambda: table["a"],
        lambda: table.get("a"),
        lambda: "a" in table,
        lambda: len(table),
        lambda: list(table),
        lambda: table.copy(),
        lambda: table.get_many(["a"]),
        lambda: table.__setitem__("b", 1),
        lambda: table.__delitem__("b"),
        lambda: table.pop("a", None),
        lambda: store.run(lambda: None),
        lambda: store.atomically().__enter__(),
        lambda: store.TRef("ref").value,
        stm.retry,
        lambda: stm.or_else(lambda: None, lambda: None),
    ]

    def go_on() -> None:
        for access in accesses:
            try:
                outcomes.append(access())
            except BaseException as error:
                outcomes.append(type(error))

    assert swallow_once(table, go_on).attempt == 2
    assert outcomes == [_native.Rerun] * len(accesses)
    assert table == {"a": 1}


def test_a_conflict_is_no_exception_of_the_program(
    table: Table, lose: Callable[..., list[bool]]
) -> None:
    lose(True)
    caught: list[type[BaseException]] = []

    def body() -> None:
        try:
            table["a"] = 1
        except BaseException as error:
            caught.append(type(error))
            raise

    with_statement(table.store, body)
    assert caught == [_native.Rerun]
    assert not issubclass(_native.Rerun, Exception)


def test_an_exception_after_a_swallowed_conflict_is_not_seen(
    table: Table, lose: Callable[..., list[bool]]
) -> None:
    """It was raised on the ground of an attempt that never was."""

    def fail() -> None:
        raise ValueError("from a lost attempt")

    lose(True)
    assert swallow_once(table, fail).attempt == 2
    assert table == {"a": 1}


def test_who_ends_the_program_ends_it(table: Table, lose: Callable[..., list[bool]]) -> None:
    def leave() -> None:
        with suppress(_native.Rerun):
            table["a"] = 2
        raise SystemExit(5)

    given = lose(True)
    with pytest.raises(SystemExit):
        table.store.run(leave)
    assert given == [True]
    assert table == {}
    assert not stm.in_transaction()


@pytest.mark.parametrize("form", [with_statement, function])
def test_the_hook_can_fail(
    form: Callable[[stm.Store, Callable[[], None]], None], table: Table
) -> None:
    def hook() -> bool:
        raise OSError("hook")

    with conflicts(hook):
        with pytest.raises(OSError, match="hook"):
            form(table.store, lambda: table.__setitem__("a", 1))
        with pytest.raises(OSError, match="hook"):
            form(table.store, lambda: None)
    assert table == {}
    assert not stm.in_transaction()


@pytest.mark.parametrize("form", [with_statement, function])
def test_after_ten_losses_a_block_cannot_lose(
    form: Callable[[stm.Store, Callable[[], None]], None],
    table: Table,
    lose: Callable[..., list[bool]],
) -> None:
    given = lose(*[True] * 1000)
    runs: list[None] = []

    def body() -> None:
        runs.append(None)
        table["n"] = len(runs)

    form(table.store, body)
    assert table == {"n": 11}
    assert given == [True] * 10
    stats = table.store.stats()
    assert stats.conflicts == stats.aborts["injected"] == 10
    assert stats.serial == 1
    assert stats.attempts.rows() == [(8, 1)]
