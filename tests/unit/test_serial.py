"""Which blocks run where they cannot lose: those that can't be run again, and no ordinary ones."""

from collections.abc import Callable
from contextlib import ExitStack, nullcontext, suppress
from typing import Any

import pytest

import stmpy as stm
from tests.unit.background import holding

type Table = stm.TVar[Any, Any]


def bound_in_the_body(to: Table) -> bool:
    with to.store.atomically() as block:
        value = to.get("a")
        to["a"] = value
    return block.serial_reason is None and value is None


def bound_before(to: Table) -> None:
    total = 0
    with to.store.atomically():
        total += len(to)
        to["a"] = total
    to.get(total)


def returning(to: Table) -> object:
    with to.store.atomically():
        value = to.get("a")
        return value


def looping(to: Table) -> None:
    for number in range(3):
        with to.store.atomically():
            if number == 1:
                continue
            to[number] = number
            if number == 2:
                break
    to.get(number)


def choosing(to: Table) -> None:
    with to.store.atomically():
        if "a" in to:
            found = True
        else:
            found = False
            to["a"] = 1
    if found:
        to.get("a")


def catching(to: Table) -> None:
    try:
        with to.store.atomically():
            try:
                number = to["absent"]
            except KeyError:
                number = 0
            to["a"] = number
    except stm.StmError:
        raise
    to.get(number)


def unpacking(to: Table) -> None:
    with to.store.atomically():
        first, *rest = to.get("a", (1, 2))
        if (last := rest[-1]) > first:
            to["a"] = (last, first)
    to.get(last)


def walking(to: Table) -> None:
    with to.store.atomically():
        names = [str(key) for key in to]
        for name in names:
            to[name] = 1
    to.get_many(names)


def after_another_manager(to: Table) -> None:
    with nullcontext() as nothing, to.store.atomically():
        value = to.get("a", nothing)
        to["b"] = value


def in_a_try_statement(to: Table) -> None:
    try:
        with to.store.atomically():
            value = to.get("a")
            to["a"] = 2
    finally:
        to.get("a")
    to.get(value)


def in_a_closure(to: Table) -> None:
    def store(value: int) -> None:
        with to.store.atomically():
            to["a"] = value

    store(5)


ORDINARY = [
    bound_in_the_body,
    bound_before,
    returning,
    looping,
    choosing,
    catching,
    unpacking,
    walking,
    after_another_manager,
    in_a_try_statement,
    in_a_closure,
]


def test_assertions_that_pytest_has_rewritten_do_not_make_a_block_serial(table: Table) -> None:
    """They have names of their own, which are bound on some paths only and read on no others."""
    with table.store.atomically() as block:
        table["a"] = "text"
        serial = block.serial
    assert table["a"] == "other" or "ex" in table["a"]
    assert not serial
    code = test_assertions_that_pytest_has_rewritten_do_not_make_a_block_serial.__code__
    assert any(name.startswith("@py_") for name in code.co_varnames)


@pytest.mark.parametrize("work", ORDINARY)
def test_an_ordinary_block_is_not_serial(work: Callable[[Table], object], table: Table) -> None:
    for _ in range(2):
        work(table)
    assert table.store.stats().attempts.total >= 2
    assert table.store.stats().serial == 0


def on_one_line(to: Table) -> None:
    # fmt: off
    with to.store.atomically() as block: to["a"] = block.serial_reason  # noqa: E701
    # fmt: on


def before_another_manager(to: Table) -> None:
    with to.store.atomically() as block, suppress(KeyError):
        to["a"] = block.serial_reason


def on_an_exit_stack(to: Table) -> None:
    with ExitStack() as stack:
        block = stack.enter_context(to.store.atomically())
        to["a"] = block.serial_reason


def in_a_manager_of_ones_own(to: Table) -> None:
    block = to.store.atomically()
    block.__enter__()
    to["a"] = block.serial_reason
    block.__exit__(None, None, None)


def to_a_target_that_can_raise(to: Table) -> None:
    kept: dict[str, stm.atomically] = {}
    with to.store.atomically() as kept["block"]:
        to["a"] = kept["block"].serial_reason


def with_a_local_that_is_unbound(to: Table) -> None:
    if to.get("never"):
        found = 1
    with to.store.atomically() as block:
        to["a"] = block.serial_reason
    with suppress(UnboundLocalError):
        to.get(found)


SERIAL = [
    with_a_local_that_is_unbound,
    on_one_line,
    before_another_manager,
    on_an_exit_stack,
    in_a_manager_of_ones_own,
    to_a_target_that_can_raise,
]


@pytest.mark.parametrize("work", SERIAL)
def test_what_cannot_be_run_again_is_serial_and_says_why(
    work: Callable[[Table], object], table: Table
) -> None:
    work(table)
    assert isinstance(table["a"], str)
    assert len(table["a"]) > 10
    assert table.store.stats().serial == 1


def test_only_readers_are_never_serial(store: stm.Store, table: Table) -> None:
    with store.snapshot() as block, suppress(KeyError):
        assert not block.serial
    with ExitStack() as stack:
        assert not stack.enter_context(store.snapshot()).serial
    assert store.stats().serial == 0


def test_others_wait_for_a_serial_block_and_readers_do_not(store: stm.Store, table: Table) -> None:
    def write() -> None:
        table["a"] = 1

    def write_in_time() -> None:
        with store.atomically(timeout=0.01):
            table["a"] = 5

    with holding(lambda: store.atomically(irrevocable=True), write):
        assert table == {}
        with store.snapshot():
            assert table == {}
        store.atomically(timeout=0.01)(lambda: table.get("a"))()
        with pytest.raises(stm.TransactionTimeout):
            write_in_time()
    assert table == {"a": 1}
    write_in_time()
    assert table == {"a": 5}


def test_an_irrevocable_block_runs_once(
    store: stm.Store, table: Table, lose: Callable[..., list[bool]]
) -> None:
    given = lose(True, True)
    with store.atomically(irrevocable=True) as block:
        table["a"] = block.attempt
    store.run(lambda: None)
    assert table == {"a": 1}
    assert given[:1] == [True]
    assert block.attempt == 1


def test_all_monitoring_tools_taken(in_process: Callable[..., str]) -> None:
    in_process("""
        import sys
        import stmpy as stm

        for tool in range(6):
            if sys.monitoring.get_tool(tool) is None:
                sys.monitoring.use_tool_id(tool, f"other {tool}")
        table = stm.TVar("table")
        for number in range(3):
            with stm.atomically() as block:
                table["n"] = number
                assert block.serial
        assert table == {"n": 2}
        assert stm.stats().serial == 3

        def suspended():
            with stm.atomically():
                yield

        try:
            next(suspended())
        except stm.NestedMisuse as error:
            assert "yield" in str(error)
        else:
            raise AssertionError("a block was suspended")
        assert not stm.in_transaction()
        assert stm.run(lambda: 5) == 5
    """)


def test_events_taken_away_are_no_silent_loss(in_process: Callable[..., str]) -> None:
    """Who clears our events takes away that at which blocks commit; they commit on leaving."""
    in_process("""
        import sys
        import stmpy as stm
        from stmpy.testing import conflicts

        table = stm.TVar("table", {"n": 0})

        def add():
            with stm.atomically():
                table["n"] += 1

        add()
        mine, = [id for id in range(6) if "stmpy" in str(sys.monitoring.get_tool(id))]
        sys.monitoring.set_local_events(mine, add.__code__, 0)
        add()
        assert table == {"n": 2}
        try:
            with conflicts([False, False, True]):
                add()
        except stm.Conflict as error:
            assert "sys.monitoring" in str(error)
        else:
            raise AssertionError("a block that lost has passed")
        assert table == {"n": 2}
    """)
