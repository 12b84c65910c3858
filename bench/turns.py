"""How one participant measures itself: in short turns until the time is up.

On its own because the peers use it too, in an environment that has no stmpy.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.harness import Timing, Work

ROOT = Path(__file__).parent.parent
TURN = 0.0005  # seconds of work between two looks at the clock
HEAD_START = 0.005  # seconds until all participants have read their task


@dataclass(frozen=True, slots=True)
class Part:
    """What one participant did."""

    operations: int
    began: float
    ended: float
    cpu_seconds: float


def take_turns(work: Work, turn: int, start: float, seconds: float) -> Part:
    """Works `turn` times between two looks at the clock, for so long, from `start` on."""
    while time.perf_counter() < start:
        pass
    began, cpu, done = time.perf_counter(), time.thread_time(), 0
    ended = began
    while ended - began < seconds:
        work(turn)
        done += turn
        ended = time.perf_counter()
    return Part(done, began, ended, time.thread_time() - cpu)


def together(parts: Sequence[Part]) -> Timing:
    """What they did between the first beginning and the last end."""
    took = max(part.ended for part in parts) - min(part.began for part in parts)
    cpu = sum(part.cpu_seconds for part in parts)
    return Timing(sum(part.operations for part in parts), took, cpu)
