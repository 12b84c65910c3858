"""Rounds of kill -9: program, keeper, both, a forked child, in any order; then nothing is missing.

`python -m tests.durable.kills ROUNDS [SEED]` runs them in a process of its own, one program per
round on one store. Workers (threads, an isolated interpreter, a forked child) move amounts between
accounts, count their blocks in the same block, and note in shared memory which count was
acknowledged. After the kills the store is opened again: the accounts add up to 0, and no count is
below what was acknowledged, unless the mode allows it.
"""

from __future__ import annotations

import _interpreters
import mmap
import os
import random
import select
import signal
import sys
import tempfile
import threading
import time
from contextlib import suppress

import stmpy as stm
from stmpy import _native

THREADS = 2
WORKERS = THREADS + 2  # and a forked child, and an interpreter
ACCOUNTS = 20
KEEPER, CHILD, READY = WORKERS, WORKERS + 1, WORKERS + 2  # places in the shared memory


class Notes:
    """Numbers in a file that is mapped into everybody's memory."""

    def __init__(self, path: str) -> None:
        with open(path, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), 4096)

    def __getitem__(self, place: int) -> int:
        return int.from_bytes(self._map[8 * place : 8 * place + 8], "little")

    def __setitem__(self, place: int, number: int) -> None:
        self._map[8 * place : 8 * place + 8] = number.to_bytes(8, "little")


def work(store: stm.Store, notes: Notes, me: int, seed: int) -> None:
    """Blocks until the process is killed."""
    rng, table = random.Random(seed), store.TVar("table")
    while True:
        a, b, amount = rng.randrange(ACCOUNTS), rng.randrange(ACCOUNTS), rng.randrange(100)
        with store.atomically():
            table[a] = table.get(a, 0) - amount
            table[b] = table.get(b, 0) + amount
            count = table["count", me] = table.get(("count", me), 0) + 1
        notes[me] = count
        notes[KEEPER] = _native._durable_state(store)["keeper"]


IN_INTERPRETER = """
import stmpy as stm
from tests.durable.kills import Notes, work
work(stm.open(path), Notes(notes), me, seed)
"""


def program(path: str, notes_path: str, relaxed: bool, rng: random.Random) -> None:
    """The process that is killed."""
    notes, seed = Notes(notes_path), rng.randrange(2**32)
    store = stm.open(path, durability="relaxed" if relaxed else "sync")
    child = os.fork()
    if child == 0:
        work(store, notes, THREADS, seed + THREADS)
    notes[CHILD] = child
    for me in range(THREADS):
        threading.Thread(target=work, args=(store, notes, me, seed + me)).start()
    if rng.random() < 0.3:
        shared = {"path": path, "notes": notes_path, "me": THREADS + 1, "seed": seed + 99}
        inner = _interpreters.create("isolated")
        threading.Thread(target=lambda: _interpreters.exec(inner, IN_INTERPRETER, shared)).start()
    notes[KEEPER] = _native._durable_state(store)["keeper"]
    notes[READY] = 1


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def wait_for_end(pid: int) -> None:
    """Of a process that need not be a child."""
    with suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.poll()
        os.close(descriptor)


class Rounds:
    """Programs one after the other on one store.

    With `lie` they do not wait for the disk although they say so, which must be found out.
    """

    def __init__(self, folder: str, rng: random.Random, lie: bool = False) -> None:
        self._lie = lie
        self._path, self._notes_path = folder + "/store", folder + "/notes"
        self._rng = rng
        with open(self._notes_path, "wb") as file:
            file.truncate(4096)
        self._notes = Notes(self._notes_path)

    def run(self) -> str:
        """One round; what was killed. AssertionError if something is missing."""
        rng, relaxed = self._rng, not self._lie and self._rng.random() < 0.3
        self._notes[READY] = 0
        pid = os.fork()
        if pid == 0:
            program(self._path, self._notes_path, relaxed or self._lie, rng)
            threading.Event().wait()
        while not self._notes[READY] and os.waitpid(pid, os.WNOHANG) == (0, 0):
            time.sleep(0.001)
        killed = self._kill_some(pid)
        known = [self._notes[i] for i in range(WORKERS)]
        lost = relaxed and "keeper" in killed
        self._check(known if not lost else [0] * WORKERS)
        return f"{'relaxed' if relaxed else 'sync'}: {' '.join(killed)}"

    def _kill_some(self, pid: int) -> list[str]:
        victims = [v for v in ("keeper", "child", "keeper") if self._rng.random() < 0.3]
        victims += self._rng.choice((["program"], ["keeper", "program"], ["program", "keeper"]))
        for i, victim in enumerate(victims):
            if i == 0 or self._rng.random() < 0.6:
                time.sleep(self._rng.random() * 0.06)  # the moment of death is what is drawn
            kill({"program": pid, "keeper": self._notes[KEEPER]}.get(victim, self._notes[CHILD]))
        os.waitpid(pid, 0)
        kill(self._notes[CHILD])
        wait_for_end(self._notes[CHILD])
        return victims

    def _check(self, known: list[int]) -> None:
        with stm.open(self._path) as store:
            table = store.TVar("table").copy()
            counts = [table.pop(("count", i), 0) for i in range(WORKERS)]
            assert sum(table.values()) == 0, f"a block is torn: {table}"
            for me, (count, least) in enumerate(zip(counts, known, strict=True)):
                assert count >= least, f"worker {me}: {least} blocks acknowledged, {count} there"
            for me, count in enumerate(counts):
                self._notes[me] = count


def main(rounds: int, seed: int, lie: bool = False) -> None:
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        runner = Rounds(folder, rng, lie)
        for i in range(rounds):
            try:
                what = runner.run()
            except AssertionError as error:
                raise SystemExit(f"round {i} of seed {seed}: {error}") from None
            if os.environ.get("STMPY_VERBOSE"):
                print(i, what, flush=True)
        with stm.open(folder + "/store") as store:
            blocks = sum(store.TVar("table").get(("count", i), 0) for i in range(WORKERS))
    print(f"{rounds} rounds, {blocks} blocks, nothing acknowledged is missing")


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:3]]
    main(arguments[0], (*arguments, random.randrange(2**32))[1], lie=sys.argv[3:] == ["lie"])
