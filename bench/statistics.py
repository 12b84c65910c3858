"""What statistics cost: blocks in a store that names and times them, and in one that does not."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import stmpy as stm
from bench.harness import Alone, Answer, Effort, measure, ratio_row

if TYPE_CHECKING:
    from bench.harness import Work


def store(switch: str) -> stm.Store:
    """A store made with STMPY_STATISTICS set so: it is read when a store is made."""
    before = os.environ.get("STMPY_STATISTICS")
    os.environ["STMPY_STATISTICS"] = switch
    try:
        return stm.open(max_bytes=1 << 20)
    finally:
        del os.environ["STMPY_STATISTICS"]
        if before is not None:
            os.environ["STMPY_STATISTICS"] = before


def block(switch: str) -> Work:
    kept = store(switch)
    tv = kept.TVar("counters", {"k": 0})

    def run(n: int) -> None:
        for _ in range(n):
            with kept.atomically():
                tv["k"] += 1

    return run


def function(switch: str) -> Work:
    kept = store(switch)
    tv = kept.TVar("counters", {"k": 0})

    @kept.atomically
    def increment() -> None:
        tv["k"] += 1

    def run(n: int) -> None:
        for _ in range(n):
            increment()

    return run


def reading(switch: str) -> Work:
    """The least that a block can do, so that what is counted weighs most."""
    kept = store(switch)
    tv = kept.TVar("counters", {"k": 0})

    @kept.atomically
    def read() -> None:
        tv["k"]

    def run(n: int) -> None:
        for _ in range(n):
            read()

    return run


def answer(effort: Effort) -> Answer:
    forms = {
        "increment in a block": block,
        "increment in a decorated function": function,
        "read of a key in a decorated function": reading,
    }
    cases = {
        f"{form}, {switch}": Alone(work(switch))
        for form, work in forms.items()
        for switch in ("on", "off")
    }
    measured = measure(cases, effort)
    return Answer(
        measured,
        [ratio_row(form, measured, f"{form}, on", f"{form}, off", most=1.03) for form in forms],
    )
