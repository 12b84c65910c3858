"""What `retry` and `check` wait for, and what they refuse."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

import stmpy as stm
from tests.waiting.conftest import Start

type Table = stm.TVar[Any, Any]
type Waiter = Callable[[Table, Callable[[Table], Any]], Any]


def wait_in_with(table: Table, ready: Callable[[Table], Any]) -> Any:
    with table.store.atomically():
        seen = ready(table)
        if not seen:
            stm.retry()
        return seen


def wait_in_function(table: Table, ready: Callable[[Table], Any]) -> Any:
    def body() -> Any:
        seen = ready(table)
        stm.check(seen)
        return seen

    return table.store.run(body)


def wait_in_depth(table: Table, ready: Callable[[Table], Any], depth: int = 20) -> Any:
    """Retries from far below the block, through frames, nested blocks and a generator."""

    def down(levels: int) -> Any:
        if levels % 5 == 0:
            with table.store.atomically():
                return deeper(levels)
        return deeper(levels)

    def deeper(levels: int) -> Any:
        if levels > 0:
            return next(result for result in (down(levels - 1) for _ in range(1)))
        seen = ready(table)
        return seen if seen else stm.retry()

    with table.store.atomically():
        table["marked"] = True
        result = down(depth)
    return result


def wait_swallowing(table: Table, ready: Callable[[Table], Any]) -> Any:
    """A body that catches everything: what it does afterwards must not be published."""
    with table.store.atomically():
        seen = None
        try:
            seen = wait_in_function(table, ready)
        except BaseException:
            table["garbage"] = True
    return seen


def wait_swallowing_in_function(table: Table, ready: Callable[[Table], Any]) -> Any:
    def body() -> Any:
        try:
            stm.check(ready(table))
        except BaseException:
            return "garbage"
        return ready(table)

    return table.store.run(body)


def wait_replacing(table: Table, ready: Callable[[Table], Any]) -> Any:
    """A body that turns the wait into an exception of its own."""
    with table.store.atomically():
        try:
            stm.check(ready(table))
        except BaseException as error:
            raise ValueError("not ready") from error
        return ready(table)


WAITERS = [
    wait_in_with,
    wait_in_function,
    wait_in_depth,
    wait_swallowing,
    wait_swallowing_in_function,
    wait_replacing,
]
CHANGES: list[tuple[str, Callable[[Table], Any], Callable[[Table], Any]]] = [
    ("value", lambda t: t["flag"] == 1, lambda t: t.update(flag=1)),
    ("insertion", lambda t: "new" in t, lambda t: t.update(new=0)),
    ("deletion", lambda t: "flag" not in t, lambda t: t.pop("flag")),
    ("length", lambda t: len(t) >= 3, lambda t: t.update(a=0, b=0)),
    ("iteration", lambda t: [k for k in t if k == "new"], lambda t: t.update(new=0)),
    ("get", lambda t: t.get("new"), lambda t: t.update(new=1)),
    ("get_many", lambda t: t.get_many(["x", "new"], 0)["new"], lambda t: t.update(new=1)),
    ("copy", lambda t: t.copy().get("new"), lambda t: t.update(new=1)),
]


def put(values: dict[str, int]) -> Callable[[Table], Any]:
    return lambda table: table.update(values)


def change(table: Table, what: Callable[[Table], Any]) -> None:
    with table.store.atomically():
        what(table)


@pytest.mark.parametrize("waiter", WAITERS)
@pytest.mark.parametrize(("ready", "cause"), [c[1:] for c in CHANGES], ids=[c[0] for c in CHANGES])
def test_waits_for_what_it_has_read(
    table: Table,
    start: Start,
    waiter: Waiter,
    ready: Callable[[Table], Any],
    cause: Callable[[Table], Any],
) -> None:
    change(table, lambda t: t.update(flag=0))
    has_looked = threading.Event()

    def look(seen: Table) -> Any:
        found = ready(seen)
        has_looked.set()
        return found

    waiting = start(waiter, table, look)
    assert has_looked.wait(60)
    assert not waiting.done()
    change(table, cause)
    assert waiting.result(60)
    assert "garbage" not in table


def test_other_keys_do_not_wake(table: Table, start: Start) -> None:
    change(table, lambda t: t.update(flag=0))
    attempts = []
    has_looked = threading.Event()

    def body() -> None:
        attempts.append(table["flag"])
        has_looked.set()
        stm.check(table["flag"])

    waiting = start(table.store.run, body)
    assert has_looked.wait(60)
    for i in range(200):
        other = {f"other{i % 7}": i}
        change(table, put(other))
    change(table, lambda t: t.update(flag=1))
    waiting.result(60)
    assert attempts == [0, 1]


def test_names_are_put_back_before_the_body_runs_again(table: Table, start: Start) -> None:
    change(table, lambda t: t.update(flag=0))
    has_looked = threading.Event()

    def count() -> int:
        total = 0
        with table.store.atomically():
            total += 1
            has_looked.set()
            stm.check(table["flag"])
        return total

    waiting = start(count)
    assert has_looked.wait(60)
    change(table, lambda t: t.update(flag=1))
    assert waiting.result(60) == 1


def test_what_an_attempt_wrote_is_gone(table: Table, start: Start) -> None:
    change(table, lambda t: t.update(flag=0, n=0))
    has_looked = threading.Event()

    def body() -> None:
        table["n"] += 1
        has_looked.set()
        stm.check(table["flag"])

    waiting = start(table.store.run, body)
    assert has_looked.wait(60)
    assert table["n"] == 0
    change(table, lambda t: t.update(flag=1))
    waiting.result(60)
    assert table["n"] == 1


def test_outside_a_block() -> None:
    calls: list[Callable[[], Any]] = [
        stm.retry,
        lambda: stm.check(False),
        lambda: stm.check(True),
        lambda: stm.on_commit(print),
        lambda: stm.on_abort(print),
    ]
    for call in calls:
        with pytest.raises(stm.TransactionRequired, match="needs a block"):
            call()


def write_and_retry(table: Table, timeout: float | None) -> None:
    with table.store.atomically(timeout=timeout):
        table["blind"] = 1
        stm.retry()


def test_nothing_read(store: stm.Store, table: Table) -> None:
    with pytest.raises(stm.StmError, match="read nothing"):
        store.run(stm.retry)
    with pytest.raises(stm.StmError, match="read nothing"):
        write_and_retry(table, None)
    with pytest.raises(stm.TransactionTimeout):
        write_and_retry(table, 0.01)
    assert "blind" not in table


def test_blocks_that_cannot_wait(store: stm.Store, table: Table) -> None:
    def body() -> None:
        table.get("x")
        stm.retry()

    with pytest.raises(stm.NestedMisuse, match="read-only"):
        store.snapshot()(body)()
    with pytest.raises(stm.NestedMisuse, match="irrevocable"):
        store.atomically(irrevocable=True)(body)()
    with store.atomically():
        table["after"] = 1
    assert table["after"] == 1


@pytest.mark.parametrize("waiter", WAITERS[:3])
def test_a_store_that_closes_lets_go(
    store: stm.Store, table: Table, start: Start, waiter: Waiter
) -> None:
    has_looked = threading.Event()

    def look(seen: Table) -> bool:
        found = "flag" in seen
        has_looked.set()
        return found

    waiting = start(waiter, table, look)
    assert has_looked.wait(60)
    store.close()
    with pytest.raises(stm.StoreClosed):
        waiting.result(60)


def test_serial_block_waits_without_the_lock(store: stm.Store, table: Table, start: Start) -> None:
    """A block that lost too often holds the commit lock; while it waits it must not."""
    change(table, lambda t: t.update(hot=0, flag=0))
    serial = threading.Event()
    seen = []

    def bump() -> None:
        change(table, lambda t: t.update(hot=t["hot"] + 1))

    def lose_then_wait() -> None:
        with store.atomically() as tx:
            hot = table["hot"]
            if not tx.serial:
                start(bump).result(60)
            seen.append((tx.serial, table["flag"]))
            table["hot"] = hot + 100
            if tx.serial:
                serial.set()
                stm.check(table["flag"])

    waiting = start(lose_then_wait)
    assert serial.wait(60)
    change(table, lambda t: t.update(flag=1))
    waiting.result(60)
    assert seen[-2:] == [(True, 0), (True, 1)]
    assert table["hot"] == 100 + len(seen) - 2
