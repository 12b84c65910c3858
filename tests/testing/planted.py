"""Programs with a bug that few schedules show, each beside its mended twin."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import stmpy as stm
from stmpy.testing import Deadlock

type Threads = Generator[Sequence[Callable[[], Any]], Any]


def check_then_act() -> Threads:
    """The seat is looked at in one block and taken in another."""
    seats: stm.TVar[str, int] = stm.TVar(None, {"free": 1})

    def book() -> None:
        with stm.atomically():
            free = seats["free"]
        if free > 0:
            with stm.atomically():
                seats["free"] -= 1

    yield book, book
    assert seats["free"] == 0


def check_and_act() -> Threads:
    seats: stm.TVar[str, int] = stm.TVar(None, {"free": 1})

    def book() -> bool:
        with stm.atomically():
            if seats["free"] == 0:
                return False
            seats["free"] -= 1
            return True

    assert sorted((yield book, book)) == [False, True]
    assert seats["free"] == 0


def doctors(isolation: Literal["serializable", "snapshot"]) -> Threads:
    on_call: stm.TVar[str, bool] = stm.TVar(None, {"ann": True, "bob": True})

    def leave(name: str) -> None:
        with stm.atomically(isolation=isolation):
            if sum(on_call.values()) > 1:
                on_call[name] = False

    def ann() -> None:
        leave("ann")

    def bob() -> None:
        leave("bob")

    yield ann, bob
    assert sum(on_call.values()) == 1


def write_skew() -> Threads:
    """Two doctors leave, as each still sees the other."""
    yield from doctors("snapshot")


def no_skew() -> Threads:
    yield from doctors("serializable")


def lost_wakeup() -> Threads:
    """The bell rings after the look and is cleared before the wait."""
    jobs: stm.TRef[int] = stm.TRef(None, 0)
    bell = threading.Event()

    def take() -> None:
        while True:
            with stm.atomically():
                if jobs.value > 0:
                    jobs.value -= 1
                    return
            bell.clear()
            bell.wait()

    def put() -> None:
        with stm.atomically():
            jobs.value += 1
        bell.set()

    yield take, put


def retried() -> Threads:
    jobs: stm.TRef[int] = stm.TRef(None, 0)

    def take() -> None:
        with stm.atomically():
            stm.check(jobs.value > 0)
            jobs.value -= 1

    def put() -> None:
        with stm.atomically():
            jobs.value += 1

    yield take, put
    assert jobs.value == 0


def stale_read() -> Threads:
    """What is added to was read before the block."""
    hits: stm.TRef[int] = stm.TRef(None, 0)

    def visit() -> None:
        seen = hits.value
        with stm.atomically():
            hits.value = seen + 1

    yield visit, visit, visit
    assert hits.value == 3


def fresh_read() -> Threads:
    hits: stm.TRef[int] = stm.TRef(None, 0)

    def visit() -> None:
        with stm.atomically():
            hits.value += 1

    yield visit, visit, visit
    assert hits.value == 3


def crossed(first_of_second: int) -> Threads:
    locks = threading.Lock(), threading.Lock()
    moved: stm.TRef[int] = stm.TRef(None, 0)

    def move(first: int) -> None:
        with locks[first], locks[1 - first], stm.atomically():
            moved.value += 1

    def one() -> None:
        move(0)

    def other() -> None:
        move(first_of_second)

    yield one, other
    assert moved.value == 2


def lock_order() -> Threads:
    """Two locks outside the blocks, taken in two orders."""
    yield from crossed(1)


def same_order() -> Threads:
    yield from crossed(0)


def wakes_one() -> Threads:
    """Who takes the token tells nobody, and the third waits for ever."""
    token: stm.TRef[bool] = stm.TRef(None, True)

    def pass_through() -> None:
        with stm.atomically():
            stm.check(token.value)
            token.value = False

    def give_back() -> None:
        with stm.atomically():
            if not token.value:
                token.value = True

    yield pass_through, pass_through, give_back


def wakes_all() -> Threads:
    token: stm.TRef[bool] = stm.TRef(None, True)

    def pass_through() -> None:
        with stm.atomically():
            stm.check(token.value)
            token.value = False

    def give_back() -> None:
        with stm.atomically():
            stm.check(not token.value)
            token.value = True

    yield pass_through, pass_through, give_back


@dataclass(frozen=True)
class Planted:
    """A bug, its mended twin, what it raises, and how many schedules it may take at most."""

    bug: Callable[[], Threads]
    mended: Callable[[], Threads]
    error: type[Exception]
    drawn: int
    """Schedules by seed."""
    bounded: int
    """Schedules with up to two pre-emptions, those with fewer first: always the same number."""


PLANTED = [
    Planted(check_then_act, check_and_act, AssertionError, 30, 5),
    Planted(write_skew, no_skew, AssertionError, 30, 4),
    Planted(lost_wakeup, retried, Deadlock, 100, 5),
    Planted(stale_read, fresh_read, AssertionError, 30, 9),
    Planted(lock_order, same_order, Deadlock, 60, 4),
    Planted(wakes_one, wakes_all, Deadlock, 60, 3),
]
