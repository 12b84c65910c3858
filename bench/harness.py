"""The measuring itself: interleaved rounds, medians with their spread, ratios pair by pair.

Every case runs once per round, in an order that turns, so that a slow moment of the machine meets
all cases alike. A ratio is formed within each round, and its median over the rounds is the result.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final, Protocol

type Work = Callable[[int], object]
"""Does something a number of times."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure: `rounds` times about `seconds` for each case."""

    rounds: int = 15
    seconds: float = 0.05
    keys: int = 1_000_000
    commits: int = 1_000_000

    @staticmethod
    def tiny() -> Effort:
        """As little as shows that everything runs."""
        return Effort(rounds=2, seconds=0.002, keys=2_000, commits=2_000)


@dataclass(frozen=True, slots=True)
class Timing:
    """What one measurement saw: wall seconds, and processor seconds of all who took part."""

    operations: int
    seconds: float
    cpu_seconds: float

    @property
    def ns(self) -> float:
        """Wall time per operation."""
        return self.seconds / self.operations * 1e9

    @property
    def cpu_ns(self) -> float:
        """Processor time per operation."""
        return self.cpu_seconds / self.operations * 1e9

    @property
    def cores(self) -> float:
        """How many processors were really at work."""
        return self.cpu_seconds / self.seconds


class Case(Protocol):
    """Something that can be measured again and again."""

    layout: str
    participants: int
    parallel: int
    """How many processors the participants can use at once; 0 where they wait for others."""

    def measure(self, seconds: float) -> Timing:
        """Runs for about so long."""
        ...

    def close(self) -> None:
        """Gives back what the case holds."""
        ...


class Alone:
    """Work done by the calling thread."""

    layout = "1 thread"
    participants = 1
    parallel = 1

    def __init__(self, work: Work) -> None:
        self.work = work
        self.chunk = 0

    def measure(self, seconds: float) -> Timing:
        if self.chunk == 0:
            self.chunk = calibrate(self.work, seconds)
        cpu, began = time.thread_time_ns(), time.perf_counter_ns()
        self.work(self.chunk)
        took = time.perf_counter_ns() - began
        return Timing(self.chunk, took / 1e9, (time.thread_time_ns() - cpu) / 1e9)

    def close(self) -> None:
        pass


def calibrate(work: Work, seconds: float) -> int:
    """How often the work fits into so many seconds; running it that often warms it up."""
    count = 1
    while True:
        # Twice: a moment in which others had the processor would make the work look long.
        took = min(_seconds(work, count) for _ in range(2))
        if took >= seconds / 2:
            return max(1, round(count * seconds / took))
        count *= 2 if took > 0 else 16


def _seconds(work: Work, count: int) -> float:
    began = time.perf_counter()
    work(count)
    return time.perf_counter() - began


@dataclass(frozen=True, slots=True)
class Spread:
    """A median with the quartiles around it."""

    median: float
    low: float
    high: float

    @staticmethod
    def of(values: Iterable[float]) -> Spread:
        numbers = sorted(values)
        if len(numbers) < 2:
            return Spread(numbers[0], numbers[0], numbers[0])
        low, _, high = statistics.quantiles(numbers, n=4, method="inclusive")
        return Spread(statistics.median(numbers), low, high)


@dataclass(frozen=True, slots=True)
class Measured:
    """What all rounds of one case gave; `error` says why there is nothing."""

    layout: str
    participants: int = 0
    parallel: int = 0
    timings: tuple[Timing, ...] = ()
    error: str | None = None

    @property
    def cores(self) -> float:
        return statistics.median(one.cores for one in self.timings)

    @property
    def starved(self) -> bool:
        """True if other programs had the processors that the participants needed."""
        return bool(self.timings) and self.cores < 0.9 * self.parallel

    def wall(self, timing: Timing) -> float:
        """Nanoseconds per operation, as seen."""
        return timing.ns

    def processor(self, timing: Timing) -> float:
        """Nanoseconds per operation, had all participants had a processor all the time."""
        return timing.cpu_ns / self.parallel


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: a figure, what was promised, and whether it holds."""

    title: str
    value: Spread | None
    unit: str
    target: str = ""
    met: bool | None = None
    by_cpu: Spread | None = None
    note: str = ""


type Line = list[tuple[float, Spread]]
"""Pairs of x and what was measured there."""


@dataclass(frozen=True, slots=True)
class Series:
    """Figures that belong in one picture."""

    title: str
    x: str
    y: str
    lines: dict[str, Line]
    logarithmic: str = ""
    """Which axes are: "x", "y", "xy" or none."""


@dataclass(slots=True)
class Answer:
    """All that a question found out."""

    cases: dict[str, Measured] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    series: list[Series] = field(default_factory=list)

    def add(self, other: Answer) -> None:
        self.cases |= other.cases
        self.rows += other.rows
        self.series += other.series


def show_progress(text: str) -> None:
    """Tells a person what is running; silent in a pipe."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def measure(cases: Mapping[str, Case | Exception], effort: Effort) -> dict[str, Measured]:
    """Measures all cases in interleaved rounds and closes them.

    A case that is an exception, or raises one, keeps it as its error.
    """
    failed = {name: case for name, case in cases.items() if isinstance(case, Exception)}
    ready = {name: case for name, case in cases.items() if not isinstance(case, Exception)}
    timings: dict[str, list[Timing]] = {name: [] for name in ready}
    with ExitStack() as stack:
        for case in ready.values():
            stack.callback(case.close)
        for number in range(-1, effort.rounds):
            names = list(ready)
            turn = number % len(names) if names else 0
            for name in names[turn:] + names[:turn]:
                show_progress(f"round {number + 1} of {effort.rounds}: {name}")
                if name in failed:
                    continue
                try:
                    timing = ready[name].measure(effort.seconds)
                except Exception as error:
                    failed[name] = error
                    continue
                if number >= 0:  # the round before the first warms up
                    timings[name].append(timing)
    show_progress("")
    return {
        name: _measured(case, timings.get(name, []), failed.get(name))
        for name, case in cases.items()
    }


def _measured(case: Case | Exception, timings: list[Timing], error: Exception | None) -> Measured:
    if isinstance(case, Exception) or error is not None:
        layout = "" if isinstance(case, Exception) else case.layout
        return Measured(layout, error=f"{type(error).__name__}: {error}")
    return Measured(case.layout, case.participants, case.parallel, tuple(timings))


def cost(case: Measured) -> Spread:
    """Nanoseconds per operation."""
    return Spread.of(map(case.wall, case.timings))


def quotient(above: Measured, below: Measured) -> Spread:
    """How many times as long `above` takes, round by round."""
    pairs = zip(above.timings, below.timings, strict=True)
    return Spread.of(above.wall(a) / below.wall(b) for a, b in pairs)


def quotient_by_cpu(above: Measured, below: Measured) -> Spread | None:
    """The same by processor time, which other programs on the machine hardly change."""
    if not (above.parallel and below.parallel):
        return None
    pairs = list(zip(above.timings, below.timings, strict=True))
    if not all(b.cpu_seconds for _, b in pairs):
        return None  # it took less than a tick of a coarse clock
    return Spread.of(above.processor(a) / below.processor(b) for a, b in pairs)


def ratio_row(
    title: str,
    cases: Mapping[str, Measured],
    above: str,
    below: str,
    *,
    most: float | None = None,
    least: float | None = None,
) -> Row:
    """`above` in units of `below`, held to at most or at least so much, or to nothing."""
    target = f"≤ {most:g} ×" if most is not None else f"≥ {least:g} ×" if least else ""
    a, b = cases[above], cases[below]
    failed = [case.error for case in (a, b) if case.error]
    if failed:
        return Row(title, None, "×", target, note=failed[0])
    value = quotient(a, b)
    met = None
    if most is not None:
        met = value.median <= most
    elif least is not None:
        met = value.median >= least
    return Row(title, value, "×", target, met, quotient_by_cpu(a, b), note(a, b))


BUSY: Final = "other programs wanted the processors too"


def note(*cases: Measured) -> str:
    """What to know about the cores that a figure was taken on."""
    if not any(case.starved for case in cases):
        return ""
    used = ", ".join(f"{case.cores:.2f} of {case.parallel}" for case in cases)
    return f"{BUSY}; cores used: {used}"


def limit_row(
    title: str,
    value: Spread,
    unit: str,
    most: float,
    *,
    by_cpu: Spread | None = None,
    note: str = "",
) -> Row:
    """A figure that must not be above a limit."""
    met = value.median <= most
    return Row(title, value, unit, f"≤ {most:g} {unit}".rstrip(), met, by_cpu, note)
