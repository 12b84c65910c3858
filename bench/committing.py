"""Threads that commit to a store on disk, wherever they run, each to a key of its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import count, islice

import stmpy as stm
from bench.harness import Work
from bench.turns import Part, take_turns

VARIABLE = "numbers"


def committing(store: stm.Store, key: int, last: int) -> Work:
    """Commits the numbers after the last one."""
    variable: stm.TVar[int, int] = store.TVar(VARIABLE)
    numbers = count(last + 1)

    def run(n: int) -> None:
        for number in islice(numbers, n):
            with store.atomically():
                variable[key] = number

    return run


def commit_together(path: str, last: dict[int, int], start: float, seconds: float) -> list[Part]:
    """One thread of this interpreter for each key; what each of them did."""
    works = [committing(stm.open(path), key, number) for key, number in last.items()]
    with ThreadPoolExecutor(len(works)) as pool:
        running = [pool.submit(take_turns, work, 1, start, seconds) for work in works]
        return [one.result() for one in running]
