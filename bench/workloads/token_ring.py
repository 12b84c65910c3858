"""A token ring: each participant waits for the token by `check` and hands it on.

Every step is a hand-over between two participants, so this measures how fast a waiter is woken. A
participant whose neighbour has left waits a moment and gives up. The invariant: there is one token,
and it has come where the number of steps says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import stmpy as stm
from bench.workloads.invariant import expect

if TYPE_CHECKING:
    from bench.harness import Work

PATIENCE: Final = 0.002  # seconds
tokens: stm.TVar[int, int] = stm.TVar("token ring")  # the steps so far, where the token is
size: stm.TRef[int] = stm.TRef("token ring size")


@stm.atomically
def begin(participants: int) -> None:
    tokens.clear()
    tokens[0] = 0
    size.value = participants


@stm.atomically(timeout=PATIENCE)
def hand_on(place: int) -> None:
    """Waits until the token is here, and gives it to the next place."""
    stm.check(place in tokens)
    tokens[(place + 1) % size.value] = tokens.pop(place) + 1


def work(number: int) -> Work:
    def run(n: int) -> None:
        for _ in range(n):
            try:
                hand_on(number)
            except stm.TransactionTimeout:
                return

    return run


def check() -> None:
    with stm.snapshot():
        places, count = tokens.copy(), size.value
    expect(len(places) == 1, f"{len(places)} tokens")
    [(place, steps)] = places.items()
    expect(place == steps % count, f"after {steps} steps of {count} the token is at {place}")
