"""A sorted linked list: the longest read sets that a small structure can have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import stmpy as stm
from bench.workloads import sets

if TYPE_CHECKING:
    from bench.harness import Work

HEAD: Final = -1
END: Final = 1 << 30


class LinkedList:
    """Each key points to the next one."""

    def __init__(self, name: str) -> None:
        self.next: stm.TVar[int, int] = stm.TVar(name)

    def clear(self) -> None:
        self.next.clear()
        self.next[HEAD] = END

    def _before(self, key: int) -> tuple[int, int]:
        """The last node that is less, and its successor."""
        before, after = HEAD, self.next[HEAD]
        while after < key:
            before, after = after, self.next[after]
        return before, after

    def __contains__(self, key: int) -> bool:
        return self._before(key)[1] == key

    def add(self, key: int) -> bool:
        before, after = self._before(key)
        if after == key:
            return False
        self.next[key] = after
        self.next[before] = key
        return True

    def remove(self, key: int) -> bool:
        before, after = self._before(key)
        if after != key:
            return False
        self.next[before] = self.next.pop(key)
        return True

    def keys(self) -> Iterator[int]:
        key = self.next[HEAD]
        while key != END:
            yield key
            key = self.next[key]


keys = LinkedList("linked list")
tally: stm.TVar[int, int] = stm.TVar("linked list tally")
begin, check = sets.beginner(keys, tally), sets.checker(keys, tally)


def work(number: int, updates: int) -> Work:
    return sets.worker(keys, tally, number, updates)
