"""Behaviours that GHC's and ScalaSTM's test suites pin down, each written anew under its property.

After haskell/stm (stm046, stm061, stm064, stm065, T2411, T15136, T16707) and ScalaSTM's
TokenRingSuite, ContentionSuite and RetrySuite; what else these suites show is in the tests beside
this one and in `tests/unit/`.
"""

import random
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

import pytest

import stmpy as stm
from tests.waiting.conftest import Start

type Table = stm.TVar[Any, Any]


def test_a_handler_may_write_what_the_undone_level_wrote(store: stm.Store, table: Table) -> None:
    def fail() -> None:
        table["a"] = "about to fail"
        raise LookupError

    with store.atomically():
        table["a"] = "before"
        try:
            store.run(fail)
        except LookupError:
            assert table["a"] == "before"
            table["a"] = "handled"
    assert table["a"] == "handled"


def test_an_exception_that_is_raised_again_undoes_all(store: stm.Store, table: Table) -> None:
    def fail() -> None:
        table["inner"] = 1
        raise LookupError

    def outer() -> None:
        table["outer"] = 1
        try:
            store.run(fail)
        except LookupError:
            table["handler"] = 1
            raise

    with pytest.raises(LookupError):
        store.run(outer)
    assert not table


def test_retry_passes_through_a_handler(store: stm.Store, table: Table) -> None:
    def wait() -> str:
        table["a"] = 1
        try:
            with store.atomically():
                stm.check(False)
        except Exception:
            return "caught"
        return "went on"

    assert store.run(stm.or_else, wait, lambda: "waited") == "waited"
    assert not table


def test_an_alternative_sees_what_was_written_before_it(store: stm.Store, table: Table) -> None:
    def look_and_wait() -> None:
        assert table["a"] == 2
        stm.retry()

    def choose() -> None:
        stm.or_else(look_and_wait, lambda: None)

    with store.atomically():
        table["a"] = 1
        table["a"] = 2
        stm.or_else(choose, lambda: None)
        assert table["a"] == 2
    assert table["a"] == 2


def test_the_winning_alternative_overwrites(store: stm.Store, table: Table) -> None:
    with store.atomically():
        table["a"] = [2]
        stm.or_else(lambda: table.update(a=[]), lambda: None)
        assert table["a"] == []
    assert table["a"] == []


def test_an_alternative_may_write_what_others_write(
    store: stm.Store, table: Table, start: Start
) -> None:
    """The value read before an alternative is validated with it, and the block ends."""

    def flip() -> None:
        with store.atomically():
            table["flag"] = True

    def choose() -> None:
        with store.atomically(timeout=60):
            table.get("flag")
            stm.or_else(lambda: table.update(flag=True), lambda: None)

    for _ in range(50):
        store.run(table.pop, "flag", None)
        both = [start(flip), start(choose)]
        for one in both:
            one.result(60)
        assert table["flag"] is True


def test_exceptions_of_many_threads_stay_in_theirs(
    store: stm.Store, table: Table, start: Start
) -> None:
    def fail(number: int) -> None:
        table["a"] = number
        if number % 5 == 0:
            raise LookupError(number)

    def work(number: int) -> str:
        def body() -> str:
            try:
                store.run(fail, number)
            except LookupError as error:
                return f"failed {error}"
            return f"wrote {number}"

        return str(store.run(body))

    workers = {number: start(work, number) for number in range(1, 101)}
    for number, worker in workers.items():
        expected = f"failed {number}" if number % 5 == 0 else f"wrote {number}"
        assert worker.result(60) == expected
    assert table["a"] % 5


def test_woken_and_given_up_at_the_same_moment(
    store: stm.Store, table: Table, start: Start, rng: random.Random
) -> None:
    """Deadlines pass while others wake the waiters: each ends, in one way or the other."""

    def wait(number: int, timeout: float) -> str:
        try:
            with store.atomically(timeout=timeout):
                stm.check(table.get(number))
        except stm.TransactionTimeout:
            return "late"
        return "woken"

    for round in range(5):
        waiters: list[Future[str]] = [
            start(wait, (round, number), rng.uniform(0.001, 0.02)) for number in range(20)
        ]
        for number in range(20):
            with store.atomically():
                table[round, number] = True
        assert {waiter.result(60) for waiter in waiters} <= {"woken", "late"}


@pytest.mark.parametrize("size", [2, 5])
def test_a_token_goes_round(store: stm.Store, start: Start, size: int) -> None:
    places: stm.TVar[int, int] = store.TVar("ring", {0: 0})
    rounds = 40

    def take(me: int) -> int:
        stm.check(me in places)
        return places.pop(me)

    def work(me: int) -> None:
        for _ in range(rounds):
            with store.atomically(timeout=60):
                token = take(me)
                places[(me + 1) % size] = token + 1

    for worker in [start(work, me) for me in range(size)]:
        worker.result(60)
    assert places == {0: rounds * size}


def test_swapped_cells_keep_their_contents(
    store: stm.Store, table: Table, start: Start, rng: random.Random
) -> None:
    with store.atomically():
        table.update({n: n for n in range(10)})

    def swap(pairs: list[tuple[int, int]]) -> None:
        for a, b in pairs:
            with store.atomically():
                table[a], table[b] = table[b], table[a]

    def look() -> None:
        for _ in range(60):
            with store.atomically():
                assert sorted(table[n] for n in range(10)) == list(range(10))

    work: list[Callable[[], object]] = [look, look]
    for _ in range(4):
        pairs = [(rng.randrange(10), rng.randrange(10)) for _ in range(60)]
        work.append(partial(swap, pairs))
    for worker in [start(function) for function in work]:
        worker.result(60)
    assert sorted(table.values()) == list(range(10))
