"""A hash set of 64 buckets, each a sorted list of its keys: short blocks with few conflicts."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING, Final

import stmpy as stm
from bench.workloads import sets
from bench.workloads.invariant import expect

if TYPE_CHECKING:
    from bench.harness import Work

BUCKETS: Final = 64


class HashSet:
    """Lists by the hash of their keys; a list that was read is changed in place."""

    def __init__(self, name: str) -> None:
        self.buckets: stm.TVar[int, list[int]] = stm.TVar(name)

    def clear(self) -> None:
        self.buckets.update({number: [] for number in range(BUCKETS)})

    def __contains__(self, key: int) -> bool:
        return key in self.buckets[hash(key) % BUCKETS]

    def add(self, key: int) -> bool:
        bucket = self.buckets[hash(key) % BUCKETS]
        if key in bucket:
            return False
        insort(bucket, key)
        return True

    def remove(self, key: int) -> bool:
        bucket = self.buckets[hash(key) % BUCKETS]
        if key not in bucket:
            return False
        del bucket[bisect_left(bucket, key)]
        return True

    def keys(self) -> list[int]:
        found = []
        for number, bucket in self.buckets.copy().items():
            expect(bucket == sorted(bucket), f"bucket {number} is not in order")
            expect(all(hash(key) % BUCKETS == number for key in bucket), "a key is misplaced")
            found += bucket
        return sorted(found)


keys = HashSet("hash set")
tally: stm.TVar[int, int] = stm.TVar("hash set tally")
begin, check = sets.beginner(keys, tally), sets.checker(keys, tally)


def work(number: int, updates: int) -> Work:
    return sets.worker(keys, tally, number, updates)
