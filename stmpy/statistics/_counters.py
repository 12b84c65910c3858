"""Making the record of a store of this process from what its core has counted."""

import os
from collections.abc import Mapping
from typing import Any

from stmpy.statistics._model import REASONS, Histogram, KeyHeat, Memory, Stats, Thread


def from_counters(raw: Mapping[str, Any], name: str, closed: bool) -> Stats:
    """The record of what the core counted."""
    reasons = dict(zip(("none", *REASONS), raw["conflicts"], strict=True))
    del reasons["none"]
    return Stats(
        store=name,
        process=os.getpid(),
        closed=closed,
        seconds=0.0,
        commits=raw["commits"],
        read_only_commits=raw["read_only_commits"],
        conflicts=sum(reasons.values()),
        serial=raw["serial"],
        aborts={"exception": raw["aborts"], **reasons},
        attempts=Histogram(tuple(raw["attempts"])),
        read_set=Histogram(tuple(raw["read_set"])),
        write_set=Histogram(tuple(raw["write_set"])),
        blocks=(),
        keys=_hottest(raw["keys"]),
        pairs=(),
        threads=tuple(
            Thread(
                process=process,
                interpreter=interpreter,
                thread=thread,
                state="in block" if snapshot else "idle",
                snapshot=snapshot,
            )
            for process, interpreter, thread, snapshot in raw["threads"]
        ),
        memory=Memory(
            raw["used_bytes"], raw["max_bytes"], raw["history_bytes"], raw["history_limit"]
        ),
        version=raw["clock"],
        oldest_snapshot=raw["oldest_snapshot"],
    )


def _hottest(rows: list[tuple[str, Any, int, int]]) -> tuple[KeyHeat, ...]:
    """The rows of all threads, equal keys added up, hottest first."""
    counts: dict[tuple[str, Any], int] = {}
    for variable, key, _kind, count in rows:
        counts[variable, key] = counts.get((variable, key), 0) + count
    ranked = sorted(counts.items(), key=lambda item: -item[1])
    return tuple(KeyHeat(variable, key, count) for (variable, key), count in ranked)
