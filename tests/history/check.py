"""Check a history: the one function to call is `check`."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

from tests.history.counters import check_counters
from tests.history.cycles import find_cycle, groups_of
from tests.history.findings import Findings
from tests.history.graph import Edges, cyclic_groups
from tests.history.keyview import references_by_key, view_key
from tests.history.model import COMMITTED, NOT_KNOWN, History
from tests.history.order import check_key
from tests.history.story import tell_cycle

type Isolation = Literal["serializable", "snapshot"]

EXAMINED_GROUPS: Final = 500  # cycles beyond these are counted, but not named or told


@dataclass(frozen=True)
class Report:
    attempts: int
    committed: int
    dependencies: int
    cycles: int
    findings: Findings

    @property
    def clean(self) -> bool:
        return not self.findings.counts and not self.cycles

    @property
    def kinds(self) -> set[str]:
        return set(self.findings.counts)

    def __str__(self) -> str:
        sizes = (
            f"{self.attempts:,} attempts, {self.committed:,} committed,"
            f" {self.dependencies:,} dependencies, {self.cycles:,} groups with cycles"
        )
        return f"{sizes}\n{self.findings}"


def check(history: History, isolation: Isolation = "serializable") -> Report:
    """Whether the history is strictly serializable (or strong snapshot isolation) and opaque.

    Each key is looked at by itself, for what one key can show and for the dependencies between
    attempts that it implies; then cycles are searched in all dependencies and real time together.
    Attempts that aborted take part as readers: that one order has a place for them too is opacity.
    Takes time and memory linear in the number of operations, up to sorting by time.
    """
    history.settle_unknown()
    findings, edges = Findings(), Edges()
    _check_versions(history, findings)
    split = isolation == "snapshot"
    check_counters(history, findings, snapshot_isolation=split)
    groups = references_by_key(history)
    for key in list(groups):
        view = view_key(history, key, groups.pop(key), findings)
        check_key(history, view, edges, findings, snapshot_isolation=split)
    found = cyclic_groups(len(history), edges, (history.begin, history.end), split=split)
    for group in groups_of(history, edges, found[:EXAMINED_GROUPS]):
        cycle = find_cycle(group, snapshot_isolation=split)
        assert cycle is not None, "a strongly connected group of attempts has a cycle"
        attempts = tuple(edge.source for edge in cycle.edges)
        findings.add(cycle.kind, attempts, tell_cycle(history, cycle))
    committed = history.status.count(COMMITTED)
    return Report(len(history), committed, len(edges), len(found), findings)


def _check_versions(history: History, findings: Findings) -> None:
    """The store gives no two commits the same version."""
    order: array[int] = array("q", range(len(history)))
    stamped = sorted(
        (a for a in order if history.version[a] != NOT_KNOWN), key=history.version.__getitem__
    )
    for one, other in pairwise(stamped):
        if history.version[one] == history.version[other]:
            what = f"  {history.title(one)} and {history.title(other)}"
            findings.add("version", (one, other), f"{what} committed as {history.version[one]}")
