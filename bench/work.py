"""The work that is measured. Each function prepares it and returns a loop that does it n times.

The same statements stand on the left and the right of each ratio; what differs is who keeps the
data: a `TVar` in a block, or a dict under a lock.
"""

from __future__ import annotations

import threading
from array import array
from collections.abc import Iterator
from itertools import cycle, islice
from random import Random
from typing import TYPE_CHECKING, Final

import stmpy as stm

if TYPE_CHECKING:
    from bench.harness import Work  # not imported where every instruction is counted

ACCOUNTS: Final = 1_000
DEPOSIT: Final = 1_000_000


def counters(*keys: object) -> stm.TVar[object, int]:
    """Counters by key, which stand at 0 or more."""
    tv: stm.TVar[object, int] = stm.TVar("bench counters")

    def begin() -> None:
        for key in keys:
            tv.setdefault(key, 0)

    stm.run(begin)
    return tv


def accounts() -> stm.TVar[int, int]:
    """The accounts of the bank, all of them opened."""
    tv: stm.TVar[int, int] = stm.TVar("bench accounts")

    def begin() -> None:
        if len(tv) < ACCOUNTS:
            for number in range(ACCOUNTS):
                tv[number] = DEPOSIT

    stm.run(begin)
    return tv


def pairs(seed: int) -> Iterator[tuple[int, int]]:
    """Endless pairs of different accounts, drawn beforehand."""
    random = Random(seed)
    return cycle([tuple(random.sample(range(ACCOUNTS), 2)) for _ in range(5_000)])  # type: ignore[misc]  # samples of 2


# ---- increments


def increment_in(store: stm.Store) -> Work:
    """Increments of one key of a store of its own."""
    tv: stm.TVar[str, int] = stm.TVar("increments", {"k": 0}, store=store)

    def run(n: int) -> None:
        for _ in range(n):
            with store.atomically():
                tv["k"] += 1

    return run


def block_increment(key: str = "k") -> Work:
    tv = counters(key)

    def run(n: int) -> None:
        for _ in range(n):
            with stm.atomically():
                tv[key] += 1

    return run


def function_increment(key: str = "k") -> Work:
    tv = counters(key)

    @stm.atomically
    def increment() -> None:
        tv[key] += 1

    def run(n: int) -> None:
        for _ in range(n):
            increment()

    return run


_shared_lock = threading.Lock()
_shared_counters: dict[str, int] = {}


def lock_increment(key: str = "k") -> Work:
    lock, d = _shared_lock, _shared_counters
    d.setdefault(key, 0)

    def run(n: int) -> None:
        for _ in range(n):
            with lock:
                d[key] += 1

    return run


# ---- reads


def block_read_ten() -> Work:
    tv = accounts()

    def run(n: int) -> None:
        for _ in range(n):
            with stm.atomically():
                tv[0], tv[1], tv[2], tv[3], tv[4], tv[5], tv[6], tv[7], tv[8], tv[9]

    return run


def lock_read_ten() -> Work:
    lock, d = threading.Lock(), dict.fromkeys(range(ACCOUNTS), DEPOSIT)

    def run(n: int) -> None:
        for _ in range(n):
            with lock:
                d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7], d[8], d[9]

    return run


def read_many(name: str, keys: int) -> Work:
    """Reads so many keys in one block, one by one."""
    tv: stm.TVar[int, int] = stm.TVar(name)
    wanted = range(keys)

    def run(n: int) -> None:
        for _ in range(n):
            with stm.atomically():
                for key in wanted:
                    tv[key]

    return run


def read_many_at_once(name: str, keys: int) -> Work:
    """The same by one call."""
    tv: stm.TVar[int, int] = stm.TVar(name)
    wanted = range(keys)

    def run(n: int) -> None:
        for _ in range(n):
            with stm.atomically():
                tv.get_many(wanted)

    return run


def read_many_and_write(name: str, keys: int) -> Work:
    """Reads so many keys and changes another one, so that the reads are validated at the commit."""
    tv: stm.TVar[int, int] = stm.TVar(name)
    wanted = range(keys)

    def run(n: int) -> None:
        for _ in range(n):
            with stm.atomically():
                for key in wanted:
                    tv[key]
                tv[-1] = tv.get(-1, 0) + 1

    return run


def block_read(key: str = "k") -> Work:
    tv = counters(key)

    def run(n: int) -> None:
        for _ in range(n):
            with stm.atomically():
                tv[key]

    return run


# ---- the bank


def block_transfer(seed: int) -> Work:
    tv, moves = accounts(), pairs(seed)

    def run(n: int) -> None:
        for source, target in islice(moves, n):
            with stm.atomically():
                tv[source] -= 1
                tv[target] += 1

    return run


_shared_accounts = dict.fromkeys(range(ACCOUNTS), DEPOSIT)


def lock_transfer(seed: int) -> Work:
    lock, d, moves = _shared_lock, _shared_accounts, pairs(seed)

    def run(n: int) -> None:
        for source, target in islice(moves, n):
            with lock:
                d[source] -= 1
                d[target] += 1

    return run


def same(total: int) -> None:
    """What every audit has to find."""
    if total != ACCOUNTS * DEPOSIT:
        raise AssertionError(f"the accounts hold {total}, not {ACCOUNTS * DEPOSIT}")


def audit() -> Work:
    """Adds up all accounts at one snapshot; the total must be the same at every moment."""
    tv = accounts()
    numbers = range(ACCOUNTS)

    def run(n: int) -> None:
        for _ in range(n):
            with stm.snapshot():
                total = sum(tv[number] for number in numbers)
            same(total)

    return run


def block_total() -> Work:
    """The same in a block that could also write."""
    tv, numbers = accounts(), range(ACCOUNTS)

    def run(n: int) -> None:
        for _ in range(n):
            with stm.atomically():
                total = sum(tv[number] for number in numbers)
            same(total)

    return run


def bulk_total() -> Work:
    """The same by one call."""
    tv, numbers = accounts(), range(ACCOUNTS)

    def run(n: int) -> None:
        for _ in range(n):
            with stm.atomically():
                total = sum(tv.get_many(numbers, 0).values())
            same(total)

    return run


# ---- many keys


def fill(name: str, keys: int, store: stm.Store | None = None) -> None:
    """Gives the variable so many keys with the value 0."""
    tv: stm.TVar[int, int] = stm.TVar(name, store=store)
    for first in range(0, keys, 10_000):
        with stm.atomically(store=store):
            for key in range(first, min(first + 10_000, keys)):
                tv[key] = 0


def random_increment(name: str, keys: int, seed: int = 0, store: stm.Store | None = None) -> Work:
    """Increments keys drawn evenly; drawn beforehand, and as cheap to draw for few as for many."""
    tv: stm.TVar[int, int] = stm.TVar(name, store=store)
    random = Random(keys + seed)
    drawn = cycle(array("i", (random.randrange(keys) for _ in range(400_000))))

    def run(n: int) -> None:
        for key in islice(drawn, n):
            with stm.atomically(store=store):
                tv[key] += 1

    return run


def random_increments(name: str, keys: int, seed: int) -> Work:
    """Blocks of 8 increments of keys drawn evenly, long enough to meet others'."""
    tv: stm.TVar[int, int] = stm.TVar(name)
    random = Random(seed)
    drawn = cycle([random.choices(range(keys), k=8) for _ in range(5_000)])

    def run(n: int) -> None:
        for chosen in islice(drawn, n):
            with stm.atomically():
                for key in chosen:
                    tv[key] += 1

    return run


# ---- values


def write_value(size: int) -> Work:
    """Stores bytes of this size, two kinds in turn: what is there already would not be stored."""
    tv: stm.TVar[str, bytes] = stm.TVar("bench values")
    values = cycle([b"a" * size, b"b" * size])
    key = f"write {size}"

    def run(n: int) -> None:
        for value in islice(values, n):
            with stm.atomically():
                tv[key] = value

    return run


def read_value(size: int) -> Work:
    """Reads a list of one bytes object of this size: a list is copied out at each read."""
    tv: stm.TVar[str, list[bytes]] = stm.TVar("bench values")
    key = f"read {size}"
    with stm.atomically():
        tv[key] = [b"a" * size]

    def run(n: int) -> None:
        for _ in range(n):
            with stm.atomically():
                tv[key]

    return run
