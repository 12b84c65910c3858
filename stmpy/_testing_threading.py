"""The locks and the clock of `threading`, as the threads of a run see them.

The standard library builds Event, Condition, Semaphore, Barrier, RLock and Queue on locks that it
takes from the module `threading`. While a scenario runs, those that it makes come from here, and
give way to other logical threads instead of blocking. Other threads find plain locks.
"""

from __future__ import annotations

import _thread
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from stmpy._testing_run import Deadlock, Run, Seat
from stmpy.errors import StmError


class Lock:
    """A lock that is a plain one for all but the threads of the run."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._maker = run.seat()
        self._lock = _thread.allocate_lock()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        seat = self._run.seat()
        if seat is None:
            return self._acquire_outside(blocking, timeout)
        if seat is not self._maker:
            # What only its maker uses, as Condition.wait does, is nobody's business.
            self._maker = None
            self._run.point(seat, "lock")
        while not self._lock.acquire(False):
            if not blocking or self._wait(seat, timeout):
                return False
        return True

    def _acquire_outside(self, blocking: bool, timeout: float) -> bool:
        if _thread.get_ident() != self._run.main:
            return self._lock.acquire(blocking, timeout)
        taken = self._lock.acquire(False)
        if not taken and blocking and timeout < 0:
            raise Deadlock("the scenario itself waits for a lock, and no other thread runs")
        return taken

    def _wait(self, seat: Seat, timeout: float) -> bool:
        deadline = None if timeout < 0 else self._run.now + timeout
        return self._run.point(seat, "wait for a lock", lambda: not self._lock.locked(), deadline)

    def release(self) -> None:
        self._lock.release()

    def locked(self) -> bool:
        return self._lock.locked()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def _at_fork_reinit(self) -> None:
        self._lock = _thread.allocate_lock()


def _replacements(run: Run) -> Iterator[tuple[Any, str, Callable[..., Any]]]:
    """Module, name, and what stands there for the threads of the run and the scenario."""

    def lock() -> Lock:
        return Lock(run)

    def clock() -> float:
        return run.now

    def sleep(seconds: float) -> None:
        if (seat := run.seat()) is not None:
            run.point(seat, f"sleep {seconds:g} s", lambda: False, run.now + seconds)

    def start(_: threading.Thread) -> None:
        raise StmError(
            "explore: a scenario can't start threads; yield the functions that run together"
        )

    yield threading, "Lock", lock
    yield threading, "_allocate_lock", lock
    yield threading, "RLock", threading._RLock
    yield threading, "_time", clock
    yield threading.Thread, "start", start
    yield queue, "time", clock
    yield time, "monotonic", clock
    yield time, "sleep", sleep


@contextmanager
def virtual(run: Run) -> Iterator[None]:
    """Put the replacements in place; every thread that is not of the run sees the originals."""

    def choose(original: Callable[..., Any], ours: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            within = _thread.get_ident() == run.main or run.seat() is not None
            return (ours if within else original)(*args, **kwargs)

        return call

    saved = [(where, name, getattr(where, name)) for where, name, _ in _replacements(run)]
    for where, name, ours in _replacements(run):
        setattr(where, name, choose(getattr(where, name), ours))
    try:
        yield
    finally:
        for where, name, original in saved:
            setattr(where, name, original)
