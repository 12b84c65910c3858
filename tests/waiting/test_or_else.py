"""The laws of `or_else`, over random programs and against a model on a plain dict."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import stmpy as stm
from tests.waiting.conftest import Start

type Table = stm.TVar[Any, Any]
type State = dict[str, Any]
# ("put", key, n) | ("append", key, n) | ("delete", key) | ("wait", key, n) | ("retry",)
# | ("fail",) | ("seq", programs) | ("try", program) | ("else", programs)
type Program = tuple[Any, ...]

KEYS = st.sampled_from("abc")
LISTS = st.sampled_from("xy")
NUMBERS = st.integers(0, 2)
LEAVES: st.SearchStrategy[Program] = st.one_of(
    st.tuples(st.just("put"), KEYS, NUMBERS),
    st.tuples(st.just("append"), LISTS, NUMBERS),
    st.tuples(st.just("delete"), KEYS),
    st.tuples(st.just("wait"), KEYS, NUMBERS),
    st.just(("retry",)),
    st.just(("fail",)),
)
PROGRAMS: st.SearchStrategy[Program] = st.recursive(
    LEAVES,
    lambda programs: st.one_of(
        st.tuples(st.just("seq"), st.lists(programs, max_size=4)),
        st.tuples(st.just("try"), programs),
        st.tuples(st.just("else"), st.lists(programs, min_size=1, max_size=3)),
    ),
    max_leaves=12,
)
START: State = {"a": 0, "b": 1, "x": [], "y": [7]}


class Failed(Exception):
    pass


class Waits(Exception):
    pass


def model(program: Program, state: State) -> State:
    """What the program makes of a state; raises Waits or Failed."""
    match program:
        case ("put", key, n):
            return {**state, key: n}
        case ("append", key, n):
            return {**state, key: [*state[key], n]}
        case ("delete", key):
            return {k: v for k, v in state.items() if k != key}
        case ("wait", key, n):
            if state.get(key) != n:
                raise Waits
            return state
        case ("retry",):
            raise Waits
        case ("fail",):
            raise Failed
        case ("seq", programs):
            for part in programs:
                state = model(part, state)
            return state
        case ("try", part):
            try:
                return model(part, state)
            except Failed:
                return state
        case ("else", programs):
            for part in programs:
                try:
                    return model(part, state)
                except Waits:
                    pass
            raise Waits
    raise AssertionError(program)


def run(program: Program, table: Table) -> None:
    """The same in an open block."""
    match program:
        case ("put", key, n):
            table[key] = n
        case ("append", key, n):
            table[key].append(n)
        case ("delete", key):
            table.pop(key, None)
        case ("wait", key, n):
            stm.check(table.get(key) == n)
        case ("retry",):
            stm.retry()
        case ("fail",):
            raise Failed
        case ("seq", programs):
            for part in programs:
                run(part, table)
        case ("try", part):
            try:
                with table.store.atomically():
                    run(part, table)
            except Failed:
                pass
        case ("else", programs):
            stm.or_else(*(lambda part=part: run(part, table) for part in programs))


def outcome_in_model(program: Program) -> tuple[str, State]:
    try:
        return "done", model(program, START)
    except Waits:
        return "waits", START
    except Failed:
        return "failed", START


@pytest.fixture(scope="module")
def shared() -> Iterator[Table]:
    with stm.open(max_bytes=32 << 20) as store:
        yield store.TVar("programs")


def outcome(program: Program, table: Table) -> tuple[str, State]:
    def reset() -> None:
        for key in table.keys() - START.keys():
            del table[key]
        table.update(START)

    def run_whole() -> str:
        run(program, table)
        return "done"

    def body() -> str:
        return stm.or_else(run_whole, lambda: "waits")

    table.store.run(reset)
    try:
        return table.store.run(body), dict(table)
    except Failed:
        return "failed", dict(table)


@given(PROGRAMS)
def test_programs_do_what_the_model_does(shared: Table, program: Program) -> None:
    assert outcome(program, shared) == outcome_in_model(program)


@given(PROGRAMS)
def test_retry_is_neutral(shared: Table, program: Program) -> None:
    alone = outcome(program, shared)
    assert outcome(("else", [("retry",), program]), shared) == alone
    assert outcome(("else", [program, ("retry",)]), shared) == alone


@given(PROGRAMS, PROGRAMS, PROGRAMS)
def test_associative(shared: Table, a: Program, b: Program, c: Program) -> None:
    together = outcome(("else", [a, b, c]), shared)
    assert outcome(("else", [("else", [a, b]), c]), shared) == together
    assert outcome(("else", [a, ("else", [b, c])]), shared) == together


@given(PROGRAMS, PROGRAMS)
def test_the_losing_branch_leaves_nothing(shared: Table, a: Program, b: Program) -> None:
    losing = ("seq", [a, ("retry",)])
    if outcome(losing, shared)[0] == "waits":
        assert outcome(("else", [losing, b]), shared) == outcome(b, shared)


@pytest.mark.parametrize("key", ["first", "second", "before"])
@pytest.mark.parametrize("nested", [False, True])
def test_waits_for_what_any_branch_has_read(
    table: Table, start: Start, key: str, nested: bool
) -> None:
    looked = threading.Event()

    def take(name: str) -> Callable[[], str]:
        def body() -> str:
            table["losing"] = name
            stm.check(name in table)
            return name

        return body

    def first_or_second() -> str:
        return stm.or_else(take("first"), take("second"))

    def choose() -> str:
        with table.store.atomically():
            if "before" in table:
                return "before"
            looked.set()
            return stm.or_else(stm.retry, first_or_second) if nested else first_or_second()

    waiting = start(choose)
    assert looked.wait(60)
    with table.store.atomically():
        table[key] = True
    assert waiting.result(60) == key


def test_an_exception_is_no_retry(store: stm.Store, table: Table) -> None:
    tried = []

    def fail() -> None:
        table["written"] = 1
        raise LookupError

    def body() -> None:
        with pytest.raises(LookupError):
            stm.or_else(fail, lambda: tried.append(2))
        table["kept"] = 1

    store.run(body)
    assert not tried
    assert table == {"kept": 1}


def test_swallowed_retry_does_not_win(store: stm.Store, table: Table) -> None:
    def swallow() -> str:
        table["garbage"] = 1
        try:
            stm.retry()
        except BaseException:
            return "garbage"

    assert store.run(stm.or_else, swallow, lambda: "second") == "second"
    assert table == {}


def test_values_in_the_hands_of_the_block_are_put_back(store: stm.Store, table: Table) -> None:
    with store.atomically():
        table["list"], table["dict"], table["set"] = [1], {"a": 1}, {1}

    def spoil() -> None:
        table["list"].append(2)
        table["dict"].clear()
        table["set"].add(2)
        table["new"] = [1]
        stm.retry()

    def body() -> None:
        mine = table["list"], table["dict"], table["set"]
        mine[0].append(9)
        stm.or_else(spoil, lambda: None)
        assert mine == ([1, 9], {"a": 1}, {1})
        mine[1]["b"] = 2

    store.run(body)
    assert table == {"list": [1, 9], "dict": {"a": 1, "b": 2}, "set": {1}}


def test_outside_a_block_it_is_one() -> None:
    table: Table = stm.TVar()

    def write_and_retry() -> None:
        table["a"] = 1
        stm.retry()

    assert stm.or_else(write_and_retry, lambda: table.setdefault("b", 2)) == 2
    assert table == {"b": 2}
    assert not stm.in_transaction()


def test_it_needs_functions() -> None:
    with pytest.raises(TypeError, match="at least one"):
        stm.or_else()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="takes functions, not 1"):
        stm.or_else(1)  # type: ignore[arg-type]
    assert not stm.in_transaction()


@pytest.mark.parametrize("options", [{"irrevocable": True}, {"read_only": True}])
def test_a_block_that_cannot_wait_can_choose(
    store: stm.Store, table: Table, options: dict[str, bool]
) -> None:
    def body() -> str:
        chosen: str = stm.or_else(lambda: table.get("x") or stm.retry(), lambda: "second")
        with pytest.raises(stm.NestedMisuse, match="can't run again"):
            stm.or_else(stm.retry, stm.retry)
        return chosen

    assert store.atomically(**options)(body)() == "second"  # type: ignore[call-overload]
