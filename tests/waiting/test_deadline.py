"""Deadlines, signals, and what a parked thread costs."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import stmpy as stm
from tests.waiting.conftest import Start

type Table = stm.TVar[Any, Any]


def never(table: Table) -> None:
    stm.check("never" in table)


# The blocks stand in functions of their own: pytest puts names of its own into a function with
# `assert`, and a block is not run again where that could be noticed.


def wait_in_with(table: Table, timeout: float | None = None) -> None:
    with table.store.atomically(timeout=timeout):
        table["mine"] = 1
        never(table)


@pytest.mark.parametrize("timeout", [0, 0.05])
def test_deadline_in_both_forms(store: stm.Store, table: Table, timeout: float) -> None:
    began = time.monotonic()
    with pytest.raises(stm.TransactionTimeout):
        wait_in_with(table, timeout)
    with pytest.raises(TimeoutError):
        store.atomically(timeout=timeout)(never)(table)
    assert time.monotonic() - began >= 2 * timeout
    assert "mine" not in table


def test_deadline_counts_from_the_start_however_often_it_wakes(
    store: stm.Store, table: Table, start: Start
) -> None:
    over = threading.Event()
    attempts = []

    def poke() -> None:
        while not over.is_set():
            with store.atomically():
                table["poked"] = table.get("poked", 0) + 1

    def wait() -> None:
        with store.atomically(timeout=0.2) as tx:
            attempts.append(tx.attempt)
            table.get("poked")
            stm.retry()

    poking = start(poke)
    try:
        with pytest.raises(stm.TransactionTimeout):
            wait()
    finally:
        over.set()
    poking.result(60)
    assert len(attempts) > 2


def test_a_wait_is_no_lost_attempt(store: stm.Store, table: Table, start: Start) -> None:
    """`max_attempts` bounds conflicts; waiting many times is none."""
    looked = threading.Semaphore(0)

    def wait() -> int:
        with store.atomically(max_attempts=1):
            n = int(table.get("n", 0))
            looked.release()
            stm.check(n == 5)
        return n

    waiting = start(wait)
    for n in range(1, 6):
        assert looked.acquire(timeout=60)
        with store.atomically():
            table["n"] = n
    assert waiting.result(60) == 5


def test_a_parked_thread_takes_no_time(table: Table) -> None:
    began, cpu = time.monotonic(), time.thread_time()
    with pytest.raises(stm.TransactionTimeout):
        wait_in_with(table, timeout=2)
    assert time.monotonic() - began >= 2
    assert time.thread_time() - cpu < 0.02


INTERRUPTED = """
import os, signal, threading, _thread
import stmpy as stm

table = stm.TVar("table")
looked = threading.Event()
{arm}

def never():
    table.get("never")
    looked.set()
    stm.retry()

try:
    {wait}
except KeyboardInterrupt:
    print("interrupted")
with stm.atomically():
    table["never"] = 1
print(dict(table), stm.in_transaction())
"""
BY_SIGNAL = """
def interrupt():
    looked.wait()
    os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=interrupt).start()
"""
# The signal reaches another thread than the one that waits, as the system may choose.
BY_OTHER_THREAD = """
def interrupt():
    looked.wait()
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)

threading.Thread(target=interrupt).start()
"""


@pytest.mark.parametrize("arm", [BY_SIGNAL, BY_OTHER_THREAD], ids=["process", "thread"])
@pytest.mark.parametrize(
    "wait", ["stm.run(never)", "with stm.atomically():\n        never()"], ids=["function", "with"]
)
def test_control_c_while_parked(in_process: Callable[..., str], arm: str, wait: str) -> None:
    program = INTERRUPTED.format(arm=arm, wait=wait)
    assert in_process(program) == "interrupted\n{'never': 1} False\n"


@pytest.mark.parametrize("outer", [None, 60.0])
def test_the_deadline_of_an_inner_block_holds(
    store: stm.Store, table: Table, outer: float | None
) -> None:
    @store.atomically(timeout=0.05)
    def take() -> None:
        stm.check("never" in table)

    def in_function() -> None:
        table["outer"] = 1
        take()

    def in_with() -> None:
        with store.atomically(timeout=outer):
            table["outer"] = 1
            with store.atomically(timeout=0.05):
                stm.check("never" in table)

    for form in (store.atomically(timeout=outer)(in_function), in_with):
        with pytest.raises(stm.TransactionTimeout):
            form()
    assert table == {}


def test_the_deadline_of_an_inner_block_ends_with_it(store: stm.Store, table: Table) -> None:
    with store.atomically():
        with store.atomically(timeout=1e-9):
            table["inner"] = 1
        table["outer"] = 1
    assert table == {"inner": 1, "outer": 1}


@pytest.mark.parametrize("depth", [1, 2])
def test_the_deadline_of_an_alternative_holds_for_the_wait(
    store: stm.Store, table: Table, depth: int
) -> None:
    """Also where another waits without one, and of an alternative of an alternative."""

    @store.atomically(timeout=0.05)
    def short() -> None:
        never(table)

    def choose(levels: int) -> None:
        inner = short if levels == 1 else lambda: choose(levels - 1)
        stm.or_else(inner, lambda: never(table))

    with pytest.raises(stm.TransactionTimeout, match="a block nested in it"):
        store.atomically(timeout=60)(choose)(depth)


def test_the_deadline_of_a_losing_alternative_does_not_bind_the_winner(
    store: stm.Store, table: Table
) -> None:
    short = store.atomically(timeout=1e-9)(never)

    @store.atomically
    def choose() -> str:
        won = stm.or_else(lambda: short(table), lambda: "second")
        table["late"] = won
        return str(won)

    assert choose() == "second"
    assert table == {"late": "second"}
