"""A rate limiter: clients have buckets of tokens that fill with a shared clock.

The clock is a counter that some of the blocks advance. The invariant: what a client has used,
lost over the brim and still has is what it got.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple

import stmpy as stm
from bench.workloads.invariant import expect

if TYPE_CHECKING:
    from bench.harness import Work

CLIENTS: Final = 64
CAPACITY: Final = 10
RATE: Final = 2  # tokens per tick


class Bucket(NamedTuple):
    """What is kept of a client, as a plain tuple."""

    tokens: int = CAPACITY
    tick: int = 0
    granted: int = 0
    overflow: int = 0


buckets: stm.TVar[int, tuple[int, int, int, int]] = stm.TVar("rate limiter buckets")
clock: stm.TRef[int] = stm.TRef("rate limiter clock")


@stm.atomically
def begin(participants: int) -> None:
    clock.value = 0
    buckets.update({client: tuple(Bucket()) for client in range(CLIENTS)})  # type: ignore[misc]


def admit(client: int) -> bool:
    """Whether the client may do one thing more now."""
    with stm.atomically():
        bucket, now = Bucket(*buckets[client]), clock.value
        got = bucket.tokens + RATE * (now - bucket.tick)
        tokens = min(CAPACITY, got)
        granted = tokens > 0
        overflow = bucket.overflow + got - tokens
        buckets[client] = (tokens - granted, now, bucket.granted + granted, overflow)
        return granted


def advance() -> None:
    with stm.atomically():
        clock.value += 1


def work(number: int) -> Work:
    random = Random(number)

    def run(n: int) -> None:
        for _ in range(n):
            if random.random() < 0.02:
                advance()
            else:
                admit(random.randrange(CLIENTS))

    return run


def check() -> None:
    with stm.snapshot():
        known, now = buckets.copy(), clock.value
    for client, kept in known.items():
        bucket = Bucket(*kept)
        got = CAPACITY + RATE * bucket.tick
        spent = bucket.tokens + bucket.granted + bucket.overflow
        expect(got == spent, f"client {client} got {got} and has seen {spent}")
        expect(0 <= bucket.tokens <= CAPACITY, f"client {client} has {bucket.tokens} tokens")
        expect(bucket.tick <= now, f"client {client} was there at a tick to come")
