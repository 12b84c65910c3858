"""A program that opens a store with many keys, or fills one in memory, and says what that took.

    python -m bench.opening fill|open|memory KEYS PATH

It prints `Opened` as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import NamedTuple

import stmpy as stm
from bench import work
from stmpy import _native

VARIABLE = "many"
ROOM = 400  # bytes for each key, generously


class Opened(NamedTuple):
    """What the program saw; `cpu_seconds` are those of its keeper too."""

    seconds: float
    cpu_seconds: float
    calls: int
    """Of `progress`."""
    region_bytes: int
    own_bytes: int
    """What the program and its keeper have in memory, but for pages of files: those the system
    drops when it needs room."""


def own_bytes(pid: int | str) -> int:
    """Memory of a process; what it shares with others counts by its share."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(
        int(line.split()[1]) << 10 for line in lines if line.startswith(("Pss_Anon:", "Pss_Shmem:"))
    )


def cpu_seconds(pid: int) -> float:
    """What a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def sizes(keys: int) -> dict[str, int]:
    room = max(64 << 20, keys * ROOM)
    return {"max_bytes": room, "history_bytes": room // 2}


def main() -> None:
    what, keys, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    calls: list[tuple[int, int]] = []
    began, cpu = time.perf_counter(), time.process_time()
    with stm.open(
        None if what == "memory" else path,
        durability="relaxed",
        progress=lambda *call: calls.append(call),
        **sizes(keys),  # type: ignore[arg-type]  # numbers
    ) as store:
        keeper = _native._durable_state(store)["keeper"]
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        cpu += cpu_seconds(keeper) if keeper else 0
        if what != "open":
            work.fill(VARIABLE, keys, store)
        found = Opened(
            seconds, cpu, len(calls), store.stats().memory.used_bytes,
            own_bytes("self") + (own_bytes(keeper) if keeper else 0),
        )  # fmt: skip
        there = len(store.TVar(VARIABLE))
        if there != keys or (what == "open" and not keys <= calls[-1][0] == calls[-1][1]):
            raise AssertionError(f"{there} keys are there, not {keys}; {calls[-1:]}")
    print(json.dumps(found._asdict()))


if __name__ == "__main__":
    main()
