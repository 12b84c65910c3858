"""STAMP's k-means: points go to the nearest of 8 centres, which then move to their middle.

Each block adds a chunk of points to the sums of their centres; the one that adds the last chunk of
a round moves the centres. Coordinates are whole numbers, so that sums are exact. The invariant: the
sums of the centres are the sum of all points that were added.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final

import stmpy as stm
from bench.workloads.invariant import expect

if TYPE_CHECKING:
    from bench.harness import Work

type Point = tuple[int, int]

CENTRES: Final = 8
CHUNK: Final = 16
_random = Random(1)
POINTS: Final[list[Point]] = [
    (_random.randrange(1_000), _random.randrange(1_000)) for _ in range(1_024)
]

centres: stm.TVar[int, Point] = stm.TVar("k-means centres")
sums: stm.TVar[int, tuple[int, int, int]] = stm.TVar("k-means sums")  # x, y, how many points
progress: stm.TVar[str, int] = stm.TVar("k-means progress")


@stm.atomically
def begin(participants: int) -> None:
    progress.update(first=0, rounds=0)
    for number in range(CENTRES):
        centres[number] = POINTS[number]
        sums[number] = (0, 0, 0)


def nearest(point: Point, to: dict[int, Point]) -> int:
    x, y = point
    return min(to, key=lambda number: (to[number][0] - x) ** 2 + (to[number][1] - y) ** 2)


def add_chunk() -> None:
    """Adds the next points; at the end of a round, moves the centres."""
    with stm.atomically():
        first, where = progress["first"], centres.copy()
        for point in POINTS[first : first + CHUNK]:
            number = nearest(point, where)
            x, y, count = sums[number]
            sums[number] = (x + point[0], y + point[1], count + 1)
        progress["first"] = first + CHUNK
        if first + CHUNK >= len(POINTS):
            move()


def move() -> None:
    """Puts each centre in the middle of its points, and starts the next round."""
    for number in range(CENTRES):
        x, y, count = sums[number]
        if count:
            centres[number] = (x // count, y // count)
        sums[number] = (0, 0, 0)
    progress["first"] = 0
    progress["rounds"] += 1


def work(number: int) -> Work:
    def run(n: int) -> None:
        for _ in range(n):
            add_chunk()

    return run


def check() -> None:
    with stm.snapshot():
        added = POINTS[: progress["first"]]
        found = list(sums.copy().values())
    for axis in (0, 1):
        total = sum(point[axis] for point in added)
        expect(sum(one[axis] for one in found) == total, "points are lost or counted twice")
    expect(sum(count for _, _, count in found) == len(added), "the counts are not of all points")
