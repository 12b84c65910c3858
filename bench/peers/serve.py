"""The side of a peer: a program that does one case, for as many seconds as each line of input says.

    python -m bench.peers.NAME COUNTED TASK…

One participant for each task, in the peer's own layout; the first COUNTED of them count. It says
its version first, then, for each line, a JSON list: operations, wall seconds, processor seconds.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import AbstractContextManager
from itertools import cycle, islice
from pathlib import Path
from random import Random
from typing import Any, ClassVar, Final

from bench.harness import Work, calibrate
from bench.turns import HEAD_START, TURN, Part, take_turns, together

ACCOUNTS: Final = 1_000
DEPOSIT: Final = 1_000_000
COUNTER: Final = ACCOUNTS  # the key of the counter, beside the accounts


def pairs(seed: int) -> Iterator[tuple[int, int]]:
    """Endless pairs of different accounts, drawn beforehand."""
    random = Random(seed)
    return cycle([tuple(random.sample(range(ACCOUNTS), 2)) for _ in range(5_000)])  # type: ignore[misc]  # samples of 2


class Peer:
    """Accounts and a counter, kept by other means. A case that it hasn't got, it can't do."""

    layout: ClassVar = "threads"
    version: ClassVar = ""
    on_disk: ClassVar = False
    """Whether its files lie where the program was started, and not in memory."""

    def __init__(self, folder: Path) -> None:
        """Puts in the data, before there are participants."""

    def join(self) -> Any:
        """What a participant needs to itself, such as a connection."""

    def close(self) -> None:
        """Ends what the peer has started."""

    def check(self) -> None:
        """After the end: raises AssertionError if something that was done is not there."""

    def pool(self, size: int) -> Executor:
        """The participants."""
        if self.layout == "threads":
            return ThreadPoolExecutor(size)
        return ProcessPoolExecutor(size, mp_context=multiprocessing.get_context("fork"))

    def work(self, task: str, mine: Any, number: int) -> Work:
        """The work of one participant: `mine` is what it got from `join`."""
        made: Work = getattr(self, task)(mine, number)
        return made

    def increment(self, mine: Any, seed: int) -> Work:
        raise NotImplementedError("there is no increment")

    def read_ten(self, mine: Any, seed: int) -> Work:
        raise NotImplementedError("there is no block that reads")

    def transfer(self, mine: Any, seed: int) -> Work:
        raise NotImplementedError("there is no block over several keys")

    def total(self, mine: Any, seed: int) -> Work:
        raise NotImplementedError("there is no block over all keys")


class Locked(Peer):
    """Something like a dict under something like a lock, which `join` gives as a pair."""

    def join(self) -> tuple[AbstractContextManager[Any], Any]:
        raise NotImplementedError

    def increment(self, mine: tuple[AbstractContextManager[Any], Any], seed: int) -> Work:
        lock, d = mine

        def run(n: int) -> None:
            for _ in range(n):
                with lock:
                    d[COUNTER] += 1

        return run

    def read_ten(self, mine: tuple[AbstractContextManager[Any], Any], seed: int) -> Work:
        lock, d = mine

        def run(n: int) -> None:
            for _ in range(n):
                with lock:
                    d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7], d[8], d[9]

        return run

    def transfer(self, mine: tuple[AbstractContextManager[Any], Any], seed: int) -> Work:
        (lock, d), moves = mine, pairs(seed)

        def run(n: int) -> None:
            for source, target in islice(moves, n):
                with lock:
                    d[source] -= 1
                    d[target] += 1

        return run

    def total(self, mine: tuple[AbstractContextManager[Any], Any], seed: int) -> Work:
        (lock, d), numbers = mine, range(ACCOUNTS)

        def run(n: int) -> None:
            for _ in range(n):
                with lock:
                    found = sum(d[number] for number in numbers)
                same(found)

        return run


def start_values() -> dict[int, int]:
    """The accounts, all of them opened, and the counter."""
    return dict.fromkeys(range(ACCOUNTS), DEPOSIT) | {COUNTER: 0}


def same(total: int) -> None:
    """What every audit has to find."""
    if total != ACCOUNTS * DEPOSIT:
        raise AssertionError(f"the accounts hold {total}, not {ACCOUNTS * DEPOSIT}")


# ---- the program

_peer: Peer  # made before the participants, so that forked ones have it too
_local = threading.local()


def take_part(task: str, number: int, start: float, seconds: float) -> Part:
    """One participant's share; prepared once in each thread that may get it."""
    if not hasattr(_local, "works"):
        _local.works, _local.mine = {}, _peer.join()
    if (task, number) not in _local.works:
        work = _peer.work(task, _local.mine, number)
        _local.works[task, number] = work, calibrate(work, TURN)
    work, turn = _local.works[task, number]
    return take_turns(work, turn, start, seconds)


def serve(make: type[Peer]) -> None:
    """Runs the program with this peer."""
    global _peer
    counted, tasks = int(sys.argv[1]), sys.argv[2:]
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir="." if make.on_disk else memory) as folder:
        _peer = make(Path(folder))
        try:
            with _peer.pool(len(tasks)) as pool:
                print(_peer.version, flush=True)
                for line in sys.stdin:
                    start = time.perf_counter() + HEAD_START
                    futures = [
                        pool.submit(take_part, task, number, start, float(line))
                        for number, task in enumerate(tasks)
                    ]
                    timing = together([future.result() for future in futures][:counted])
                    took = (timing.operations, timing.seconds, timing.cpu_seconds)
                    print(json.dumps(took), flush=True)
        finally:
            _peer.close()
        _peer.check()
        print("all there", flush=True)
