"""Rounds of kill -9: program, keeper, its guard, a forked child, in any order; nothing is missing.

`python -m tests.durable.kills ROUNDS [SEED]` runs them in lanes, each with a store of its own. A
round is one program: it opens the store, sees that what the rounds before it acknowledged is there,
and works until it is killed. Its workers (threads, isolated interpreters, a forked child) move
amounts between accounts, count their blocks in the same block, and note in shared memory which
count was acknowledged. So the accounts add up to 0, and no count is below what was acknowledged:
of a relaxed store too, unless program, keeper and guard are all killed.
"""

from __future__ import annotations

import _interpreters
import os
import random
import select
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from typing import NamedTuple

import stmpy as stm
from tests.durable.lanes import in_lanes
from tests.durable.mover import (
    CHILD,
    FORKED,
    GUARD,
    INTERPRETERS,
    KEEPER,
    PROGRAM,
    THREADS,
    WORKERS,
    Notes,
    note_keeper,
    work,
)


class Plan(NamedTuple):
    """What a round is to be."""

    relaxed: bool
    early: bool
    """Killed while it opens the store; nobody works then."""
    interpreters: bool
    seed: int

    @classmethod
    def draw(cls, rng: random.Random) -> Plan:
        early = rng.random() < 0.1
        return cls(
            rng.random() < 0.3, early, not early and rng.random() < 0.15, rng.getrandbits(32)
        )

    @property
    def starters(self) -> int:
        """How many say that they are ready."""
        return 0 if self.early else 1 + (INTERPRETERS if self.interpreters else 0)


# ---- the program ---------------------------------------------------------------------------------


IN_INTERPRETER = """
import stmpy as stm
from tests.durable.mover import Notes, work
work(stm.open(path), Notes(notes), me, seed, ready)
"""


def in_interpreter(shared: dict[str, object]) -> None:
    """Until the process is killed; it ends if this ends."""
    failure = _interpreters.exec(_interpreters.create("isolated"), IN_INTERPRETER, shared)
    print(failure and failure.formatted, file=sys.stderr, flush=True)
    os._exit(1)


def check(store: stm.Store, notes: Notes) -> int:
    """The number of blocks; AssertionError if something is torn, or missing that is noted."""
    table = store.TVar("table").copy()
    counts = [table.pop(("count", i), 0) for i in range(WORKERS)]
    assert sum(table.values()) == 0, f"a block is torn: {table}"
    for me, count in enumerate(counts):
        assert count >= notes[me], f"worker {me}: {notes[me]} blocks acknowledged, {count} there"
        notes[me] = count
    return sum(counts)


def program(path: str, notes_path: str, plan: Plan, ready: int) -> None:
    """The process that is killed."""
    notes = Notes(notes_path)
    store = stm.open(path, durability="relaxed" if plan.relaxed else "sync")
    note_keeper(notes, store)
    check(store, notes)
    if not plan.early:
        child = os.fork()
        if child == 0:
            os.close(ready)
            work(store, notes, FORKED, plan.seed)
        notes[CHILD] = child
        for me in range(THREADS):
            threading.Thread(target=work, args=(store, notes, me, plan.seed + 1 + me)).start()
    for me in range(FORKED + 1, WORKERS) if plan.interpreters else ():
        shared = {"path": path, "notes": notes_path, "me": me, "seed": plan.seed + me}
        threading.Thread(target=in_interpreter, args=({**shared, "ready": ready},)).start()
    os.write(ready, b".")
    threading.Event().wait()


# ---- the rounds ----------------------------------------------------------------------------------


def kill(pid: int) -> None:
    """Of a process that may be gone; 0 is none."""
    with suppress(ProcessLookupError):
        if pid:
            os.kill(pid, signal.SIGKILL)


def wait_for_end(pid: int) -> None:
    """Of a process that need not be a child."""
    with suppress(ProcessLookupError):
        if pid:
            descriptor = os.pidfd_open(pid)
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            poll.poll()
            os.close(descriptor)


class Lane:
    """Programs one after the other on one store.

    With `lie` they do not wait for the disk although they say so, which must be found out.
    """

    def __init__(self, folder: str, seed: int, lie: bool) -> None:
        self._path, self._notes_path = folder + "/store", folder + "/notes"
        self._rng, self._lie = random.Random(seed), lie
        with open(self._notes_path, "wb") as file:
            file.truncate(4096)
        self.notes = Notes(self._notes_path)

    def run(self, rounds: int) -> int:
        """How many blocks there are in the end; AssertionError if something is missing."""
        for i in range(rounds):
            plan = Plan.draw(self._rng)
            try:
                self._round(plan)
            except AssertionError as error:
                raise AssertionError(f"round {i}, {plan}: {error}") from None
        with stm.open(self._path) as store:
            return check(store, self.notes)

    def _round(self, plan: Plan) -> None:
        self.notes[KEEPER] = self.notes[GUARD] = self.notes[CHILD] = 0
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            self._program(plan._replace(relaxed=plan.relaxed or self._lie), writer)
        os.close(writer)
        ready = [os.read(reader, 1) for _ in range(plan.starters)]
        killed = self._kill_some(pid) if all(ready) else set()
        os.close(reader)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        kill(self.notes[CHILD])
        wait_for_end(self.notes[CHILD])
        assert code == -signal.SIGKILL, f"the program ended with {code}"
        assert not self.notes.told(), self.notes.told()
        if plan.relaxed and not self._lie and {KEEPER, GUARD} <= killed:
            for me in range(WORKERS):
                self.notes[me] = 0

    def _program(self, plan: Plan, ready: int) -> None:
        try:
            program(self._path, self._notes_path, plan, ready)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)

    def _kill_some(self, pid: int) -> set[int]:
        """What was killed, by its place. Until its keeper runs, a guard stands in for it."""
        rng = self._rng
        killed: set[int] = set()
        victims = [v for v in (KEEPER, GUARD, CHILD, KEEPER) if rng.random() < 0.3]
        victims += rng.choice(([PROGRAM], [KEEPER, PROGRAM], [PROGRAM, KEEPER]))
        for i, victim in enumerate(victims):
            if i == 0 or rng.random() < 0.6:
                time.sleep(rng.random() ** 2 * 0.05)  # the moment of death is what is drawn
            target = pid if victim == PROGRAM else self.notes[victim]
            killed |= {victim} | ({GUARD} if target == self.notes[GUARD] else set())
            kill(target)
        return killed


def main(rounds: int, seed: int, lie: bool = False) -> None:
    def lane(folder: str, rounds: int, seed: int) -> int:
        return Lane(folder, seed, lie).run(rounds)

    blocks = in_lanes(lane, rounds, seed)
    print(f"{rounds} rounds, {blocks} blocks there, none missing that was acknowledged, none torn")


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:3]]
    main(arguments[0], (*arguments, random.randrange(2**32))[1], lie=sys.argv[3:] == ["lie"])
