"""How long single blocks take, not on average: alone, beside others, and under contention.

Each participant reads the clock before and after each of its blocks. On a machine with more to do
than cores, the tail is the time that the participant did not run at all.
"""

from __future__ import annotations

import time
from array import array
from typing import Final

import stmpy as stm
from bench import work
from bench.harness import Answer, Effort, Row, Series, Spread, show_progress
from bench.teams import Crew
from bench.turns import HEAD_START

SHARES: Final = (0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999)
SITUATIONS: Final = {
    "alone": ("mine",),
    "beside one on another key": ("mine", "theirs"),
    "2 on one key": ("hot", "hot"),
}


def time_blocks(key: str, start: float, seconds: float) -> bytes:
    """Increments for so long; the nanoseconds of each block, as an array of 64-bit ints."""
    tv = work.counters(key)
    clock = time.perf_counter_ns
    took = array("q")
    while time.perf_counter() < start:
        pass
    end = clock() + int(seconds * 1e9)
    began = clock()
    while began < end:
        with stm.atomically():
            tv[key] += 1
        after = clock()
        took.append(after - began)
        began = clock()
    return took.tobytes()


def measure_blocks(crew: Crew, keys: tuple[str, ...], seconds: float) -> list[int]:
    """What each block of the first participant took, shortest first."""
    start = time.perf_counter() + HEAD_START
    futures = [crew.pool.submit(time_blocks, key, start, seconds) for key in keys]
    took = [future.result() for future in futures]
    return sorted(array("q", took[0]))


def quantile(ordered: list[int], share: float) -> float:
    """Microseconds that this share of the blocks did not exceed."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] / 1e3


def answer(effort: Effort) -> Answer:
    crew = Crew("interpreters", 2)
    rounds: dict[str, list[list[int]]] = {name: [] for name in SITUATIONS}
    try:
        for number in range(-1, max(2, effort.rounds // 3)):
            for name, keys in SITUATIONS.items():
                show_progress(f"latency, {name}")
                took = measure_blocks(crew, keys, effort.seconds * 4)
                if number >= 0:  # the round before the first warms up
                    rounds[name].append(took)
    finally:
        crew.close()
    show_progress("")
    lines = {
        name: [(beyond(share), Spread.of(quantile(one, share) for one in taken))
               for share in SHARES]
        for name, taken in rounds.items()
    }  # fmt: skip
    rows = [
        Row(f"increment {name}: {100 * share:g} % within", dict(lines[name])[beyond(share)], "µs")
        for name in SITUATIONS
        for share in (0.5, 0.99, 0.999)
    ]
    return Answer(
        rows=rows,
        series=[Series("Latency of an increment", "1 block in so many takes longer", "µs",
                       lines, "xy")],
    )  # fmt: skip


def beyond(share: float) -> float:
    """One block in how many takes longer."""
    return round(1 / (1 - share), 1)
