"""Participants that work at the same time: in threads, in interpreters, in forked processes.

Each runs the same loop: it prepares its work once, waits for the common start, works in short
turns until the time is up, and tells how much it did and how much processor time it got.
"""

from __future__ import annotations

import site
import time
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from multiprocessing import get_context

import stmpy as stm
from bench.harness import Timing, Work, calibrate
from bench.turns import HEAD_START, ROOT, TURN, Part, take_turns, together


@dataclass(frozen=True, slots=True)
class Task:
    """The work of one participant: `MODULE.NAME(*args)` makes it, wherever it runs."""

    name: str
    args: tuple[object, ...] = ()
    module: str = "bench.work"


@cache
def prepare(module: str, name: str, args: tuple[object, ...]) -> tuple[Work, int]:
    """The work, warm, and how much of it makes one turn."""
    work: Work = getattr(import_module(module), name)(*args)
    return work, calibrate(work, TURN)


def take_part(
    module: str, name: str, args: tuple[object, ...], start: float, seconds: float
) -> Part:
    """One participant's share of a measurement that begins at `start` of the common clock."""
    work, turn = prepare(module, name, args)
    return take_turns(work, turn, start, seconds)


def forked(size: int) -> Executor:
    """Children that share the store of this process; forked before it has threads of its own."""
    stm.stats()  # the store that they share has to be there
    pool = ProcessPoolExecutor(size, mp_context=get_context("fork"))
    pool.submit(int).result()
    return pool


class Crew:
    """Workers of one layout, which several teams use in turn."""

    def __init__(self, layout: str, size: int) -> None:
        self.layout = layout
        self.pool: Executor
        if layout == "threads":
            self.pool = ThreadPoolExecutor(size)
        elif layout == "processes":
            self.pool = forked(size)
        else:
            self.pool = stm.InterpreterPool(
                size, initializer=site.addsitedir, initargs=(str(ROOT),)
            )

    def of(self, count: int) -> str:
        """So many of its workers, in words."""
        one = {"processes": "process"}.get(self.layout, self.layout[:-1])
        return f"{count} {self.layout}" if count != 1 else f"1 {one}"

    def close(self) -> None:
        self.pool.shutdown()


class Team:
    """Tasks that run at the same time.

    Counted is what the first `counted` participants do; the others are there to be in the way.
    """

    def __init__(self, crew: Crew, tasks: Sequence[Task], counted: int | None = None) -> None:
        self.crew = crew
        self.tasks = tasks
        self.counted = len(tasks) if counted is None else counted
        self.participants = self.counted
        self.parallel = 1 if crew.layout == "threads" else self.counted
        self.layout = crew.of(len(tasks))

    def measure(self, seconds: float) -> Timing:
        start = time.perf_counter() + HEAD_START
        futures = [
            self.crew.pool.submit(take_part, task.module, task.name, task.args, start, seconds)
            for task in self.tasks
        ]
        parts = [future.result() for future in futures]
        return together(parts[: self.counted])

    def close(self) -> None:
        pass


class Contended(Team):
    """A team on data that it shares; counts the attempts per commit."""

    def __init__(self, crew: Crew, tasks: Sequence[Task]) -> None:
        super().__init__(crew, tasks)
        self.attempts: list[float] = []

    def measure(self, seconds: float) -> Timing:
        before = stm.stats()
        timing = super().measure(seconds)
        after = stm.stats()
        commits = after.commits + after.read_only_commits
        commits -= before.commits + before.read_only_commits
        self.attempts.append(1 + (after.conflicts - before.conflicts) / max(1, commits))
        return timing
