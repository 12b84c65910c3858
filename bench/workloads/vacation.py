"""STAMP's vacation: a travel agency reserves cars, flights and rooms for its customers.

The invariant: what is used of each offer is what the customers hold of it, and never more than
there is.
"""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple

import stmpy as stm
from bench.workloads.invariant import expect

if TYPE_CHECKING:
    from bench.harness import Work

KINDS: Final = ("car", "flight", "room")
OFFERS: Final = 64
CUSTOMERS: Final = 64
LOOKED_AT: Final = 4  # offers that a customer compares


class Offer(NamedTuple):
    """What is kept of an offer, as a plain tuple."""

    total: int
    used: int
    price: int


offers: stm.TVar[tuple[str, int], tuple[int, int, int]] = stm.TVar("vacation offers")
customers: stm.TVar[int, list[tuple[str, int]]] = stm.TVar("vacation customers")


@stm.atomically
def begin(participants: int) -> None:
    random = Random(1)
    customers.clear()
    for kind in KINDS:
        for number in range(OFFERS):
            offers[kind, number] = (random.randint(1, 9), 0, random.randint(50, 500))


def reserve(customer: int, wanted: list[tuple[str, int]]) -> None:
    """Takes, of each kind, the dearest of the offers that has something left."""
    with stm.atomically():
        taken = customers.get(customer, [])
        for kind in KINDS:
            found = [(Offer(*offers[one]), one) for one in wanted if one[0] == kind]
            free = [(offer.price, one, offer) for offer, one in found if offer.used < offer.total]
            if free:
                _, one, offer = max(free)
                offers[one] = (offer.total, offer.used + 1, offer.price)
                taken.append(one)
        customers[customer] = taken


def leave(customer: int) -> None:
    """Gives back all that a customer holds."""
    with stm.atomically():
        for one in customers.pop(customer, []):
            offer = Offer(*offers[one])
            offers[one] = (offer.total, offer.used - 1, offer.price)


def change(one: tuple[str, int], price: int, more: int) -> None:
    """A new price, and some more or fewer, as far as they are not taken."""
    with stm.atomically():
        offer = Offer(*offers[one])
        offers[one] = (max(offer.used, offer.total + more), offer.used, price)


def work(number: int) -> Work:
    random = Random(number)

    def one() -> tuple[str, int]:
        return random.choice(KINDS), random.randrange(OFFERS)

    def run(n: int) -> None:
        for _ in range(n):
            turn, customer = random.random(), random.randrange(CUSTOMERS)
            if turn < 0.8:
                reserve(customer, [one() for _ in range(3 * LOOKED_AT)])
            elif turn < 0.9:
                leave(customer)
            else:
                change(one(), random.randint(50, 500), random.randint(-1, 1))

    return run


def check() -> None:
    with stm.snapshot():
        held = Counter(one for taken in customers.copy().values() for one in taken)
        known = {one: Offer(*offer) for one, offer in offers.copy().items()}
    for one, offer in known.items():
        expect(held[one] == offer.used, f"{one}: {offer.used} used, {held[one]} held")
        expect(0 <= offer.used <= offer.total, f"{one}: {offer.used} used of {offer.total}")
    expect(held.keys() <= known.keys(), "somebody holds what nobody offers")
