"""Semaphore, event, latch and barrier: what `threading` has, across interpreters."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final, Literal

from stmpy import _native
from stmpy._hubs import hub_of
from stmpy._store import Store
from stmpy.errors import NestedMisuse, StmError
from stmpy.structs._base import Structure, whole


class BrokenBarrier(StmError, threading.BrokenBarrierError):
    """The barrier was aborted, or a party waited too long. `reset` makes it usable again."""


_LOOK: Final = 1.0  # seconds between two looks for owners that are gone


class _TooLate(Exception):
    """A wait has ended by its timeout."""


class TSemaphore(Structure):
    """A number of permits. Bounded: more are never given back than there were at the start.

    A permit that a block takes and that is not committed was never taken. A thread that ends with
    permits keeps them.

    With `owner="interpreter"` permits belong to the interpreter that takes them, and are free again
    when it is closed or its process has ended, however that came. Only it may release them. Who
    waits in `acquire` finds that out within a second; within a block it is looked at whenever the
    block runs. A thread that ends while its interpreter goes on keeps its permits here, too.
    """

    _kind = "semaphore"
    _defaults = (1, None)

    def __init__(
        self,
        name: str | None = None,
        value: int = 1,
        *,
        owner: Literal["interpreter"] | None = None,
        store: Store | None = None,
    ) -> None:
        whole("value is a number of permits", value, 0)
        if owner not in (None, "interpreter"):
            raise ValueError(f"owner is 'interpreter' or None, not {owner!r}")
        self._open(name, store, (value, owner))

    def _create(self, options: tuple[Any, ...]) -> None:
        self._state["free"] = options[0]

    def _contents(self) -> str:
        return f"{self._state._look_at('free')} of {self._options[0]} free"

    # ---- whose they are --------------------------------------------------------------------------

    @property
    def _owned(self) -> bool:
        return self._options[1] is not None

    def _own(self, n: int) -> None:
        """Count `n` more permits as this interpreter's."""
        key = ("held", *hub_of(self.store).token)
        held: int = self._state.get(key, 0) + n
        if held < 0:
            raise ValueError(f"{self._what}: this interpreter does not hold as many as it releases")
        if held:
            self._state[key] = held
        else:
            self._state.pop(key, None)

    def _reclaim(self) -> int:
        """Take the permits of those who are gone; how many."""
        hub, count = hub_of(self.store), 0
        for key in self._state if self._owned else ():
            if key[0] == "held" and not hub.lives(key[1:]):
                count += self._state.pop(key)
        return count

    @property
    def value(self) -> int:
        """How many permits are free."""
        return int(self._state["free"])

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        """Take a permit; waits for one. False where it may not wait, or not that long."""

        def take() -> bool:
            free = self._state["free"] or self._reclaim()
            if free == 0:
                if not blocking:
                    return False
                _native.retry()
            self._state["free"] = free - 1
            if self._owned:
                self._own(1)
            return True

        if not blocking and timeout is not None:
            raise ValueError("a timeout is for acquire(blocking=True)")
        if self._owned and blocking and not _native.in_transaction():
            return self._look_now_and_then(take, timeout)
        try:
            return self._wait(take, timeout, _TooLate)
        except _TooLate:
            return False

    def _look_now_and_then(self, take: Callable[[], bool], timeout: float | None) -> bool:
        """Nobody commits anything when a process is killed, so nobody is woken by it."""
        deadline = None if timeout is None else time.monotonic() + timeout
        left = timeout
        while True:
            try:
                return self._wait(take, _LOOK if left is None else min(left, _LOOK), _TooLate)
            except _TooLate:
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return False

    def release(self, n: int = 1) -> None:
        """Give `n` permits back; raises ValueError above the number there were at the start."""
        whole("n is a number of permits", n, 1)

        def give() -> None:
            free = self._state["free"] + n
            if free > self._options[0]:
                raise ValueError(f"{self._what}: released more often than acquired")
            if self._owned:
                self._own(-n)
            self._state["free"] = free

        self._run(give)

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class TEvent(Structure):
    """A flag that threads wait for."""

    _kind = "event"

    def __init__(self, name: str | None = None, *, store: Store | None = None) -> None:
        self._open(name, store, ())

    def _create(self, options: tuple[Any, ...]) -> None:
        self._state["set"] = False

    def _contents(self) -> str:
        return "set" if self._state._look_at("set") else "not set"

    def is_set(self) -> bool:
        """Whether the flag is up."""
        return bool(self._state["set"])

    def set(self) -> None:
        """Put the flag up and let everybody go who waits."""
        self._run(lambda: self._state.__setitem__("set", True))

    def clear(self) -> None:
        """Take the flag down."""
        self._run(lambda: self._state.__setitem__("set", False))

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the flag is up; False if it was not within `timeout` seconds."""
        try:
            self._wait(lambda: _native.check(self._state["set"]), timeout, _TooLate)
        except _TooLate:
            return False
        return True


class TLatch(Structure):
    """Counts down to 0 once; threads wait for that."""

    _kind = "latch"
    _defaults = (1,)

    def __init__(
        self, name: str | None = None, count: int = 1, *, store: Store | None = None
    ) -> None:
        whole("count is a number", count, 0)
        self._open(name, store, (count,))

    def _create(self, options: tuple[Any, ...]) -> None:
        self._state["count"] = options[0]

    def _contents(self) -> str:
        return f"{self._state._look_at('count')} left"

    @property
    def count(self) -> int:
        """How much is left to count down."""
        return int(self._state["count"])

    def count_down(self, n: int = 1) -> None:
        """Count down by `n`, to 0 at most."""
        whole("n is a number", n, 1)

        def count_down() -> None:
            self._state["count"] = max(0, self._state["count"] - n)

        self._run(count_down)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the count is 0; False if it was not within `timeout` seconds."""
        try:
            self._wait(lambda: _native.check(self._state["count"] == 0), timeout, _TooLate)
        except _TooLate:
            return False
        return True


class TBarrier(Structure):
    """Lets `parties` threads go on together, again and again."""

    _kind = "barrier"

    def __init__(
        self, name: str | None = None, parties: int = 0, *, store: Store | None = None
    ) -> None:
        whole("parties is a number", parties, 0)
        self._open(name, store, (parties,))

    _defaults = (0,)

    def _create(self, options: tuple[Any, ...]) -> None:
        if options[0] == 0:
            raise ValueError("parties, a number from 1 up, is needed to make a barrier")
        self._state["round"] = self._state["waiting"] = 0
        self._state["broken"] = False

    def _contents(self) -> str:
        broken = ", broken" if self._state._look_at("broken") else ""
        return f"{self._state._look_at('waiting')} of {self.parties} waiting{broken}"

    @property
    def parties(self) -> int:
        """How many threads it takes."""
        return int(self._options[0])

    @property
    def n_waiting(self) -> int:
        """How many threads wait now."""
        return int(self._state["waiting"])

    @property
    def broken(self) -> bool:
        """Whether it was aborted."""
        return bool(self._state["broken"])

    def _arrive(self) -> tuple[int, int]:
        if self._state["broken"]:
            raise BrokenBarrier(f"{self._what}: broken; reset() it when nobody waits")
        place, turn = self._state["waiting"], self._state["round"]
        if place + 1 == self.parties:
            self._state["waiting"] = 0
            self._state["round"] = turn + 1
        else:
            self._state["waiting"] = place + 1
        return place, turn

    def _outcome(self, turn: int) -> bool | None:
        """Whether the round was completed; None while that is open."""
        if self._state["round"] == turn:
            if not self._state["broken"]:
                return None
            self._state["waiting"] -= 1
            return False
        left: int = self._state.get(("lost", turn), 0)
        if left > 1:
            self._state["lost", turn] = left - 1
        elif left == 1:
            del self._state["lost", turn]
        return left == 0

    def _leave(self, turn: int) -> bool:
        outcome = self._outcome(turn)
        _native.check(outcome is not None)
        return bool(outcome)

    def _give_up(self, turn: int) -> bool:
        """As `_leave`, and breaks the barrier where the round is still open."""
        outcome = self._outcome(turn)
        if outcome is None:
            self._state["broken"] = True
            self._state["waiting"] -= 1
        return bool(outcome)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the other parties; the number of those that came before.

        Two blocks, so it can't be part of one: nobody sees an arrival before it is committed.
        Raises `BrokenBarrier` in all parties if one has waited for more than `timeout` seconds, or
        leaves by another exception, and in those that wait at a `reset`.
        """
        if _native.in_transaction():
            raise NestedMisuse(f"{self._what}: wait() within a block, which nobody else could see")
        place, turn = self._run(self._arrive)
        try:
            passed = self._wait(lambda: self._leave(turn), timeout, _TooLate)
        except _TooLate:
            passed = self._run(lambda: self._give_up(turn))
        except BaseException:
            self._run(lambda: self._give_up(turn))
            raise
        if not passed:
            raise BrokenBarrier(f"{self._what}: not all came; reset() it when nobody waits")
        return int(place)

    def abort(self) -> None:
        """Break it: everybody who waits, or comes, gets `BrokenBarrier`."""
        self._run(lambda: self._state.__setitem__("broken", True))

    def reset(self) -> None:
        """Make it as new. Whoever waits gets `BrokenBarrier`."""

        def reset() -> None:
            if self._state["waiting"]:
                self._state["lost", self._state["round"]] = self._state["waiting"]
                self._state["round"] += 1
            self._state["waiting"] = 0
            self._state["broken"] = False

        self._run(reset)
