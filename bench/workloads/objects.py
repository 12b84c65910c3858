"""An object graph like STMBench7's: assemblies over composite parts over graphs of atomic parts.

Long and short traversals, changes of single parts, and changes of the structure run side by side;
an index by build date has to follow. The invariant: every part is reached exactly once, rings are
closed, and the index holds each part under its date.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final

import stmpy as stm
from bench.workloads.invariant import expect

if TYPE_CHECKING:
    from bench.harness import Work

FANOUT: Final = 3  # children of an assembly; the tree has so many levels, too
COMPOSITES: Final = FANOUT**3
PARTS: Final = 8  # atomic parts of a composite one, in a ring
DATES: Final = 16

assemblies: stm.TVar[tuple[int, ...], list[int]] = stm.TVar("objects assemblies")
rings: stm.TVar[int, list[int]] = stm.TVar("objects composites")  # the atomic parts of each
parts: stm.TVar[int, tuple[int, int, int]] = stm.TVar("objects parts")  # x, y, date
by_date: stm.TVar[int, list[int]] = stm.TVar("objects by date")


@stm.atomically
def begin(participants: int) -> None:
    for variable in (assemblies, rings, parts, by_date):
        variable.clear()
    by_date.update({date: [] for date in range(DATES)})
    for number in range(COMPOSITES):
        path = (number // FANOUT**2, number // FANOUT % FANOUT)
        assemblies.setdefault(path, [])
        assemblies[path].append(number)
        rings[number] = []
        for one in range(PARTS):
            add_part(number, number * PARTS + one, date=one % DATES)


def add_part(composite: int, part: int, date: int) -> None:
    parts[part] = (part, -part, date)
    rings[composite].append(part)
    by_date[date].append(part)


def traverse() -> int:
    """Visits every part, on one snapshot: the long traversal."""
    with stm.snapshot():
        return sum(
            parts[part][0] + parts[part][1]
            for composites in assemblies.values()
            for composite in composites
            for part in rings[composite]
        )


def swap(composite: int) -> None:
    """Exchanges x and y of all parts of a composite one."""
    with stm.atomically():
        for part in rings[composite]:
            x, y, date = parts[part]
            parts[part] = (y, x, date)


def change_date(part: int, date: int) -> None:
    """Moves a part in the index, if it is there."""
    with stm.atomically():
        if part not in parts:
            return
        x, y, old = parts[part]
        parts[part] = (x, y, date)
        by_date[old].remove(part)
        by_date[date].append(part)


def rebuild(composite: int, date: int) -> None:
    """Takes the first part out of the ring and puts a new one at its end."""
    with stm.atomically():
        old = rings[composite].pop(0)
        _, _, its_date = parts.pop(old)
        by_date[its_date].remove(old)
        add_part(composite, old + PARTS * COMPOSITES, date)


def move_composite(source: tuple[int, int], target: tuple[int, int]) -> None:
    """Moves the last composite part of one assembly to another one."""
    with stm.atomically():
        if source != target and assemblies[source]:
            assemblies[target].append(assemblies[source].pop())


def work(number: int) -> Work:
    random = Random(number)

    def path() -> tuple[int, int]:
        return random.randrange(FANOUT), random.randrange(FANOUT)

    def run(n: int) -> None:
        for _ in range(n):
            turn, composite = random.random(), random.randrange(COMPOSITES)
            if turn < 0.02:
                expect(traverse() == 0, "a traversal saw a part half changed")
            elif turn < 0.6:
                swap(composite)
            elif turn < 0.8:
                change_date(random.randrange(COMPOSITES * PARTS), random.randrange(DATES))
            elif turn < 0.95:
                rebuild(composite, random.randrange(DATES))
            else:
                move_composite(path(), path())

    return run


def check() -> None:
    with stm.snapshot():
        placed = sorted(one for composites in assemblies.values() for one in composites)
        reached = sorted(part for ring in rings.values() for part in ring)
        known, index = parts.copy(), by_date.copy()
    expect(placed == list(range(COMPOSITES)), "a composite part is lost, or in two places")
    expect(reached == sorted(known), "an atomic part is lost, or in two places")
    expect(len(known) == COMPOSITES * PARTS, "there are more or fewer parts than before")
    dated = sorted((date, part) for date, listed in index.items() for part in listed)
    expect(dated == sorted((date, part) for part, (_, _, date) in known.items()), "a wrong index")
