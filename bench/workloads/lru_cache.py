"""An LRU cache with statistics: each look-up moves its entry to the front of a doubly linked list.

The worst there is for optimistic blocks: all of them write the same end of the list. The invariant:
the list is the same in both directions and holds what was missed and not evicted.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import TYPE_CHECKING, Final

import stmpy as stm
from bench.workloads.invariant import expect

if TYPE_CHECKING:
    from bench.harness import Work

CAPACITY: Final = 32
KEYS: Final = 64
FRONT: Final = -1  # before the newest entry, and after the oldest

entries: stm.TVar[int, tuple[int, int, str]] = stm.TVar("lru entries")  # before, after, value
counts: stm.TVar[str, int] = stm.TVar("lru counts")


@stm.atomically
def begin(participants: int) -> None:
    entries.clear()
    entries[FRONT] = (FRONT, FRONT, "")
    counts.update(lookups=0, hits=0, misses=0, evictions=0)


def unlink(key: int) -> None:
    before, after, _ = entries.pop(key)
    entries[before] = (entries[before][0], after, entries[before][2])
    entries[after] = (before, entries[after][1], entries[after][2])


def push(key: int, value: str) -> None:
    """Puts the entry behind the front."""
    _, first, _ = entries[FRONT]
    entries[key] = (FRONT, first, value)
    entries[FRONT] = (entries[FRONT][0], key, "")
    entries[first] = (key, entries[first][1], entries[first][2])


def look_up(key: int) -> str:
    """The value, from the cache or made anew."""
    with stm.atomically():
        counts["lookups"] += 1
        if key in entries:
            counts["hits"] += 1
            value = entries[key][2]
            unlink(key)
        else:
            counts["misses"] += 1
            value = f"value of {key}"
            if counts["misses"] - counts["evictions"] > CAPACITY:
                unlink(entries[FRONT][0])
                counts["evictions"] += 1
        push(key, value)
        return value


def work(number: int) -> Work:
    random = Random(number)

    def run(n: int) -> None:
        for _ in range(n):
            key = min(random.randrange(KEYS), random.randrange(KEYS))
            value = look_up(key)
            expect(value == f"value of {key}", f"{value} under {key}")

    return run


def walk(known: dict[int, tuple[int, int, str]], direction: int) -> Iterator[int]:
    """The keys in one direction; no more than there are, should the list not be closed."""
    links = {key: entry[:2] for key, entry in known.items()}
    key = links[FRONT][direction]
    for _ in links:
        if key == FRONT:
            return
        yield key
        key = links[key][direction]


def check() -> None:
    with stm.snapshot():
        known, count = entries.copy(), counts.copy()
    ways = list(walk(known, 1)), list(walk(known, 0))
    expect(ways[0] == ways[1][::-1], "the list is not the same in both directions")
    expect({*ways[0], FRONT} == set(known), "an entry is not in the list")
    expect(count["hits"] + count["misses"] == count["lookups"], "a look-up is not counted")
    held = count["misses"] - count["evictions"]
    expect(len(known) - 1 == held <= CAPACITY, f"{len(known) - 1} entries, not {held}")
