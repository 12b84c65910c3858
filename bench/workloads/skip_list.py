"""A skip list (Pugh, 1990): each key has a tower whose height is drawn from its hash."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import TYPE_CHECKING, Final

import stmpy as stm
from bench.workloads import sets
from bench.workloads.invariant import expect

if TYPE_CHECKING:
    from bench.harness import Work

HEAD: Final = -1
END: Final = 1 << 30
LEVELS: Final = 6


def height(key: int) -> int:
    """1 for half of the keys, 2 for a quarter and so on; always the same for one key."""
    bits = Random(key).getrandbits(LEVELS - 1) | 1 << LEVELS - 1
    return (bits & -bits).bit_length()


class SkipList:
    """Links by key and level."""

    def __init__(self, name: str) -> None:
        self.next: stm.TVar[tuple[int, int], int] = stm.TVar(name)

    def clear(self) -> None:
        self.next.clear()
        self.next.update({(HEAD, level): END for level in range(LEVELS)})

    def _before(self, key: int) -> list[int]:
        """On each level, the last node that is less."""
        path, node = [HEAD] * LEVELS, HEAD
        for level in reversed(range(LEVELS)):
            while (after := self.next[node, level]) < key:
                node = after
            path[level] = node
        return path

    def __contains__(self, key: int) -> bool:
        return self.next[self._before(key)[0], 0] == key

    def add(self, key: int) -> bool:
        path = self._before(key)
        if self.next[path[0], 0] == key:
            return False
        for level in range(height(key)):
            self.next[key, level] = self.next[path[level], level]
            self.next[path[level], level] = key
        return True

    def remove(self, key: int) -> bool:
        path = self._before(key)
        if self.next[path[0], 0] != key:
            return False
        for level in range(height(key)):
            self.next[path[level], level] = self.next.pop((key, level))
        return True

    def level(self, level: int) -> Iterator[int]:
        key = self.next[HEAD, level]
        while key != END:
            yield key
            key = self.next[key, level]

    def keys(self) -> list[int]:
        found = list(self.level(0))
        for level in range(1, LEVELS):
            wanted = [key for key in found if height(key) > level]
            expect(list(self.level(level)) == wanted, f"level {level} misses keys")
        return found


keys = SkipList("skip list")
tally: stm.TVar[int, int] = stm.TVar("skip list tally")
begin, check = sets.beginner(keys, tally), sets.checker(keys, tally)


def work(number: int, updates: int) -> Work:
    return sets.worker(keys, tally, number, updates)
