"""Logical threads of one schedule: real threads of which one runs at a time.

Invariant: among the threads of a run only the one that holds the turn is running; the others stand
at a point, each on a lock of its own. A thread gives the turn away by releasing another's lock, so
the run is the list of choices that `choose` has made, whatever the system's scheduler does.
"""

from __future__ import annotations

import _thread
import os
import sys
import sysconfig
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

from stmpy import _native
from stmpy._testing_choice import LETTERS, Chooser, Options
from stmpy.errors import StmError

STREAK: Final = 500
"""Steps that a thread takes in a row, while others could go on, before it gives way."""

SOON: Final = 1.0
"""Seconds until a thread that is to end counts as stuck."""

type Place = tuple[str, int]
"""A file and a line."""


type Hook = Callable[[str, str | None, Any, bool], object]


class Deadlock(StmError):
    """Every thread waits, and nothing can wake any of them: a wake-up was lost, or is missing.

    The message tells where each of them waits.
    """


class Stuck(StmError):
    """A schedule did not come to its end.

    Either it took too many steps, as a loop that polls does where it should `retry()`, or a thread
    was busy or blocked for longer than `patience` in something that explore can't see.
    """


class Stop(BaseException):
    """Unwinds the threads of a run that is over; not to be caught."""


@dataclass(frozen=True, slots=True)
class Step:
    """What a thread did, and where in the user's code."""

    thread: int
    what: str
    place: Place | None


class Seat:
    """One logical thread."""

    def __init__(self, number: int, name: str, function: Callable[[], Any]) -> None:
        self.number = number
        self.name = name
        self.function = function
        self.turn = _thread.allocate_lock()
        self.turn.acquire()
        self.native = 0
        self.next = Step(number, "start", None)
        self.ready: Callable[[], bool] | None = None
        self.deadline: float | None = None
        self.late = False
        self.began = 0.0
        self.at_point = False
        self.done = False
        self.result: Any = None

    def can_go_on(self) -> bool:
        return not self.done and (self.ready is None or self.ready())


class Run:
    """One schedule of one scenario."""

    def __init__(self, chooser: Chooser, steps: int, patience: float) -> None:
        self.chooser = chooser
        self.limit = steps
        self.patience = patience
        self.process = os.getpid()
        self.main = _thread.get_ident()
        self.seats: list[Seat] = []
        self.by_ident: dict[int, Seat] = {}
        self.now = 0.0
        """Seconds that have passed in this run: time passes only when everybody waits."""
        self.steps: list[Step] = []
        self.choices: list[int] = []
        self.options: list[Options] = []
        self.error: BaseException | None = None
        self._group: list[tuple[Seat, threading.Thread]] = []
        self._streak = 0
        self._stopping = False
        self._over = _thread.allocate_lock()
        self._over.acquire()

    def seat(self) -> Seat | None:
        """The calling thread's; None in threads that are not of the run, and in forked children."""
        seat = self.by_ident.get(_thread.get_ident())
        return seat if seat is None or os.getpid() == self.process else None

    # From the thread that calls explore.

    def start(self, functions: Sequence[Callable[[], Any]]) -> None:
        """Make a thread for each function; they wait for their turn."""
        for seat in self._sit_down(functions):
            try:
                thread = threading.Thread(target=self._live, args=(seat,), daemon=True)
                thread.start()
            except RuntimeError as error:
                raise StmError(
                    "explore: can't start a thread here; it runs in the main interpreter"
                ) from error
            self._group.append((seat, thread))

    def finish(self) -> list[Any]:
        """Run the threads to their end; raises what one of them raised."""
        try:
            self._pass_on(None)
            self._wait_for_end()
        except BaseException as error:
            self.error = error  # makes the thread that has the turn give it up
            self._over.acquire(timeout=SOON)
        finally:
            self._stop()
        if self.error is not None:
            raise self.error
        results = [seat.result for seat, _ in self._group]
        self._group.clear()
        return results

    def _sit_down(self, functions: Sequence[Callable[[], Any]]) -> list[Seat]:
        if callable(functions) or not all(map(callable, functions)):
            raise TypeError(f"explore: a scenario yields functions, not {functions!r}")
        if len(self.seats) + len(functions) > len(LETTERS):
            raise StmError(f"explore: a scenario has up to {len(LETTERS)} threads")
        names = [getattr(function, "__name__", "thread") for function in functions]
        first = len(self.seats)
        for i, (function, name) in enumerate(zip(functions, names, strict=True)):
            if names.count(name) > 1:
                name += str(names[: i + 1].count(name))
            self.seats.append(Seat(first + i, name, function))
        return self.seats[first:]

    def _wait_for_end(self) -> None:
        seen, since = -1, monotonic()
        # A signal that comes just before the wait would not end it: hence the short ones.
        while not self._over.acquire(timeout=min(self.patience, 0.2)):
            if len(self.choices) != seen:
                seen, since = len(self.choices), monotonic()
            elif monotonic() - since >= self.patience:
                self.error = self._stuck_outside()
                return

    def _stuck_outside(self) -> Stuck:
        seat = self.seats[self.choices[-1]]
        ident = next((ident for ident, it in self.by_ident.items() if it is seat), 0)
        stack = "".join(traceback.format_stack(sys._current_frames().get(ident)))
        return Stuck(
            f"{seat.name} has not come to another point for {self.patience:g} s; it computes for "
            "long, or waits for something that explore can't see, such as a lock that was made "
            f"before it: make it in the scenario\n{stack}"
        )

    def _stop(self) -> None:
        """Unwind what is left, one after the other; a thread that is stuck stays behind."""
        self._stopping = not all(seat.done for seat, _ in self._group)
        for seat, thread in self._group:
            if not seat.done:
                seat.turn.release()
            thread.join(SOON if self._stopping else None)

    # In the logical threads.

    def _live(self, seat: Seat) -> None:
        seat.turn.acquire()
        seat.native = threading.get_native_id()
        ident = _thread.get_ident()
        self.by_ident[ident] = seat
        try:
            if not self._stopping:
                self.steps.append(seat.next)
                seat.result = seat.function()
        except Stop:
            pass
        except BaseException as error:
            if not self._stopping:
                self.error = error
        seat.done = True
        del self.by_ident[ident]  # which another thread may get
        if not self._stopping:
            self._pass_on(seat)

    def point(
        self,
        seat: Seat,
        what: str,
        ready: Callable[[], bool] | None = None,
        deadline: float | None = None,
    ) -> bool:
        """Let others go first; comes back when it is this thread's turn and it is `ready`.

        True if the deadline has passed before it was ready.
        """
        if self._stopping:
            raise Stop
        if seat.at_point:  # a finaliser that runs here goes through undisturbed
            return False
        seat.at_point = True
        seat.next = Step(seat.number, what, caller())
        seat.ready, seat.deadline, seat.late = ready, deadline, False
        try:
            if self._pass_on(seat) is not seat:
                seat.turn.acquire()
        finally:
            seat.at_point = False
        if self._stopping:
            raise Stop
        self.steps.append(seat.next)
        return seat.late

    def _pass_on(self, seat: Seat | None) -> Seat | None:
        """Give the turn to whoever comes next, or end the run."""
        chosen = self._choose(seat) if self.error is None else None
        if chosen is None:
            self._over.release()
        elif chosen is not seat:
            chosen.turn.release()
        return chosen

    def _choose(self, seat: Seat | None) -> Seat | None:
        ready = [it.number for it in self.seats if it.can_go_on()] or self._let_time_pass()
        if not ready:
            return None
        if len(self.choices) == self.limit:
            self.error = Stuck(
                f"the schedule is not over after {self.limit} steps; does a loop poll? "
                "stm.retry() waits for a change"
            )
            return None
        current = seat.number if seat is not None and seat.number in ready else None
        if current is not None and self._streak >= STREAK and len(ready) > 1:
            ready.remove(current)
            current = None
        number = self.chooser(current, ready)
        self._streak = self._streak + 1 if number == current else 0
        self.choices.append(number)
        self.options.append((current, tuple(ready)))
        return self.seats[number]

    def _let_time_pass(self) -> list[int]:
        """Nobody can go on: to the earliest deadline, if there is one."""
        waiting = [seat for seat in self.seats if not seat.done]
        timed = [(seat.deadline, seat) for seat in waiting if seat.deadline is not None]
        if timed:
            self.now, first = min(timed, key=lambda pair: (pair[0], pair[1].number))
            first.late = True
            return [first.number]
        if waiting:
            lines = [f"{seat.name}: {seat.next.what}, {_at(seat.next.place)}" for seat in waiting]
            self.error = Deadlock(
                "every thread waits, and nothing can wake any of them\n  " + "\n  ".join(lines)
            )
        return []


def _at(place: Place | None) -> str:
    return "at its start" if place is None else f"{os.path.basename(place[0])}:{place[1]}"


_PACKAGE: Final = os.path.dirname(__file__)
_LIBRARY: Final = sysconfig.get_path("stdlib")


def caller() -> Place | None:
    """The place in the user's code: not in stmpy, and not in the standard library."""
    frame = sys._getframe(1)
    while frame.f_back is not None:
        file = frame.f_code.co_filename
        ours = file.startswith((_PACKAGE, "<frozen")) or (
            file.startswith(_LIBRARY) and "site-packages" not in file
        )
        if not ours:
            return file, frame.f_lineno
        frame = frame.f_back
    return None


def describe(point: str, variable: str | None, key: Any) -> str:
    """A point of a block as text."""
    if point == "begin":
        return "begin" if key == 1 else f"begin, attempt {key}"
    if variable is None:
        return point
    name = "" if variable.startswith("~") else variable  # it was given none
    return f"{point} {name}{'' if key is None else [key]}".rstrip()


def hook_of(run: Run) -> Hook:
    """What the core calls at every point."""

    def in_main(point: str, key: Any) -> bool:
        if point == "wait" and key is None:
            raise Deadlock("the scenario itself waits, and no other thread runs")
        return point in ("begin", "wait")

    def hook(point: str, variable: str | None, key: Any, may_lose: bool) -> bool:
        seat = run.seat()
        if seat is None:
            return _thread.get_ident() == run.main and in_main(point, key)
        if point == "call":
            return False
        if point == "wait":
            deadline = None if key is None else seat.began + key
            return run.point(seat, "wait", lambda: _native._woken(seat.native), deadline)
        run.point(seat, describe(point, variable, key))
        if point == "begin" and key == 1:
            seat.began = run.now
        return point == "begin"

    return hook
