"""No wake-up is lost: between threads, interpreters and forked processes.

A lost one leaves a thread asleep for good; pytest's timeout then ends the test, with stacks.
The count of the first test is for a test run; by hand, with no limit of time:

    STMPY_PING_PONGS=1000000 .venv/bin/python -m pytest tests/waiting -k ping_pong --timeout 0
"""

import os
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import stmpy as stm
from tests.conftest import Interpreters
from tests.waiting.conftest import Start

type Table = stm.TVar[Any, Any]

PING_PONGS = int(os.environ.get("STMPY_PING_PONGS", "20000"))

PLAYER = """
    import stmpy as stm
    store = stm.open(name="ping pong")
    ball = store.TRef("ball")

    def play():
        for _ in range(rounds):
            with store.atomically():
                stm.check(ball.value % 2 == me)
                ball.value += 1

    play()
"""


def test_ping_pong_between_interpreters(interpreters: Interpreters) -> None:
    with stm.open(name="ping pong", max_bytes=16 << 20) as store:
        ball = store.TRef("ball", 0)
        interpreters.run_each(PLAYER, 2, rounds=PING_PONGS // 2)
        assert ball.value == PING_PONGS // 2 * 2


def test_fifty_parked_threads(store: stm.Store, start: Start, rng: random.Random) -> None:
    """Each waits for keys of its own and for one that all share; the wakers choose at random."""
    inbox: Table = store.TVar("inbox", dict.fromkeys(range(50), 0))
    done: Table = store.TVar("done", dict.fromkeys(range(50), 0))
    control = store.TRef("rounds", 0)

    def work(me: int) -> int:
        seen = 0
        while True:
            with store.atomically():
                if control.value < 0:
                    return seen
                stm.check(inbox[me] > seen)
                seen = inbox[me]
                done[me] = seen

    def wait_for_all() -> None:
        stm.check(inbox.copy() == done.copy())

    workers = [start(work, i) for i in range(50)]
    sent = 0
    for _ in range(100):
        chosen = rng.sample(range(50), rng.randint(1, 50))
        for part in (chosen[::2], chosen[1::2]):
            with store.atomically():
                for i in part:
                    inbox[i] += 1
        sent += len(chosen)
        store.atomically(timeout=60)(wait_for_all)()
    with store.atomically():
        control.value = -1
    assert sum(worker.result(60) for worker in workers) == sent


def test_all_who_wait_for_one_key_wake(store: stm.Store, table: Table, start: Start) -> None:
    """More of them than one commit keeps in its list."""
    looked = threading.Semaphore(0)

    def wait(_: int) -> None:
        with store.atomically():
            flag = "go" in table
            looked.release()
            stm.check(flag)

    def go() -> None:
        table["go"] = True

    threads = [threading.Thread(target=wait, args=(i,)) for i in range(100)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert looked.acquire(timeout=60)
    store.run(go)
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)


@pytest.mark.parametrize("key", [0, 500, 1999])
def test_any_key_of_a_large_read_set_wakes(
    store: stm.Store, table: Table, start: Start, key: int
) -> None:
    keys = range(0, 2000)
    with store.atomically():
        table.update(dict.fromkeys(keys, 0))
    looked = threading.Event()

    def wait() -> int:
        with store.atomically():
            total: int = sum(table[k] for k in keys)
            looked.set()
            stm.check(total)
        return total

    waiting = start(wait)
    assert looked.wait(60)
    with store.atomically():
        table[key] = 7
    assert waiting.result(60) == 7


FORKED = """
import os
import stmpy as stm

ball = stm.TRef("ball", 0)

def play(me, count):
    for _ in range(count):
        with stm.atomically():
            stm.check(ball.value % 2 == me)
            ball.value += 1

child = os.fork()
if child == 0:
    play(1, 2000)
    os._exit(0)
play(0, 2000)
assert os.waitpid(child, 0)[1] == 0
print(ball.value)
"""


def test_ping_pong_across_a_fork(in_process: Callable[..., str]) -> None:
    assert in_process(FORKED) == "4000\n"


PARKED_ACROSS = """
import os, random, signal, sys, threading
import stmpy as stm

PROCESSES, THREADS = 5, 10
everyone = [(p, t) for p in range(PROCESSES) for t in range(THREADS)]
inbox = stm.TVar("inbox", dict.fromkeys(everyone, 0))
done = stm.TVar("done", dict.fromkeys(everyone, 0))
ending = stm.TRef("ending", False)

def work(me):
    seen = 0
    while True:
        with stm.atomically():
            if ending.value:
                return
            stm.check(inbox[me] > seen)
            seen = inbox[me]
            done[me] = seen

def child_of(number):
    child = os.fork()
    if child == 0:
        threads = [threading.Thread(target=work, args=((number, t),)) for t in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        os._exit(0)
    return child

@stm.atomically
def send(chosen):
    for me in chosen:
        inbox[me] += 1

@stm.atomically(timeout=30)
def wait_for_all():
    stm.check(inbox.copy() == done.copy())

def drive(choose):
    sent = 0
    for _ in range(60):
        chosen = choose.sample(everyone, choose.randint(1, len(everyone)))
        send(chosen)
        sent += len(chosen)
        wait_for_all()
    return sent

children = [child_of(p) for p in range(PROCESSES)]
try:
    sent = drive(random.Random(int(sys.argv[1])))
    with stm.atomically():
        ending.value = True
    assert all(os.waitpid(child, 0)[1] == 0 for child in children)
except BaseException:
    for child in children:
        os.kill(child, signal.SIGKILL)
    raise
print(sum(done.values()) == sent)
"""


def test_fifty_parked_threads_of_five_processes(
    in_process: Callable[..., str], rng: random.Random, tmp_path: Path
) -> None:
    program = tmp_path / "parked.py"
    program.write_text(PARKED_ACROSS)
    assert in_process(program, str(rng.randrange(2**32))) == "True\n"


KILLED = """
import os, signal
import stmpy as stm

table = stm.TVar("table", {"n": 0})

def wait_for(n):
    with stm.atomically():
        stm.check(table["n"] >= n)

def wait_and_tell(pipe):
    with stm.atomically():
        n = table["n"]
        os.write(pipe, b".")
        stm.check(n < 0)

for round in range(10):
    looked, pipe = os.pipe()
    child = os.fork()
    if child == 0:
        wait_and_tell(pipe)
        os._exit(1)
    os.read(looked, 1)
    os.kill(child, signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    os.close(looked)
    os.close(pipe)
    player = os.fork()
    if player == 0:
        wait_for(round + 1)
        os._exit(0)
    with stm.atomically():
        table["n"] += 1
    assert os.waitpid(player, 0)[1] == 0
print(table["n"])
"""


def test_a_parked_process_that_is_killed_harms_nobody(in_process: Callable[..., str]) -> None:
    assert in_process(KILLED) == "10\n"


PHILOSOPHER = """
    import stmpy as stm
    store = stm.open(name="philosophers")
    forks, meals = store.TVar("forks"), store.TVar("meals")

    def dine():
        left, right = me, (me + 1) % 5
        for _ in range(200):
            with store.atomically():
                stm.check(forks[left] and forks[right])
                forks[left] = forks[right] = False
            with store.atomically():
                forks[left] = forks[right] = True
                meals[me] = meals.get(me, 0) + 1

    dine()
"""


def test_five_philosophers_in_five_interpreters(interpreters: Interpreters) -> None:
    with stm.open(name="philosophers", max_bytes=16 << 20) as store:
        store.TVar("forks", dict.fromkeys(range(5), True))
        meals: Table = store.TVar("meals")
        interpreters.run_each(PHILOSOPHER, 5)
        assert meals == dict.fromkeys(range(5), 200)


FIRST = """
import threading
import stmpy as stm

table = stm.TVar("table", {"go": False})
serial = []

def wait():
    with stm.atomically() as tx:
        serial.append(tx.serial)
        stm.check(table["go"])

threads = [threading.Thread(target=wait) for _ in range(50)]
for thread in threads:
    thread.start()
with stm.atomically():
    table["go"] = True
for thread in threads:
    thread.join()
print(any(serial), len(serial) >= 50)
"""


def test_the_first_block_of_a_process_is_entered_by_many(in_process: Callable[..., str]) -> None:
    assert in_process(FIRST) == "False True\n"
