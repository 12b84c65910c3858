"""What more participants gain: 1 to twice the cores, in each layout, on three kinds of data.

`disjoint`: each increments a key of its own. `shared`: all transfer between 1,000 accounts. `hot`:
all increment one key. Then how conflicts grow as blocks of 8 increments fall on fewer keys.
"""

from __future__ import annotations

import os
from typing import Final

from bench import work
from bench.harness import Answer, Effort, Line, Measured, Series, Spread, measure, ratio_row
from bench.teams import Contended, Crew, Task, Team

LAYOUTS: Final = ("processes", "interpreters", "threads")  # forked before there are threads
PATTERNS: Final = ("disjoint", "shared", "hot")
SPREADS: Final = (1, 4, 16, 64, 256, 1_024)


def counts(effort: Effort) -> list[int]:
    """How many take part: 1, 2, 4 and so on, up to twice the cores."""
    most = 2 if effort == Effort.tiny() else 2 * (os.process_cpu_count() or 1)
    return [1 << power for power in range(most.bit_length()) if 1 << power <= most]


def tasks(pattern: str, count: int, prefix: str = "block") -> list[Task]:
    """What each participant does."""
    match pattern:
        case "disjoint":
            return [Task(f"{prefix}_increment", (f"of {number}",)) for number in range(count)]
        case "shared":
            return [Task(f"{prefix}_transfer", (10 + number,)) for number in range(count)]
        case _:
            return [Task(f"{prefix}_increment", ("hot",))] * count


def answer(effort: Effort) -> Answer:
    numbers = counts(effort)
    crews = {layout: Crew(layout, numbers[-1]) for layout in LAYOUTS}
    try:
        found = scaling(crews, numbers, effort)
        found.add(contention(crews["interpreters"], numbers, effort))
    finally:
        for crew in crews.values():
            crew.close()
    return found


# ---- scaling


def scaling(crews: dict[str, Crew], numbers: list[int], effort: Effort) -> Answer:
    """Every pattern in every layout, and a dict under a lock in threads beside it."""
    teams = {
        f"{pattern}, {crew.of(count)}": Team(crew, tasks(pattern, count))
        for pattern in PATTERNS
        for crew in crews.values()
        for count in numbers
    } | {
        f"{pattern}, lock and dict, {crews['threads'].of(count)}": Team(
            crews["threads"], tasks(pattern, count, "lock")
        )
        for pattern in PATTERNS
        for count in numbers
    }
    cases = measure(teams, effort)
    rows = [
        ratio_row(f"speed, {pattern}: {crew.of(count)} : 1",
                  cases, f"{pattern}, {crew.of(1)}", f"{pattern}, {crew.of(count)}")
        for pattern in PATTERNS
        for crew in crews.values()
        for count in numbers[1:]
    ]  # fmt: skip
    series = [speeds(pattern, crews, numbers, cases) for pattern in PATTERNS]
    return Answer(cases, rows, series)


def speeds(
    pattern: str, crews: dict[str, Crew], numbers: list[int], cases: dict[str, Measured]
) -> Series:
    """Blocks per second by the number of participants."""
    lines: dict[str, Line] = {
        layout: [(count, rate(cases[f"{pattern}, {crew.of(count)}"])) for count in numbers]
        for layout, crew in crews.items()
    }
    lines["lock and dict, threads"] = [
        (count, rate(cases[f"{pattern}, lock and dict, {crews['threads'].of(count)}"]))
        for count in numbers
    ]
    return Series(f"Scaling, {pattern} keys", "participants", "million blocks per second", lines)


def rate(case: Measured) -> Spread:
    """Millions per second."""
    return Spread.of(1e3 / one.ns for one in case.timings)


# ---- contention


def contention(crew: Crew, numbers: list[int], effort: Effort) -> Answer:
    """Blocks of 8 increments, of keys drawn from more and more of them, by all participants."""
    teams: dict[str, Contended] = {}
    for keys in SPREADS:
        name = f"bench spread {keys}"
        work.fill(name, keys)
        for count in numbers[1:]:
            drawn = [Task("random_increments", (name, keys, seed)) for seed in range(count)]
            teams[f"8 of {keys} keys, {crew.of(count)}"] = Contended(crew, drawn)
    cases = measure(teams, effort)
    lines: dict[str, Line] = {
        crew.of(count): [
            (keys, Spread.of(100 * (one - 1) for one in team.attempts[1:]))
            for keys in SPREADS
            for team in [teams[f"8 of {keys} keys, {crew.of(count)}"]]
        ]
        for count in numbers[1:]
    }
    across, up = "keys from which all draw 8 to increment", "conflicts per 100 commits"
    picture = Series("Conflicts against contention", across, up, lines, "x")
    return Answer(cases, series=[picture])
