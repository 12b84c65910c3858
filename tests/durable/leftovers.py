"""Opens and kills, after which nothing may be left over: no process, no descriptor, no file.

`python -m tests.durable.leftovers OPENS [SEED]` opens stores, ends each in a way that is drawn, and
looks for what is left after every one of them. A zombie is no process here, but for one thing: in
the end no child of this process may be left, collected or not.
"""

from __future__ import annotations

import os
import random
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

import stmpy as stm
from stmpy import _native
from tests.durable.lanes import in_lanes

FILES = {"data.mdb", "lock.mdb", "log.0", "log.1", "owner"}


# ---- looking -------------------------------------------------------------------------------------


def processes(folder: str) -> Iterator[int]:
    """Those that were started with a path in the folder, as keepers and guards are."""
    for name in os.listdir("/proc"):
        with suppress(FileNotFoundError, ProcessLookupError):
            if name.isdigit() and folder.encode() in Path(f"/proc/{name}/cmdline").read_bytes():
                yield int(name)


def wait_for_end(pid: int, patience: float = 60.0) -> bool:
    """False if the process still runs then."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    ended = bool(poll.poll(patience * 1000))
    os.close(descriptor)
    return ended


class Scene:
    """What was there before; `left` says what has come to it."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._descriptors = self._open()

    def _open(self) -> list[str]:
        with os.scandir("/proc/self/fd") as entries:
            return [f"descriptor {entry.name} of {os.readlink(entry)}" for entry in entries]

    def left(self, patience: float = 60.0) -> list[str]:
        """Everything that stays although those who are about to go were waited for."""
        now = self._open()
        found = now if len(now) > len(self._descriptors) else []
        for pid in processes(self._folder):
            if not wait_for_end(pid, patience):
                found.append(f"process {pid}")
        for place in Path(self._folder).rglob("*"):
            if place.is_dir() == (place.name in FILES) or place.name not in {*FILES, "store"}:
                found.append(f"file {place}")
        return found


# ---- ways to end ---------------------------------------------------------------------------------


def put(store: stm.Store) -> None:
    with store.atomically():
        table = store.TVar("v")
        table["n"] = table.get("n", 0) + 1


def kill(store: stm.Store, *places: str) -> None:
    state = _native._durable_state(store)
    for place in places:
        os.kill(state[place], signal.SIGKILL)


def close(path: str, rng: random.Random) -> None:
    with stm.open(path) as store:
        put(store)


def drop(path: str, rng: random.Random) -> None:
    put(stm.open(path))


def refuse(path: str, rng: random.Random) -> None:
    """Its progress callback fails."""

    def fail(loaded: int, of: int) -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        stm.open(path, progress=fail)


def lose(*places: str) -> Callable[[str, random.Random], None]:
    """Its keeper or guard is killed before it is closed."""

    def end(path: str, rng: random.Random) -> None:
        with stm.open(path, durability=rng.choice(("sync", "relaxed"))) as store:
            put(store)
            kill(store, *places)
            if rng.random() < 0.5:
                put(store)

    return end


def die(path: str, rng: random.Random) -> None:
    """The program is killed at any moment, perhaps with a forked child, which ends later."""
    moment, forks = rng.random() * 0.15, rng.random() < 0.3
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writer)
        store = stm.open(path)
        if forks and os.fork() == 0:
            os.read(reader, 1)
            os.kill(os.getpid(), signal.SIGKILL)
        while True:
            put(store)
    os.close(reader)
    time.sleep(moment)  # the moment of death is what is drawn
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(writer)


WAYS = [close, drop, refuse, lose("keeper"), lose("guard"), lose("keeper", "guard"), die, die]


# ---- rounds --------------------------------------------------------------------------------------


def lane(folder: str, rounds: int, seed: int) -> int:
    """AssertionError if something is left over."""
    rng, path = random.Random(seed), folder + "/store"
    close(path, rng)  # what is made once and kept is there now
    scene = Scene(folder)
    for i in range(rounds):
        way = rng.choice(WAYS)
        way(path, rng)
        close(path, rng)  # threads let go of a store that is over when they come to another
        found = scene.left()
        assert not found, f"round {i}, {way.__qualname__}: left over are {', '.join(found)}"
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
    return rounds


def main(opens: int, seed: int) -> None:
    done = in_lanes(lane, opens // 2, seed)
    print(f"{2 * done} opens, and no process, descriptor or file is left over")


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:]]
    main(*(*arguments, random.randrange(2**32))[:2])
