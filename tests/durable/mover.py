"""A worker of `kills`: moves amounts and notes what was acknowledged. Little to import, as each
isolated interpreter does it anew.
"""

from __future__ import annotations

import mmap
import os
import random
import traceback
from typing import Final

import stmpy as stm
from stmpy import _native

THREADS: Final = 2
INTERPRETERS: Final = 2
FORKED: Final = THREADS
WORKERS: Final = THREADS + 1 + INTERPRETERS
ACCOUNTS: Final = 20
PROGRAM, KEEPER, GUARD, CHILD = range(WORKERS, WORKERS + 4)
"""Places in the shared memory, behind those of the workers."""

FAILURE: Final = 1024
FAILURE_BYTES: Final = 3072


class Notes:
    """Numbers in a file that is mapped into everybody's memory."""

    def __init__(self, path: str) -> None:
        with open(path, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), 4096)

    def __getitem__(self, place: int) -> int:
        return int.from_bytes(self._map[8 * place : 8 * place + 8], "little")

    def tell(self, failure: str) -> None:
        """Note why a worker ended that was not killed."""
        self._map[FAILURE:] = failure.encode()[-FAILURE_BYTES:].ljust(FAILURE_BYTES, b"\0")

    def told(self) -> str:
        return self._map[FAILURE:].rstrip(b"\0").decode(errors="replace")

    def __setitem__(self, place: int, number: int) -> None:
        self._map[8 * place : 8 * place + 8] = number.to_bytes(8, "little")


def note_keeper(notes: Notes, store: stm.Store) -> None:
    """Whom to kill: they change when they were killed."""
    state = _native._durable_state(store)
    notes[KEEPER], notes[GUARD] = state["keeper"], state["guard"]


def work(store: stm.Store, notes: Notes, me: int, seed: int, ready: int | None = None) -> None:
    """Blocks until the process is killed; says when the first is done."""
    rng, table = random.Random(seed), store.TVar("table")
    try:
        while True:
            a, b, amount = rng.randrange(ACCOUNTS), rng.randrange(ACCOUNTS), rng.randrange(100)
            with store.atomically():
                table[a] = table.get(a, 0) - amount
                table[b] = table.get(b, 0) + amount
                count = table["count", me] = table.get(("count", me), 0) + 1
            notes[me] = count
            note_keeper(notes, store)
            if ready is not None:
                os.write(ready, b".")
                ready = None
    except BaseException:
        notes.tell(traceback.format_exc())
