"""What `stmpy bench` measures: loops of small blocks, beside the same under a lock and a dict.

Each function prepares its work and returns a loop that does it so many times. Those with a block
take the variable, of the default store, so that an interpreter of a pool can prepare them as well.
"""

import threading
import time
from collections.abc import Callable
from random import Random
from typing import Final

import stmpy as stm

__all__ = ["ACCOUNTS", "DEPOSIT", "blocks", "locked", "take_part"]

type Loop = Callable[[int], None]
type Counters = stm.TVar[int, int]

ACCOUNTS: Final = 1_000
DEPOSIT: Final = 1_000
_TURN: Final = 500  # blocks between two looks at the clock


def _pairs(seed: int) -> list[tuple[int, int]]:
    """Different accounts, drawn beforehand."""
    random = Random(seed)
    drawn = (random.sample(range(ACCOUNTS), 2) for _ in range(2_000))
    return [(source, target) for source, target in drawn]


def _increment(tv: Counters, seed: int) -> Loop:
    def run(n: int) -> None:
        for _ in range(n):
            with stm.atomically():
                tv[seed] += 1

    return run


def _read(tv: Counters, seed: int) -> Loop:
    def run(n: int) -> None:
        for _ in range(n):
            with stm.atomically():
                tv[0], tv[1], tv[2], tv[3], tv[4], tv[5], tv[6], tv[7], tv[8], tv[9]

    return run


def _transfer(tv: Counters, seed: int) -> Loop:
    pairs = _pairs(seed)

    def run(n: int) -> None:
        for number in range(n):
            source, target = pairs[number % 2_000]
            with stm.atomically():
                tv[source] -= 1
                tv[target] += 1

    return run


blocks: Final[dict[str, Callable[[Counters, int], Loop]]] = {
    "increment": _increment,
    "read 10 keys": _read,
    "transfer": _transfer,
}


def _locked_increment(lock: threading.Lock, d: dict[int, int]) -> Loop:
    def run(n: int) -> None:
        for _ in range(n):
            with lock:
                d[0] += 1

    return run


def _locked_read(lock: threading.Lock, d: dict[int, int]) -> Loop:
    def run(n: int) -> None:
        for _ in range(n):
            with lock:
                d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7], d[8], d[9]

    return run


def _locked_transfer(lock: threading.Lock, d: dict[int, int]) -> Loop:
    pairs = _pairs(0)

    def run(n: int) -> None:
        for number in range(n):
            source, target = pairs[number % 2_000]
            with lock:
                d[source] -= 1
                d[target] += 1

    return run


locked: Final[dict[str, Callable[[threading.Lock, dict[int, int]], Loop]]] = {
    "increment": _locked_increment,
    "read 10 keys": _locked_read,
    "transfer": _locked_transfer,
}


def take_part(
    name: str, tv: Counters, seed: int, start: float, seconds: float
) -> tuple[int, float, float]:
    """One participant's blocks, from `start` of the common clock on: how many, begin, end."""
    loop = blocks[name](tv, seed)
    while time.perf_counter() < start:
        pass
    began = ended = time.perf_counter()
    done = 0
    while ended - began < seconds:
        loop(_TURN)
        done += _TURN
        ended = time.perf_counter()
    return done, began, ended
