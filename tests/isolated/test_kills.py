"""Processes that are killed at any moment, while others share the region and go on.

What is checked holds whatever the moment was; the seed of the moments is printed.
"""

import random
from collections.abc import Callable

import pytest

type Run = Callable[..., str]

BEGIN = """
        import os, random, signal, sys, time
        import stmpy as stm

        ACCOUNTS = 8
        accounts = stm.TVar("accounts", {n: 100 for n in range(ACCOUNTS)})
        notes = stm.TVar("notes")

        def transfer(rng, **options):
            with stm.atomically(**options):
                source, target = rng.sample(range(ACCOUNTS), 2)
                accounts[source] -= 1
                accounts[target] += 1
                key = rng.randrange(40)
                if key in notes:
                    del notes[key]
                else:
                    notes[key] = [key] * rng.randrange(50)

        def work(seed):
            rng = random.Random(seed)
            while True:
                transfer(rng, irrevocable=rng.random() < 0.1)

        def fork(child, *args):
            pid = os.fork()
            if pid == 0:
                try:
                    child(*args)
                finally:
                    os._exit(1)
            return pid

        def kill(pid):
            os.kill(pid, signal.SIGKILL)
            status = os.waitpid(pid, 0)[1]
            assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, status

        def check():
            with stm.snapshot():
                assert sum(accounts.values()) == 100 * ACCOUNTS, accounts.copy()
                assert len(accounts) == len(list(accounts)) == ACCOUNTS
                assert len(notes) == len(list(notes)) == len(notes.copy())
                assert all(set(value) <= {key} for key, value in notes.items())
                assert all(key in notes for key in notes)
"""


@pytest.mark.parametrize(("count", "rounds"), [(1, 100), (3, 40)])
def test_killed_at_any_moment(count: int, rounds: int, in_process: Run, rng: random.Random) -> None:
    """Rounds of it: the survivor's next block commits in time, nothing is torn, nothing leaks."""
    in_process(f"""
        {BEGIN}
        rng = random.Random({rng.randrange(2**32)})
        used = []
        for _ in range({rounds}):
            children = [fork(work, rng.random()) for _ in range({count})]
            until = time.monotonic() + rng.random() * 0.02
            while time.monotonic() < until:
                transfer(rng)
            for child in children:
                kill(child)
            transfer(rng, timeout=10)
            transfer(rng, timeout=10, irrevocable=True)
            check()
            used.append(stm.stats().memory.used_bytes)
        # The snapshots of those who were just killed hold what they show until somebody has looked
        # for the dead. Then no memory of the children is left, and no slot but those of the last.
        for _ in range(10_000):
            transfer(rng)
        used.append(stm.stats().memory.used_bytes)
        assert used[-1] < 3 * min(used), used
        assert len(stm.stats().threads) <= 1 + 2 * {count}, stm.stats()
    """)


@pytest.mark.parametrize("block", ["atomically(irrevocable=True)", "atomically()", "snapshot()"])
def test_killed_within_a_block(block: str, in_process: Run) -> None:
    """Its lock is taken over, its writes were never there, its snapshot holds up no history."""
    in_process(f"""
        {BEGIN}
        reader, writer = os.pipe()

        def hold():
            with stm.{block} as block:
                accounts[0]
                if {"snapshot" not in block}:
                    accounts[0] = -1
                    notes["torn"] = 1
                os.write(writer, b".")
                signal.pause()

        for _ in range(3):
            child = fork(hold)
            os.read(reader, 1)
            kill(child)
            transfer(random, timeout=20)
            transfer(random, timeout=20, irrevocable=True)
            check()
            assert "torn" not in notes
    """)


def test_history_of_a_dead_reader_is_given_up(in_process: Run) -> None:
    in_process("""
        import os, signal
        import stmpy as stm

        store = stm.open(max_bytes=1 << 20, history_bytes=1 << 16)
        table = store.TVar("table", {n: "x" * 100 for n in range(100)})
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            with store.snapshot():
                table[0]
                os.write(writer, b".")
                signal.pause()
            os._exit(1)
        os.read(reader, 1)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        for round in range(20):
            for n in range(100):
                with store.atomically():
                    table[n] = str(round) * 100
        stats = store.stats()
        assert stats.memory.history_bytes <= 1 << 16
        assert stats.memory.used_bytes < 1 << 17
    """)


def test_waiters_follow_when_the_owner_dies(in_process: Run) -> None:
    """Several wait for a lock whose owner is killed: each gets it in its turn."""
    in_process(f"""
        {BEGIN}
        import threading, warnings

        warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads
        reader, writer = os.pipe()

        def hold():
            with stm.atomically(irrevocable=True):
                accounts[0] = -1
                os.write(writer, b".")
                signal.pause()

        count = stm.TRef("count", 0)

        def add():
            with stm.atomically(timeout=30):
                count.value += 1

        def add_in_a_child():
            add()
            os._exit(0)

        owner = fork(hold)
        os.read(reader, 1)
        children = [fork(add_in_a_child) for _ in range(3)]
        threads = [threading.Thread(target=add) for _ in range(3)]
        for thread in threads:
            thread.start()
        kill(owner)
        for thread in threads:
            thread.join()
        for child in children:
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert count.value == 6
        check()
    """)
