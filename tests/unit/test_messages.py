"""What errors say to those who took one thing for another: what happened, and what to write."""

from collections.abc import Callable
from typing import Any

import pytest

import stmpy as stm
from tests.unit.background import holding

OBJECTS: Any = stm  # what the types would refuse is tried here


def refuse(error: type[Exception], call: Callable[[], object], *parts: str) -> None:
    with pytest.raises(error) as caught:
        call()
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "taken"),
    [
        ("TVar", {"a": 1}),
        ("TRef", 0),
        ("TQueue", 5),
        ("TPriorityQueue", 5),
        ("TSemaphore", 3),
        ("TLatch", 3),
        ("TBarrier", 2),
        ("TSet", [1, 2]),
        ("TCounter", 7),
        ("TChannel", b"x"),
        ("TEvent", True),
    ],
)
def test_a_value_in_the_place_of_the_name(kind: str, taken: object) -> None:
    """`threading.Semaphore(3)` has its number first; here it would be a name."""
    make = getattr(OBJECTS, kind)
    refuse(TypeError, lambda: make(taken), f"{kind}({taken!r})", "the first argument is the name")


@pytest.mark.parametrize("initial", [[1, 2], 5, "text", [("a", 1, 2)], [None]])
def test_contents_that_are_no_mapping(initial: Any, store: stm.Store) -> None:
    refuse(TypeError, lambda: store.TVar("t", initial), "TVar('t', ", "mapping", "TRef")
    assert store.TVar("t") == {}


def test_contents_from_an_iterator_survive_a_conflict(
    store: stm.Store, lose: Callable[..., list[bool]]
) -> None:
    """They are put in by a block, which may run again when the iterator is at its end."""
    given = lose(*[False] * 4, True)
    table = store.TVar("t", ((number, number) for number in range(3)))
    assert table == {0: 0, 1: 1, 2: 2}
    assert True in given


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda: OBJECTS.TQueue(None, "5"), "maxsize is a number"),
        (lambda: OBJECTS.TQueue(None, 2.5), "maxsize is a number"),
        (lambda: OBJECTS.TSemaphore(None, "1"), "value is a number of permits"),
        (lambda: OBJECTS.TLatch(None, None), "count is a number"),
        (lambda: OBJECTS.TBarrier(None, "2"), "parties is a number"),
        (lambda: OBJECTS.open(max_bytes="1"), "max_bytes is a whole number of bytes"),
        (lambda: OBJECTS.open(max_bytes=1e9), "max_bytes is a whole number of bytes"),
        (lambda: OBJECTS.open(history_bytes=1e9), "history_bytes is a whole number of bytes"),
        (lambda: OBJECTS.open(name=5), "the name of a store is a str"),
        (lambda: OBJECTS.stats("x"), "takes a Store, as stmpy.open returns it"),
        (lambda: OBJECTS.run(5), "takes a function to call, not 5"),
        (lambda: OBJECTS.or_else(5), "takes functions, not 5"),
        (lambda: OBJECTS.or_else(min, 5), "takes functions, not 5"),
        (lambda: OBJECTS.or_else(min, timeout=1), "not timeout=; options such as a timeout"),
        (lambda: OBJECTS.or_else(), "at least one function"),
    ],
)
def test_wrong_types(make: Callable[[], object], what: str) -> None:
    refuse(TypeError, make, what)


# ---- timeouts ------------------------------------------------------------------------------------


def test_a_timeout_says_what_the_block_waited_for(store: stm.Store) -> None:
    table = store.TVar("jobs", {"a": 0, "b": 0})

    @store.atomically(timeout=0.01)
    def wait_for(*keys: Any) -> None:
        stm.check(all(table.get_many(keys).values()))

    refuse(
        stm.TransactionTimeout,
        lambda: wait_for("a"),
        "its timeout of 0.01 s passed in attempt 1, waiting for a change of jobs['a'];",
    )
    refuse(stm.TransactionTimeout, lambda: wait_for("a", "b", "c"), "jobs['a'] or of 2 more;")
    refuse(stm.TransactionTimeout, lambda: wait_for("x" * 100), "waiting for a change of jobs[...]")
    best = store.TRef("best")
    late = store.atomically(timeout=0.01)(lambda: stm.check(best.value))
    refuse(stm.TransactionTimeout, late, "waiting for a change of best;")
    nothing = store.atomically(timeout=0.01)(stm.retry)
    refuse(stm.TransactionTimeout, nothing, "waiting for nothing that it has read;")


def test_a_timeout_of_a_nested_block(store: stm.Store) -> None:
    table = store.TVar("t")

    def outer() -> None:
        with store.atomically(timeout=0.01):
            stm.check("k" in table)

    refuse(
        stm.TransactionTimeout, lambda: store.run(outer), "the timeout of a block nested in it"
    )


def test_a_timeout_at_the_lock(store: stm.Store) -> None:
    table = store.TVar("t")

    @store.atomically(timeout=0.01)
    def write() -> None:
        table["k"] = 1

    serial = store.atomically(timeout=0.01, irrevocable=True)(lambda: None)
    with holding(lambda: store.atomically(irrevocable=True)):
        refuse(stm.TransactionTimeout, write, "in attempt 1, waiting for the commit lock")
        refuse(stm.TransactionTimeout, serial, "before its first attempt, waiting for the commit")


def test_a_timeout_after_conflicts(store: stm.Store, lose: Callable[..., list[bool]]) -> None:
    table = store.TVar("t")
    lose(*[True] * 3)

    @store.atomically(timeout=0.01)
    def body() -> None:
        stm.check("k" in table)

    refuse(stm.TransactionTimeout, body, "in attempt 4, after 3 that other blocks won, waiting")
