"""A bank: transfers between 1,000 accounts, and auditors who add up all of them meanwhile.

The invariant is the total, which every audit sees, whatever is being transferred.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final

import stmpy as stm
from bench.workloads.invariant import expect

if TYPE_CHECKING:
    from bench.harness import Work

SIZE: Final = 1_000
DEPOSIT: Final = 1_000
accounts: stm.TVar[int, int] = stm.TVar("bank accounts")


@stm.atomically
def begin(participants: int) -> None:
    accounts.update(dict.fromkeys(range(SIZE), DEPOSIT))


def work(number: int) -> Work:
    random = Random(number)

    def run(n: int) -> None:
        for _ in range(n):
            if random.random() < 0.01:
                check()
                continue
            source, target = random.sample(range(SIZE), 2)
            amount = random.randint(1, 100)
            with stm.atomically():
                if accounts[source] >= amount:
                    accounts[source] -= amount
                    accounts[target] += amount

    return run


def check() -> None:
    with stm.snapshot():
        balances = accounts.copy().values()
    expect(sum(balances) == SIZE * DEPOSIT, f"the accounts hold {sum(balances)}")
    expect(min(balances) >= 0, "an account is overdrawn")
