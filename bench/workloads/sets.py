"""What the four sorted and hashed sets have in common: look-ups, and updates at 0, 10 and 50 %.

Each keeps a tally of what it added and removed, in the same block; the invariant is that the set
holds that many keys, and that its own structure is sound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random
from typing import TYPE_CHECKING, Final, Protocol

import stmpy as stm
from bench.workloads.invariant import expect

if TYPE_CHECKING:
    from bench.harness import Work

RANGE: Final = 256  # keys are drawn from so many; half of them are there
UPDATES: Final = (0, 10, 50)


class SortedSet(Protocol):
    """A set that is built of transactional variables."""

    def clear(self) -> None: ...
    def __contains__(self, key: int, /) -> bool: ...
    def add(self, key: int, /) -> bool:
        """True if it was not there."""
        ...

    def remove(self, key: int, /) -> bool:
        """True if it was there."""
        ...

    def keys(self) -> Iterable[int]:
        """All keys; raises `Broken` if the structure is not sound."""
        ...


def beginner(keys: SortedSet, tally: stm.TVar[int, int]) -> Callable[[int], None]:
    """The `begin` of a workload on this set."""

    def begin(participants: int) -> None:
        with stm.atomically():
            keys.clear()
            tally.clear()
        for key in range(0, RANGE, 2):
            with stm.atomically():
                keys.add(key)
        with stm.atomically():
            tally[-1] = RANGE // 2

    return begin


def worker(keys: SortedSet, tally: stm.TVar[int, int], number: int, updates: int) -> Work:
    """The `work` of a workload on this set, with so many updates in a hundred."""
    random = Random(number)

    def run(n: int) -> None:
        for _ in range(n):
            key, turn = random.randrange(RANGE), random.randrange(200)
            with stm.atomically():
                if turn < updates:
                    if keys.add(key):
                        tally[number] = tally.get(number, 0) + 1
                elif turn < 2 * updates:
                    if keys.remove(key):
                        tally[number] = tally.get(number, 0) - 1
                else:
                    key in keys  # noqa: B015  # looking is the work

    return run


def checker(keys: SortedSet, tally: stm.TVar[int, int]) -> Callable[[], None]:
    """The `check` of a workload on this set."""

    def check() -> None:
        with stm.snapshot():
            found, counted = list(keys.keys()), sum(tally.copy().values())
        expect(found == sorted(set(found)), "the keys are not in order, or not different")
        expect(len(found) == counted, f"{len(found)} keys, but {counted} were added")

    return check
