"""What a check found: anomalies counted by kind, the first few of each with their story."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

# What each kind means, in the words of a reader who has not met the names (Adya 1999, Elle 2020).
MEANING: Final = {
    "internal": "an attempt did not see what it had itself read or written",
    "unwritten": "a value was read that nobody wrote",
    "duplicate": "a value that was written once is there twice",
    "incompatible order": "two reads show the elements of one list in different orders",
    "G0": "write cycle: the writes of transactions interleave",
    "G1a": "aborted read: a value was read whose writer aborted",
    "G1b": "intermediate read: a value was read that its writer overwrote before committing",
    "G1c": "circular information flow: transactions saw each other's writes",
    "lost update": "two transactions changed the same version of a key, so one change is gone",
    "G-single": "read skew: a transaction saw the world partly before and partly after another",
    "G2-item": "write skew: transactions each missed what another wrote",
    "G2": "phantom: transactions each missed the keys that another inserted or deleted",
    "G-nonadjacent": "a cycle that snapshot isolation forbids: no two anti-dependencies in a row",
    "snapshot": "an attempt read something other than the latest commit at its snapshot",
    "opacity": "no order of the transactions has a place for what an aborted attempt saw",
    "counter": "a counter showed another sum than that of the additions committed by then",
    "version": "two commits have the same version",
}
REAL_TIME: Final = "-realtime"  # the same cycle, with `returned before the other began` as an edge


@dataclass(frozen=True)
class Anomaly:
    kind: str
    attempts: tuple[int, ...]
    story: str


@dataclass
class Findings:
    """Counts every anomaly, keeps `keep` stories of each kind."""

    keep: int = 3
    counts: Counter[str] = field(default_factory=Counter)
    anomalies: list[Anomaly] = field(default_factory=list)

    def add(self, kind: str, attempts: tuple[int, ...], story: str) -> None:
        self.counts[kind] += 1
        if self.counts[kind] <= self.keep:
            self.anomalies.append(Anomaly(kind, attempts, story))

    def __str__(self) -> str:
        parts = []
        for kind, count in sorted(self.counts.items()):
            parts.append(f"{kind} x {count}: {MEANING[kind.removesuffix(REAL_TIME)]}")
            parts += [found.story for found in self.anomalies if found.kind == kind]
        return "\n".join(parts) or "no anomaly"
