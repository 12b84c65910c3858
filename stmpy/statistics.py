"""What a store tells about itself: frozen records made from the counters of its threads."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

REASONS: Final = ("none", "read", "early", "write", "structure", "gone", "injected")
"""Why blocks had to run again, in the order in which the core counts them."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often a quantity fell into [1, 2), [2, 4), [4, 8) and so on; `counts[0]` counts 0."""

    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        """How many values were counted."""
        return sum(self.counts)

    def rows(self) -> list[tuple[int, int]]:
        """Pairs of the least value of a bucket and its count, without empty ones."""
        return [(1 << i >> 1, count) for i, count in enumerate(self.counts) if count]


@dataclass(frozen=True, slots=True)
class KeyHeat:
    """A key that blocks lost conflicts over, and how often."""

    variable: str
    key: Any
    conflicts: int


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of the region; `history_bytes` are part of `used_bytes`."""

    used_bytes: int
    max_bytes: int
    history_bytes: int
    history_limit: int


@dataclass(frozen=True, slots=True)
class Stats:
    """The counters of all threads of a store, added up.

    `conflicts` counts attempts that were lost and run again, and `aborts` tells their reasons, with
    `exception` for blocks left by an exception. `attempts` is the number of attempts per committed
    block; `read_set` and `write_set` count keys per committed block. `serial` counts attempts that
    ran where they cannot lose. `version` is the number of the last commit and `oldest_snapshot`
    that of the oldest one a running block sees.
    """

    commits: int
    read_only_commits: int
    conflicts: int
    serial: int
    aborts: Mapping[str, int]
    attempts: Histogram
    read_set: Histogram
    write_set: Histogram
    keys: tuple[KeyHeat, ...]
    memory: Memory
    version: int
    oldest_snapshot: int
    threads: int


def from_counters(raw: Mapping[str, Any]) -> Stats:
    """The record of what the core counted."""
    reasons = dict(zip(REASONS, raw["conflicts"], strict=True))
    return Stats(
        commits=raw["commits"],
        read_only_commits=raw["read_only_commits"],
        conflicts=sum(reasons.values()),
        serial=raw["serial"],
        aborts={"exception": raw["aborts"], **{k: n for k, n in reasons.items() if k != "none"}},
        attempts=Histogram(tuple(raw["attempts"])),
        read_set=Histogram(tuple(raw["read_set"])),
        write_set=Histogram(tuple(raw["write_set"])),
        keys=_hottest(raw["keys"]),
        memory=Memory(
            raw["used_bytes"], raw["max_bytes"], raw["history_bytes"], raw["history_limit"]
        ),
        version=raw["clock"],
        oldest_snapshot=raw["oldest_snapshot"],
        threads=raw["threads"],
    )


def _hottest(rows: list[tuple[str, Any, int, int]]) -> tuple[KeyHeat, ...]:
    """The rows of all threads, equal keys added up, hottest first."""
    counts: dict[tuple[str, Any], int] = {}
    for variable, key, _kind, count in rows:
        counts[variable, key] = counts.get((variable, key), 0) + count
    ranked = sorted(counts.items(), key=lambda item: -item[1])
    return tuple(KeyHeat(variable, key, count) for (variable, key), count in ranked)
