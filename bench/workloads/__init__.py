"""Workloads that everybody in the field knows, over the public API: one a file.

Each module offers `begin(participants)`, which puts in its data, `work(number)`, which makes the
loop of one participant, and `check()`, which raises `Broken` unless its invariant holds.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final

from bench.harness import Answer, Case, Effort, Row, Spread, Timing, measure, ratio_row
from bench.teams import Contended, Crew, Task
from bench.workloads.sets import UPDATES

SETS: Final = ("linked_list", "skip_list", "hash_set", "red_black_tree")
OTHERS: Final = (
    "bank", "vacation", "kmeans", "intruder", "labyrinth", "genome", "objects", "token_ring",
    "rate_limiter", "lru_cache", "job_claims",
)  # fmt: skip
VARIANTS: Final = [(name, (updates,)) for name in SETS for updates in UPDATES] + [
    (name, ()) for name in OTHERS
]


class Checked(Contended):
    """A workload on fresh data, whose invariant is checked after each measurement."""

    def __init__(self, crew: Crew, name: str, args: tuple[object, ...], count: int) -> None:
        self.module = import_module(f"{__name__}.{name}")
        self.count = count
        tasks = [Task("work", (number, *args), self.module.__name__) for number in range(count)]
        super().__init__(crew, tasks)

    def measure(self, seconds: float) -> Timing:
        self.module.begin(self.count)
        timing = super().measure(seconds)
        self.module.check()
        return timing


def title(name: str, args: tuple[object, ...]) -> str:
    """How a table calls it."""
    return name.replace("_", " ") + "".join(f", {updates} % updates" for updates in args)


def answer(effort: Effort) -> Answer:
    """Each workload in one interpreter and in two, in rounds of its own."""
    found = Answer()
    crew = Crew("interpreters", 2)
    try:
        for name, args in VARIANTS:
            found.add(compare(crew, name, args, effort))
    finally:
        crew.close()
    return found


def compare(crew: Crew, name: str, args: tuple[object, ...], effort: Effort) -> Answer:
    """One workload: what a second interpreter brings, and how often blocks ran again."""
    what = title(name, args)
    alone, both = f"{what}, 1 interpreter", f"{what}, 2 interpreters"
    found = Answer()
    teams: dict[str, Checked] = {}
    for case, count in ((alone, 1), (both, 2)):
        teams[case] = Checked(crew, name, args, count)
    cases: dict[str, Case | Exception] = {**teams}
    found.cases = measure(cases, effort)
    found.rows.append(ratio_row(f"{what}: speed of 2 interpreters : 1", found.cases, alone, both))
    if not found.cases[both].error:
        conflicts = Spread.of(1_000 * (one - 1) for one in teams[both].attempts[1:])
        found.rows.append(Row(f"{what}: conflicts per 1,000 commits", conflicts, ""))
    return found
