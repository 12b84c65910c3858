"""Functions to call after the outcome: once, in order, outside the block."""

from collections.abc import Callable
from typing import Any

import pytest

import stmpy as stm
from tests.waiting.conftest import Start

type Table = stm.TVar[Any, Any]


class Undo(Exception):
    pass


@pytest.fixture
def calls() -> list[Any]:
    return []


def test_after_the_commit_in_order(store: stm.Store, table: Table, calls: list[Any]) -> None:
    with store.atomically():
        stm.on_abort(lambda: calls.append("abort"))
        stm.on_commit(lambda: calls.append(("first", table["a"], stm.in_transaction())))
        stm.on_commit(lambda: calls.append("second"))
        table["a"] = 1
        assert not calls
    assert calls == [("first", 1, False), "second"]


def test_after_the_abort_in_order(store: stm.Store, table: Table, calls: list[Any]) -> None:
    def body() -> None:
        stm.on_commit(lambda: calls.append("commit"))
        stm.on_abort(lambda: calls.append(("first", "a" in table, stm.in_transaction())))
        stm.on_abort(lambda: calls.append("second"))
        table["a"] = 1
        raise Undo

    with pytest.raises(Undo):
        store.run(body)
    assert calls == [("first", False, False), "second"]


def test_it_decorates(store: stm.Store, calls: list[Any]) -> None:
    def body() -> None:
        @stm.on_commit
        def later() -> None:
            calls.append("later")

        assert later is not None

    store.run(body)
    assert calls == ["later"]


def test_once_however_often_the_block_runs(
    store: stm.Store, table: Table, start: Start, calls: list[Any]
) -> None:
    with store.atomically():
        table["n"] = 0
    attempts = []

    def bump() -> None:
        with store.atomically():
            table["n"] += 1

    def body() -> None:
        stm.on_abort(lambda: calls.append("abort"))
        stm.on_commit(lambda: calls.append("commit"))
        seen = table["n"]
        attempts.append(seen)
        if seen < 3:
            start(bump).result(60)
        table["n"] = seen + 10

    store.run(body)
    assert attempts == [0, 1, 2, 3]
    assert calls == ["commit"]


def test_not_while_waiting(store: stm.Store, table: Table, start: Start, calls: list[Any]) -> None:
    def body() -> None:
        stm.on_abort(lambda: calls.append("abort"))
        stm.on_commit(lambda: calls.append("commit"))
        if "go" not in table:
            start(store.run, lambda: table.update(go=True))
            stm.retry()

    store.run(body)
    assert calls == ["commit"]


def test_a_nested_level_that_is_undone_takes_its_hooks_along(
    store: stm.Store, calls: list[Any]
) -> None:
    def inner(fail: bool) -> None:
        with store.atomically():
            stm.on_commit(lambda: calls.append(("inner", fail)))
            if fail:
                raise Undo

    def losing() -> None:
        stm.on_commit(lambda: calls.append("losing"))
        stm.retry()

    with store.atomically():
        stm.on_commit(lambda: calls.append("before"))
        with pytest.raises(Undo):
            inner(True)
        inner(False)
        stm.or_else(losing, lambda: stm.on_commit(lambda: calls.append("winning")))
        stm.on_commit(lambda: calls.append("after"))
    assert calls == ["before", ("inner", False), "winning", "after"]


def test_what_fails_comes_as_a_group_and_the_commit_stands(
    store: stm.Store, table: Table, calls: list[Any]
) -> None:
    def fail(error: Exception) -> Callable[[], None]:
        def hook() -> None:
            raise error

        return hook

    def body() -> None:
        table["a"] = 1
        stm.on_commit(fail(ValueError("one")))
        stm.on_commit(lambda: calls.append("still called"))
        stm.on_commit(fail(LookupError("two")))

    def in_with() -> None:
        with store.atomically():
            body()

    for form in (in_with, lambda: store.run(body)):
        with pytest.raises(ExceptionGroup, match="is committed") as caught:
            form()
        assert [str(error) for error in caught.value.exceptions] == ["one", "two"]
    assert calls == ["still called"] * 2
    assert table == {"a": 1}
    assert not stm.in_transaction()


def test_a_failing_abort_hook_does_not_hide_the_exception(
    store: stm.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported = []
    monkeypatch.setattr("sys.unraisablehook", lambda args: reported.append(args.exc_value))

    def body() -> None:
        stm.on_abort(lambda: 1 // 0)
        raise Undo

    with pytest.raises(Undo):
        store.run(body)
    (group,) = reported
    assert isinstance(group, ExceptionGroup)
    assert isinstance(group.exceptions[0], ZeroDivisionError)


def test_a_hook_may_run_a_block(store: stm.Store, table: Table) -> None:
    def again() -> None:
        with store.atomically():
            table["hook"] = table["body"] + 1

    with store.atomically():
        table["body"] = 1
        stm.on_commit(again)
    assert table == {"body": 1, "hook": 2}


def test_timeout_counts_as_abort(store: stm.Store, table: Table, calls: list[Any]) -> None:
    def body() -> None:
        table.get("never")
        stm.on_abort(lambda: calls.append("abort"))
        stm.retry()

    with pytest.raises(stm.TransactionTimeout):
        store.atomically(timeout=0.01)(body)()
    assert calls == ["abort"]


def test_only_functions(store: stm.Store) -> None:
    def body() -> None:
        for add in (stm.on_commit, stm.on_abort):
            with pytest.raises(TypeError, match="takes a function"):
                add(1)  # type: ignore[type-var]

    store.run(body)


def test_an_interrupt_in_one_hook_keeps_no_other_from_being_called(
    store: stm.Store, table: Table, calls: list[Any]
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    def body() -> None:
        table["a"] = 1
        for hook in (interrupt, lambda: 1 // 0, lambda: calls.append("called")):
            stm.on_commit(hook)

    with pytest.raises(KeyboardInterrupt) as caught:
        store.run(body)
    assert calls == ["called"]
    assert isinstance(caught.value.__cause__, ExceptionGroup)
    assert table == {"a": 1}
