"""The workers of `test_anomalies`: the same functions in every interpreter, two threads in each.

Each is called with the number of its worker (0 to 3) and raises `AssertionError` as soon as it sees
a state that no order of whole transactions explains.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from random import Random
from typing import Final

import stmpy as stm

THREADS: Final = 2
ROUNDS: Final = 20_000
SWITCH_SECONDS: Final = 1e-5  # threads take turns this often, so that blocks are interrupted
ACCOUNTS: Final = 10
DEPOSIT: Final = 100
SEATS: Final = 2


def run(worker: Callable[[int], None], interpreter: int, ready: int, gate: int) -> None:
    """Runs this interpreter's workers in threads; raises what the first of them raised.

    `ready` and `gate` are pipes: each worker says that it is ready, and waits to be let go. Without
    them one interpreter would have finished before the other has started.
    """
    failures: list[BaseException] = []

    def work(number: int) -> None:
        os.write(ready, b".")
        os.read(gate, 1)
        try:
            worker(number)
        except BaseException as failure:
            failures.append(failure)

    sys.setswitchinterval(SWITCH_SECONDS)
    first = interpreter * THREADS
    threads = [threading.Thread(target=work, args=(first + n,)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def give_way() -> None:
    """Lets another thread go on: between what was read and the commit that relies on it."""
    time.sleep(0)


def count(number: int) -> None:
    counter: stm.TVar[str, int] = stm.TVar("anomalies counter")
    for _ in range(ROUNDS):
        with stm.atomically():
            counter["n"] += 1


def transfer_or_audit(number: int) -> None:
    """Two workers move money; one audits by reading alone, one while it writes, too."""
    accounts: stm.TVar[int, int] = stm.TVar("anomalies accounts")
    audits: stm.TVar[int, int] = stm.TVar("anomalies audits")
    rng = Random(number)
    for _ in range(ROUNDS):
        source, target = rng.sample(range(ACCOUNTS), 2)
        amount = rng.randint(1, 10)
        with stm.atomically():
            if number % THREADS == 0:
                accounts[source] -= amount
                accounts[target] += amount
            elif number == 1:
                assert sum(accounts.values()) == ACCOUNTS * DEPOSIT
            else:
                audits[number] = audits.get(number, 0) + 1
                assert sum(accounts[n] for n in range(ACCOUNTS)) == ACCOUNTS * DEPOSIT


def go_off_call(number: int) -> None:
    """Write skew: a doctor may leave only while another stays. Two are enough to go wrong."""
    doctors: stm.TVar[int, bool] = stm.TVar("anomalies doctors")
    me = number % THREADS
    for _ in range(ROUNDS // 10):
        with stm.atomically():
            on_call = [doctor for doctor in range(THREADS) if doctors[doctor]]
            assert on_call
            if doctors[me] and len(on_call) > 1:
                doctors[me] = False
            give_way()
        with stm.atomically():
            doctors[me] = True


def keep_equal(number: int) -> None:
    """Read skew: x and y are always written together."""
    pair: stm.TVar[str, int] = stm.TVar("anomalies pair")
    for step in range(ROUNDS):
        with stm.atomically():
            if number % THREADS == 0:
                pair["x"] = pair["y"] = number * ROUNDS + step
            else:
                assert pair["x"] == pair["y"]


def append(number: int) -> None:
    """Lost update: everybody appends to one list, half of them through a second key."""
    log: stm.TVar[str, tuple[tuple[int, int], ...]] = stm.TVar("anomalies log")
    for step in range(ROUNDS // 100):
        with stm.atomically():
            log["entries"] = (*log["entries"], (number, step))


def take_seat(number: int) -> None:
    """Phantom: a seat is taken by inserting a key, and only while some are left."""
    seats: stm.TVar[tuple[int, int], bool] = stm.TVar("anomalies seats")
    for step in range(ROUNDS // 10):
        with stm.atomically():
            taken = len(seats)
            assert taken <= SEATS
            if taken < SEATS:
                seats[number, step] = True
            give_way()
        give_way()
        with stm.atomically():
            seats.pop((number, step), None)
