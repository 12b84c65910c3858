"""STAMP's labyrinth: paths through a grid that must not cross, planned beforehand.

The plan is made on a snapshot outside of the block; the block takes the cells if they are all still
free. Each participant gives its oldest path back when it has several. The invariant: paths are
connected, and the cells that are taken are exactly theirs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Final

import stmpy as stm
from bench.workloads.invariant import expect

if TYPE_CHECKING:
    from bench.harness import Work

type Cell = tuple[int, int]

SIDE: Final = 20
PATHS: Final = 4  # that a participant holds at most

taken: stm.TVar[Cell, str] = stm.TVar("labyrinth taken")
paths: stm.TVar[str, list[Cell]] = stm.TVar("labyrinth paths")


@stm.atomically
def begin(participants: int) -> None:
    taken.clear()
    paths.clear()


def neighbours(cell: Cell) -> Iterator[Cell]:
    x, y = cell
    for one in ((x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)):
        if 0 <= one[0] < SIDE and 0 <= one[1] < SIDE:
            yield one


def plan(start: Cell, end: Cell) -> list[Cell]:
    """A shortest path over cells that are free now; empty if there is none."""
    blocked = set(taken.copy())
    if start in blocked or end in blocked:
        return []
    came_from: dict[Cell, Cell] = {start: start}
    edge = deque([start])
    while edge and end not in came_from:
        here = edge.popleft()
        for cell in neighbours(here):
            if cell not in came_from and cell not in blocked:
                came_from[cell] = here
                edge.append(cell)
    if end not in came_from:
        return []
    path = [end]
    while path[-1] != start:
        path.append(came_from[path[-1]])
    return path


def take(name: str, path: list[Cell]) -> bool:
    """Takes all cells of the path, or none if one of them is not free any more."""
    with stm.atomically():
        if any(cell in taken for cell in path):
            return False
        for cell in path:
            taken[cell] = name
        paths[name] = path
        return True


def give_back(name: str) -> None:
    with stm.atomically():
        for cell in paths.pop(name, []):
            del taken[cell]


def work(number: int) -> Work:
    random = Random(number)
    held: deque[str] = deque()

    def run(n: int) -> None:
        for _ in range(n):
            start, end = ((random.randrange(SIDE), random.randrange(SIDE)) for _ in range(2))
            path, name = plan(start, end), f"{number} {random.getrandbits(32)}"
            if path and take(name, path):
                held.append(name)
            if len(held) > PATHS:
                give_back(held.popleft())

    return run


def check() -> None:
    with stm.snapshot():
        known, cells = paths.copy(), taken.copy()
    owners = {cell: name for name, path in known.items() for cell in path}
    expect(sum(map(len, known.values())) == len(owners), "two paths cross")
    expect(owners == cells, "the cells that are taken are not those of the paths")
    for name, path in known.items():
        connected = all(b in neighbours(a) for a, b in pairwise(path))
        expect(connected, f"path {name} is torn")
