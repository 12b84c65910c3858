"""The options of a block: what each does, and what wrong values get, where they are given."""

import functools
import math
from collections.abc import Callable
from typing import Any

import pytest

import stmpy as stm
from tests.unit.background import holding, in_another_thread

type Table = stm.TVar[Any, Any]
type Lose = Callable[..., list[bool]]

WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"isolation": "serialisable"}, ValueError, "'serializable' or 'snapshot'"),
    ({"isolation": ""}, ValueError, "isolation"),
    ({"isolation": None}, ValueError, "isolation"),
    ({"isolation": 1}, ValueError, "isolation"),
    ({"timeout": -1}, ValueError, "timeout"),
    ({"timeout": -0.001}, ValueError, "timeout"),
    ({"timeout": math.nan}, ValueError, "timeout"),
    ({"timeout": -math.inf}, ValueError, "timeout"),
    ({"timeout": "5"}, TypeError, ""),
    ({"timeout": [5]}, TypeError, ""),
    ({"max_attempts": 0}, ValueError, "max_attempts"),
    ({"max_attempts": -1}, ValueError, "max_attempts"),
    ({"max_attempts": 2**31}, ValueError, "max_attempts"),
    ({"max_attempts": 10**30}, ValueError, "max_attempts"),
    ({"max_attempts": -(10**30)}, ValueError, "max_attempts"),
    ({"max_attempts": 2.5}, TypeError, ""),
    ({"max_attempts": "2"}, TypeError, ""),
    ({"label": 5}, TypeError, "label"),
    ({"label": b"x"}, TypeError, "label"),
    ({"store": "mine"}, TypeError, "store"),
    ({"store": 1}, TypeError, "store"),
    ({"irrevocable": True, "read_only": True}, ValueError, "exclude"),
    ({"retries": 3}, TypeError, "got an unexpected keyword argument 'retries'"),
    ({"Timeout": 3}, TypeError, "got an unexpected keyword argument 'Timeout'"),
    ({"timeout ": 3}, TypeError, "got an unexpected keyword argument 'timeout '"),
    ({"\0": 3}, TypeError, "got an unexpected keyword argument"),
    ({"\ud800": 3}, TypeError, "got an unexpected keyword argument"),
]


@pytest.mark.parametrize(("options", "error", "text"), WRONG)
def test_wrong_values(
    options: dict[str, Any], error: type[Exception], text: str, store: stm.Store
) -> None:
    for make in (stm.atomically, functools.partial(stm.atomically.__new__, stm.atomically)):
        with pytest.raises(error, match=text or None):
            make(**options)
        with pytest.raises(error, match=text or None):
            make(lambda: None, **options)
    if "store" not in options:
        with pytest.raises(error, match=text or None):
            store.atomically(**options)


def test_wrong_flags() -> None:
    class Neither:
        def __bool__(self) -> bool:
            raise ZeroDivisionError

    for flag in ("read_only", "irrevocable"):
        make: Any = functools.partial(stm.atomically, **{flag: Neither()})
        with pytest.raises(ZeroDivisionError):
            make()


def test_wrong_arguments(store: stm.Store) -> None:
    for make in (stm.atomically, store.atomically):
        wrong: Any = make
        for arguments in ((5,), (None,), ("text",), (store,), (True,)):
            with pytest.raises(TypeError, match="decorates a function, not"):
                wrong(*arguments)
        with pytest.raises(TypeError, match=r"at most 1 positional argument \(2 given\)"):
            wrong(len, len)
    with pytest.raises(TypeError, match="got multiple values for keyword argument 'store'"):
        store.atomically(store=store)  # type: ignore[call-overload]


RIGHT: list[dict[str, Any]] = [
    {},
    {"read_only": False, "irrevocable": False},
    {"isolation": "serializable"},
    {"isolation": "snapshot"},
    {"timeout": None, "max_attempts": None, "label": None},
    {"timeout": 5},
    {"timeout": 0.5},
    {"timeout": math.inf},
    {"timeout": 1e300},
    {"max_attempts": 1},
    {"max_attempts": 2**31 - 1},
    {"label": ""},
    {"label": "Umlaute: äöü \U0001f600"},
    {"irrevocable": True, "timeout": 60, "max_attempts": 1, "label": "all"},
    {"isolation": "snapshot", "irrevocable": True},
]


@pytest.mark.parametrize("options", RIGHT, ids=str)
def test_right_values(options: dict[str, Any], store: stm.Store, table: Table) -> None:
    with store.atomically(**options) as block:
        table["with"] = 1
    assert block.label == options.get("label")
    assert block.version == store.stats().version

    @store.atomically(**options)
    def decorated() -> None:
        table["function"] = 1

    decorated()
    store.atomically(decorated, **options)()
    assert table == {"with": 1, "function": 1}


def test_the_label_is_that_of_the_block(store: stm.Store) -> None:
    text = "transfer"
    with store.atomically(label=text) as outer:
        with store.atomically() as inner:
            assert inner.label is None
        assert outer.label is text


# ---- timeout -------------------------------------------------------------------------------------


def add(to: Table, **options: Any) -> stm.atomically:
    with to.store.atomically(**options) as block:
        to["n"] = to.get("n", 0) + 1
    return block


def call(to: Table, **options: Any) -> None:
    to.store.atomically(lambda: to.update(n=to.get("n", 0) + 1), **options)()


FORMS = [add, call]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("timeout", [0, 0.0, 1e-9, 0.02])
@pytest.mark.parametrize("irrevocable", [False, True])
def test_the_timeout_ends_the_wait_for_another(
    timeout: float, irrevocable: bool, form: Callable[..., object], table: Table
) -> None:
    with holding(lambda: table.store.atomically(irrevocable=True)):
        with pytest.raises(stm.TransactionTimeout, match="timeout") as caught:
            form(table, timeout=timeout, irrevocable=irrevocable)
        assert isinstance(caught.value, TimeoutError)
        assert not stm.in_transaction()
    assert table == {}
    form(table, timeout=60)
    assert table == {"n": 1}


@pytest.mark.parametrize("form", FORMS)
def test_the_timeout_is_one_deadline_over_all_attempts(
    form: Callable[..., object], table: Table, lose: Lose
) -> None:
    """Were it one for each attempt, the block would get through after ten losses."""
    given = lose(*[True] * 1000)
    with pytest.raises(stm.TransactionTimeout, match=r"in attempt \d"):
        form(table, timeout=0)
    assert given == [True]
    assert table == {}


def test_a_timeout_that_does_not_pass_changes_nothing(table: Table, lose: Lose) -> None:
    lose(True, True, True)
    assert add(table, timeout=60).attempt == 4
    assert table == {"n": 1}


def test_a_block_that_finishes_late_has_not_timed_out(table: Table) -> None:
    """The timeout bounds waits and new attempts; work that is done is not thrown away."""
    assert add(table, timeout=0).attempt == 1
    call(table, timeout=0)
    assert table == {"n": 2}


# ---- max_attempts --------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("most", [1, 2, 5])
def test_max_attempts(most: int, form: Callable[..., object], table: Table, lose: Lose) -> None:
    given = lose(*[True] * 1000)
    with pytest.raises(stm.Conflict, match=rf"all of its {most} attempts"):
        form(table, max_attempts=most)
    assert given == [True] * most
    assert table == {}
    assert not stm.in_transaction()
    lose(*[True] * (most - 1))
    form(table, max_attempts=most)
    assert table == {"n": 1}


def test_more_attempts_than_it_takes_to_become_serial(table: Table, lose: Lose) -> None:
    lose(*[True] * 1000)
    assert add(table, max_attempts=100).attempt == 11


# ---- the others ----------------------------------------------------------------------------------


def test_read_only_blocks_see_one_snapshot_and_never_run_again(table: Table, lose: Lose) -> None:
    given = lose(True, True)
    add(table, irrevocable=True)
    with table.store.atomically(read_only=True) as block:
        in_another_thread(lambda: add(table, irrevocable=True))
        assert table["n"] == 1
    assert (block.attempt, block.version, block.serial) == (1, None, False)
    assert table["n"] == 2
    assert given == []


def skew(to: Table, key: str, other: str, isolation: Any) -> stm.atomically:
    """Reads both keys and writes one, while another thread writes the other one."""
    with to.store.atomically(isolation=isolation) as block:
        total = to[key] + to[other]
        if block.attempt == 1:
            in_another_thread(lambda: to.store.run(lambda: to.update({other: 0})))
        to[key] -= total
    return block


@pytest.mark.parametrize(("isolation", "attempts"), [("serializable", 2), ("snapshot", 1)])
def test_isolation(isolation: str, attempts: int, store: stm.Store) -> None:
    table = store.TVar("skewed", {"a": 50, "b": 50})
    assert skew(table, "a", "b", isolation).attempt == attempts
    assert table == {"a": 0 if attempts == 2 else -50, "b": 0}


def test_snapshot_isolation_keeps_the_first_of_two_writers(store: stm.Store) -> None:
    table = store.TVar("table", {"a": 0})

    def update() -> stm.atomically:
        with store.atomically(isolation="snapshot") as block:
            before = table["a"]
            if block.attempt == 1:
                in_another_thread(lambda: store.run(lambda: table.update(a=10)))
            table["a"] = before + 1
        return block

    assert update().attempt == 2
    assert table == {"a": 11}


def test_options_can_be_used_again(table: Table) -> None:
    """An object with options is no block: blocks made from it one after the other are new."""
    options = table.store.atomically(label="again")
    for number in range(3):
        with options as block:
            table["n"] = number
            assert block is options
            assert block.attempt == 1
    with options, options:
        table["n"] = 5
    assert table == {"n": 5}
    assert options(lambda: table["n"])() == 5
    in_another_thread(options(lambda: table.update(n=6)))
    assert table == {"n": 6}


def test_numbers_of_commits(table: Table) -> None:
    first = add(table)
    with table.store.atomically() as reader:
        assert reader.version is None
        table["n"]
    assert reader.snapshot == first.version
    assert reader.version is None
    second = add(table)
    assert isinstance(first.version, int)
    assert second.version == first.version + 1
    with pytest.raises(KeyError), table.store.atomically() as failed:
        table["absent"]
    assert failed.version is None
