"""`retry(until=...)`: a wait that a change ends, or the time, whichever comes first.

Nothing here depends on how long anything takes: times lie in the past, or further off than any
test runs.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import stmpy as stm
from stmpy.testing import explore

LONG = 3600.0


def waits(table: stm.TVar[Any, Any], until: float) -> Callable[[], str]:
    def body() -> str:
        if table.get("k"):
            return "changed"
        if time.monotonic() < until:
            stm.retry(until=until)
        return "late"

    return body


def test_the_time_ends_it(store: stm.Store) -> None:
    until = time.monotonic() + 0.02
    assert store.run(waits(store.TVar("t"), until)) == "late"
    assert time.monotonic() >= until


def test_a_change_ends_it(store: stm.Store) -> None:
    table = store.TVar("t")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(store.run, waits(table, time.monotonic() + LONG))
        store.run(table.update, k=1)
        assert waiting.result(60) == "changed"


@pytest.mark.parametrize("until", [0, -5.0, 1e-9, float("-inf")])
def test_a_time_that_has_passed(until: float, store: stm.Store) -> None:
    attempts = 0

    def body() -> int:
        nonlocal attempts
        attempts += 1
        if attempts < 3:
            stm.retry(until=until)
        return attempts

    assert store.run(body) == 3


def test_the_timeout_of_the_block_comes_first(store: stm.Store) -> None:
    @store.atomically(timeout=0.01)
    def body() -> None:
        stm.retry(until=time.monotonic() + LONG)

    with pytest.raises(stm.TransactionTimeout, match=r"0\.01 s passed in attempt 1"):
        body()


def test_no_loop_outlives_the_timeout(store: stm.Store) -> None:
    @store.atomically(timeout=0.01)
    def body() -> None:
        stm.retry(until=0)

    with pytest.raises(stm.TransactionTimeout):
        body()


def test_the_first_of_several_times_counts(store: stm.Store) -> None:
    soon = time.monotonic() + 0.02

    def first() -> str:
        if time.monotonic() < soon:
            stm.retry(until=soon)
        return "soon"

    def second() -> str:
        stm.retry(until=time.monotonic() + LONG)

    assert store.run(stm.or_else, second, first) == "soon"
    assert store.run(stm.or_else, lambda: stm.retry(until=float("inf")), first) == "soon"


def test_nothing_read_and_no_time_is_refused(store: stm.Store) -> None:
    def body(until: float | None) -> None:
        stm.retry(until=until)

    for never in (None, float("inf"), 1e300):
        with pytest.raises(stm.StmError, match="has read nothing"):
            store.run(body, never)


@pytest.mark.parametrize(("until", "error"), [("5", TypeError), (float("nan"), ValueError)])
def test_bad_times(until: Any, error: type[Exception], store: stm.Store) -> None:
    with pytest.raises(error):
        store.run(lambda: stm.retry(until=until))
    with pytest.raises(stm.TransactionRequired):
        stm.retry(until=5)
    with pytest.raises(TypeError):
        store.run(lambda: stm.retry(5))  # type: ignore[call-arg]


def test_with_blocks_run_again_at_the_time(store: stm.Store) -> None:
    until = time.monotonic() + 0.02
    with store.atomically() as block:
        if time.monotonic() < until:
            stm.retry(until=until)
        attempts = block.attempt
    assert attempts >= 2


# ---- in tasks ------------------------------------------------------------------------------------


def test_tasks_wait_until_a_time(store: stm.Store) -> None:
    table = store.TVar("t")
    soon = time.monotonic() + 0.02

    async def both() -> tuple[str, str]:
        late = await stm.arun(waits(table, soon), store=store)
        waiting = asyncio.create_task(
            stm.arun(waits(table, time.monotonic() + LONG), store=store)
        )
        await asyncio.sleep(0)
        store.run(table.update, k=1)
        return late, await waiting

    assert asyncio.run(both()) == ("late", "changed")


def test_the_timeout_of_a_task_comes_first(store: stm.Store) -> None:
    async def wait() -> None:
        await stm.arun(waits(store.TVar("t"), time.monotonic() + LONG), timeout=0.01, store=store)

    with pytest.raises(stm.TransactionTimeout):
        asyncio.run(wait())


# ---- under explore -------------------------------------------------------------------------------


def test_explore_lets_the_time_come() -> None:
    """No thread really waits there: the time comes when nobody else can run."""
    began = time.monotonic()

    def scenario() -> Any:
        table: stm.TVar[str, int] = stm.TVar()
        outcome = stm.TRef(None, "")

        def wait() -> None:
            with stm.atomically() as block:
                if block.attempt == 1:
                    stm.retry(until=began + LONG)
                outcome.value = "changed" if "k" in table else "late"

        def change() -> None:
            with stm.atomically():
                table["k"] = 1

        yield wait, change
        seen.add(outcome.value)

    seen: set[str] = set()
    assert explore(scenario, preemptions=2).complete
    assert "changed" in seen
