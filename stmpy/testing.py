"""For the tests of programs that use stmpy: every interleaving that matters, and conflicts at will.

`explore` runs functions as logical threads, one at a time, and decides by a seed who goes on at
every read, write and commit. `conflicts` makes blocks lose that would not have lost.
"""

from __future__ import annotations

import linecache
import os
import random
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import ContextDecorator, closing
from dataclasses import dataclass
from typing import Any, Final, Self

from stmpy import _native
from stmpy._testing_choice import (
    LETTERS,
    Bounded,
    Choices,
    Chooser,
    by_seed,
    preemptions,
    read_turns,
    script,
    write_turns,
)
from stmpy._testing_run import Deadlock, Run, Step, Stuck, hook_of
from stmpy._testing_shrink import shrink
from stmpy._testing_threading import virtual
from stmpy.errors import NestedMisuse

__all__ = ["Deadlock", "Explored", "Scenario", "Stuck", "conflicts", "explore"]

type Scenario = Callable[[], Generator[Sequence[Callable[[], Any]], Any]]
"""Sets up, yields the functions that run together, gets their results, and checks.

It may yield more than once: one group of threads after the other.
"""

_using: Final = threading.Lock()
"""Held by the one explore or conflicts that has the hook of this interpreter."""


@dataclass(frozen=True, slots=True)
class Explored:
    """What `explore` has run without finding anything."""

    schedules: int
    steps: int
    """Of all schedules together."""
    complete: bool
    """Every schedule with so many pre-emptions was run."""
    seed: int | None
    """Of the first schedule; None if none was drawn."""


def explore(
    scenario: Scenario,
    *,
    schedules: int = 1000,
    seed: int | None = None,
    preemptions: int | None = None,
    replay: str | None = None,
    steps: int = 10_000,
    patience: float = 10.0,
) -> Explored:
    """Run a scenario under many schedules; raises what goes wrong in the first that fails.

    The scenario is a generator function. What it does before its first `yield` sets up; it yields
    the functions to run as threads, gets the list of their results, and checks them. Exactly one
    thread runs at a time, and at every point (a block's begin, each read and write, its commit, a
    lock of `threading`) the schedule decides which. `seed` draws the schedules, half of them random
    walks, half with random priorities that change at a few moments (PCT); without one it is the
    environment's STMPY_SEED, or random. `preemptions=2` runs, instead, every schedule in which at
    most two threads are stopped while they could go on, up to `schedules` of them.

    What fails, an assertion or any other exception in a thread or in the checks, a `Deadlock`, or
    a `Stuck` schedule (more than `steps` points, or none for `patience` seconds), is made as small
    as it can and raised with a note: the schedule as a table, the seed, and the text that
    `replay=` takes to run that schedule alone.

    Time in the scenario is virtual: `sleep` and timeouts pass at once when everybody else waits.
    Blocks that run serially are run through without a switch. Threads of this interpreter only;
    interpreters of their own and processes are not seen.
    """
    explorer = _Explorer(scenario, steps, patience)
    if not _using.acquire(blocking=False):
        raise NestedMisuse("explore: within another explore or conflicts; end that one first")
    try:
        if replay is not None:
            explorer.check(script(read_turns(replay)), f"explore: the schedule {replay!r} fails")
            return Explored(1, explorer.steps, False, None)
        if preemptions is not None:
            return explorer.all_up_to(preemptions, schedules)
        return explorer.by_seeds(_seed(seed), schedules)
    finally:
        _using.release()


def _seed(seed: int | None) -> int:
    if seed is not None:
        return seed
    return int(os.environ.get("STMPY_SEED", random.SystemRandom().randrange(2**32)))


class _Explorer:
    def __init__(self, scenario: Scenario, limit: int, patience: float) -> None:
        self.scenario = scenario
        self.limit = limit
        self.patience = patience
        self.steps = 0

    def by_seeds(self, seed: int, schedules: int) -> Explored:
        for i in range(schedules):
            name = f"explore: schedule {i + 1} of {schedules} fails (seed={seed + i})"
            self.check(by_seed(seed + i), name)
        return Explored(schedules, self.steps, False, seed)

    def all_up_to(self, bound: int, schedules: int) -> Explored:
        every = Bounded(bound)
        for i in range(schedules):
            chooser = every.next()
            if chooser is None:
                return Explored(i, self.steps, True, None)
            run = self.check(chooser, f"explore: schedule {i + 1} of all fails")
            every.learn(run.choices, run.options)
        return Explored(schedules, self.steps, every.next() is None, None)

    def check(self, chooser: Chooser, name: str) -> Run:
        """One schedule; raises what fails in it, made small."""
        run = self.run(chooser)
        if run.error is None:
            return run
        first = run.error

        def rerun(choices: Choices) -> Run | None:
            other = self.run(script(choices))
            return other if _where(other.error) == _where(first) else None

        again = None if isinstance(first, Stuck) else rerun(tuple(run.choices))
        if again is None:
            why = "" if isinstance(first, Stuck) else _ELSE
            raise _noted(first, f"{name}\n{why}{_report(run)}")
        small = shrink(again, rerun)
        assert small.error is not None
        raise _noted(small.error, f"{name}\n{_report(small)}")

    def run(self, chooser: Chooser) -> Run:
        """One schedule; its error tells whether it failed."""
        run = Run(chooser, self.limit, self.patience)
        before = _native._interpose(hook_of(run))
        try:
            self._play(run)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            run.error = error
        finally:
            _native._interpose(before)
        self.steps += len(run.choices)
        return run

    def _play(self, run: Run) -> None:
        phases = self.scenario()
        if not hasattr(phases, "send"):
            raise TypeError("explore: a scenario is a generator: it yields the functions to run")
        results: list[Any] | None = None
        with closing(phases):
            while True:
                with virtual(run):
                    try:
                        functions = phases.send(results)
                    except StopIteration:
                        return
                run.start(functions)
                with virtual(run):
                    results = run.finish()


_ELSE: Final = (
    "It did not fail again when it was replayed: something decides that explore does not, such as "
    "the time, random numbers, state that is left over, or a thread of its own.\n"
)


def _where(error: BaseException | None) -> tuple[Any, ...]:
    """What makes two failures the same: the kind, and the line that raised it."""
    last = error.__traceback__ if error is not None else None
    if isinstance(error, Deadlock | Stuck):
        return (type(error),)
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return type(error), None if last is None else (last.tb_frame.f_code, last.tb_lineno)


def _noted(error: BaseException, note: str) -> BaseException:
    error.add_note(note)
    return error


def _report(run: Run) -> str:
    """The schedule as a table, and how to run it again."""
    names = [f"{LETTERS[seat.number]} {seat.name}" for seat in run.seats]
    wide = max(map(len, names), default=0)
    whats = max((len(step.what) for step in run.steps), default=0)
    rows = [
        f"  {names[step.thread]:{wide}}  {step.what:{whats}}  {_source(step)}".rstrip()
        for step in run.steps[-_ROWS:]
    ]
    if len(run.steps) > _ROWS:
        rows.insert(0, f"  … {len(run.steps) - _ROWS} steps before")
    count = preemptions(run.choices, run.options)
    head = f"{len(run.choices)} steps, {count} pre-emption{'' if count == 1 else 's'}:"
    return "\n".join([head, *rows, f'again: explore(…, replay="{write_turns(run.choices)}")'])


_ROWS: Final = 60


def _source(step: Step) -> str:
    if step.place is None:
        return ""
    file, line = step.place
    return f"{os.path.basename(file)}:{line}  {linecache.getline(file, line).strip()}"


class conflicts(ContextDecorator):
    """Makes blocks lose conflicts that they would have won: in a `with`, or as a decorator.

    `when` says where, at each read, write and commit of a block that can run again: a rate, such as
    0.1 for one in ten; or booleans, one for each point in turn, and no conflict after the last; or
    a function that is asked. A rate is drawn by `seed`, which an exception that passes through is
    noted with; without one it is the environment's STMPY_SEED, or random. Afterwards `injected`
    tells how many there were. Holds for all threads of this interpreter.
    """

    def __init__(
        self, when: float | Iterable[object] | Callable[[], object], *, seed: int | None = None
    ) -> None:
        self.injected = 0
        self._seed: int | None = None
        self._lock = threading.Lock()
        if isinstance(when, int | float):
            self._seed = seed = _seed(seed)
            rng, rate = random.Random(seed), when
            self._ask: Callable[[], object] = lambda: rng.random() < rate
        elif callable(when):
            self._ask = when
        else:
            answers = iter(when)
            self._ask = lambda: next(answers, False)

    def _hook(self, point: str, variable: str | None, key: Any, may_lose: bool) -> bool:
        if not may_lose or not self._ask():
            return False
        with self._lock:
            self.injected += 1
        return True

    def __enter__(self) -> Self:
        if not _using.acquire(blocking=False):
            raise NestedMisuse("conflicts: within another explore or conflicts; end that one first")
        _native._interpose(self._hook)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        _native._interpose(None)
        _using.release()
        if error is not None and self._seed is not None:
            error.add_note(f"conflicts(…, seed={self._seed})")
