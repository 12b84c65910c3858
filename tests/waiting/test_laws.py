"""The laws of `add` and `commute`: with another block in its middle, a block is as if after it.

Random blocks, nested levels that are undone and losing alternatives included, against a model on
a plain dict under one lock.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import stmpy as stm
from tests.unit.background import in_another_thread

type Table = stm.TVar[str, int]
type State = dict[str, int]
# ("add", key, n) | ("apply", key, factor) | ("put", key, n) | ("delete", key) | ("copy", key, key)
# | ("undone", steps) | ("losing", steps) | ("kept", steps)
type Step = tuple[Any, ...]

KEYS = st.sampled_from("abc")
NUMBERS = st.integers(-3, 3)
BLIND: st.SearchStrategy[Step] = st.one_of(
    st.tuples(st.just("add"), KEYS, NUMBERS),
    st.tuples(st.just("apply"), KEYS, NUMBERS),
)
ANY: st.SearchStrategy[Step] = st.one_of(
    BLIND,
    BLIND,
    st.tuples(st.just("put"), KEYS, NUMBERS),
    st.tuples(st.just("delete"), KEYS),
    st.tuples(st.just("copy"), KEYS, KEYS),
)


def programs(steps: st.SearchStrategy[Step]) -> st.SearchStrategy[list[Step]]:
    levels = st.sampled_from(["undone", "losing", "kept"])
    return st.lists(
        st.recursive(
            steps,
            lambda inner: st.tuples(levels, st.lists(inner, min_size=1, max_size=3)),
            max_leaves=5,
        ),
        min_size=1,
        max_size=5,
    )


def function(factor: int) -> Any:
    return lambda value: factor * (value or 0) + 1


def model(steps: list[Step], state: State) -> State:
    """What the steps make of a state when nobody else is there."""
    state = dict(state)
    for step in steps:
        match step:
            case ("add", key, n):
                state[key] = state.get(key, 0) + n
            case ("apply", key, factor):
                state[key] = function(factor)(state.get(key))
            case ("put", key, n):
                state[key] = n
            case ("delete", key):
                state.pop(key, None)
            case ("copy", key, to):
                state[to] = state.get(key, 0)
            case ("kept", inner):
                state = model(inner, state)
    return state


class Undo(Exception):
    pass


def run(steps: list[Step], table: Table) -> None:
    """The same in an open block."""
    for step in steps:
        match step:
            case ("add", key, n):
                table.add(key, n)
            case ("apply", key, factor):
                table.commute(key, function(factor))
            case ("put", key, n):
                table[key] = n
            case ("delete", key):
                table.pop(key, None)
            case ("copy", key, to):
                table[to] = table.get(key, 0)
            case ("kept", inner):
                table.store.run(run, inner, table)
            case ("undone", inner):
                with pytest.raises(Undo):
                    table.store.run(run_and_raise, inner, table)
            case ("losing", inner):
                stm.or_else(partial(run_and_retry, inner, table), lambda: None)


def run_and_raise(steps: list[Step], table: Table) -> None:
    run(steps, table)
    raise Undo


def run_and_retry(steps: list[Step], table: Table) -> None:
    run(steps, table)
    stm.retry()


@pytest.fixture(scope="module")
def shared() -> Iterator[stm.Store]:
    with stm.open(max_bytes=32 << 20) as store:
        yield store


def with_another(
    store: stm.Store, start: State, steps: list[Step], at: int, other: list[Step], isolation: str
) -> tuple[int, State]:
    """Runs the steps in a block, and `other` in another before step `at`.

    Returns the attempts, and what is there at the end.
    """
    # New each time: where keys were deleted before, a block may run again for no other reason.
    table: Table = store.TVar(None, {**start, "writes": 0})
    attempts = 0

    def body() -> None:
        nonlocal attempts
        attempts += 1
        table.add("writes", 1)  # one that writes nothing may come before the other
        for number, step in enumerate(steps):
            if number == at and attempts == 1:
                in_another_thread(lambda: table.store.run(run, other, table))
            run([step], table)
        if at >= len(steps) and attempts == 1:
            in_another_thread(lambda: table.store.run(run, other, table))

    options: Any = {"isolation": isolation}
    table.store.atomically(**options)(body)()
    assert len(table) == len(list(table))
    assert store.run(table.pop, "writes") == 1
    return attempts, dict(table)


STATES = st.dictionaries(KEYS, NUMBERS)


def test_the_check_can_fail(shared: stm.Store) -> None:
    steps, other = [("copy", "a", "b")], [("put", "a", 1)]
    expected = model(steps, model(other, {}))
    assert with_another(shared, {}, steps, 1, other, "snapshot")[1] != expected
    assert with_another(shared, {}, steps, 1, other, "serializable")[1] == expected


@given(STATES, programs(ANY), st.integers(0, 5), programs(ANY))
def test_a_block_is_as_if_after_the_other(
    shared: stm.Store, start: State, steps: list[Step], at: int, other: list[Step]
) -> None:
    _, end = with_another(shared, start, steps, at, other, "serializable")
    assert end == model(steps, model(other, start))


@given(STATES, programs(BLIND), st.integers(0, 5), programs(BLIND), st.booleans())
def test_what_reads_nothing_never_runs_again(
    shared: stm.Store, start: State, steps: list[Step], at: int, other: list[Step], weak: bool
) -> None:
    isolation = "snapshot" if weak else "serializable"
    attempts, end = with_another(shared, start, steps, at, other, isolation)
    after = model(steps, model(other, start))
    if weak and mixes(steps):
        # A function that follows an undone `add` reads. Under snapshot isolation a key that is
        # written as it was read may come before the other block, while the others come after it.
        before = model(other, model(steps, start))
        after = {key: before[key] if end[key] == before[key] else after[key] for key in end}
    assert end == after
    if not mixes(steps):
        assert attempts == 1


def kinds(steps: list[Step], key: str) -> set[str]:
    """How the steps change the key, those that are undone included."""
    found: set[str] = set()
    for step in steps:
        if step[0] in ("add", "apply"):
            found |= {step[0]} if step[1] == key else set()
        else:
            found |= kinds(step[1], key)
    return found


def mixes(steps: list[Step]) -> bool:
    """Whether a key is both added to and commuted, which makes it an ordinary read and write."""
    return any(len(kinds(steps, key)) > 1 for key in "abc")


@given(STATES, st.lists(st.tuples(st.just("add"), KEYS, NUMBERS)), st.randoms())
def test_additions_commute(shared: stm.Store, start: State, adds: list[Step], rng: Any) -> None:
    def outcome(order: list[Step]) -> State:
        table: Table = shared.TVar(None, start)
        for add in order:
            shared.run(run, [add], table)
        return dict(table)

    shuffled = rng.sample(adds, len(adds))
    together: list[Step] = [("kept", adds)] if adds else []
    assert outcome(adds) == outcome(shuffled) == outcome(together) == model(adds, start)
