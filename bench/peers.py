"""The peers: the same work by other means, each in the layout in which it is meant to be used."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
from collections.abc import Callable
from itertools import islice
from multiprocessing.managers import SyncManager
from pathlib import Path
from typing import IO

from bench.harness import Alone, Case, Timing, Work
from bench.teams import ROOT
from bench.work import ACCOUNTS, DEPOSIT, pairs


def attempt(make: Callable[[], Case]) -> Case | Exception:
    """The case, or why it can't be had: a peer that is missing is a line in the table."""
    try:
        return make()
    except Exception as error:
        return error


# ---- multiprocessing.Manager


class Managed(Alone):
    """Work on a dict in the process of a `multiprocessing.Manager`, under the manager's lock."""

    layout = "1 process and its manager"
    parallel = 0

    def __init__(self, make: Callable[[SyncManager], Work]) -> None:
        self.manager = multiprocessing.get_context("spawn").Manager()
        super().__init__(make(self.manager))

    def close(self) -> None:
        self.manager.shutdown()


def managed_increment(manager: SyncManager) -> Work:
    lock, d = manager.Lock(), manager.dict({"k": 0})

    def run(n: int) -> None:
        for _ in range(n):
            with lock:
                d["k"] += 1

    return run


def managed_transfer(manager: SyncManager) -> Work:
    lock, d = manager.Lock(), manager.dict(dict.fromkeys(range(ACCOUNTS), DEPOSIT))
    moves = pairs(1)

    def run(n: int) -> None:
        for source, target in islice(moves, n):
            with lock:
                d[source] -= 1
                d[target] += 1

    return run


# ---- atomix-stm


def peer_python(install: bool) -> Path:
    """The Python of the environment that only the peers are installed in; makes it at need."""
    folder = ROOT / f".venv-bench-{sys.version_info.major}.{sys.version_info.minor}"
    python = folder / "bin" / "python"
    ready = folder / "ready"
    if not ready.exists() and not install:
        raise RuntimeError("not installed yet; a run that is not tiny does that")
    if not ready.exists():
        base: str = getattr(sys, "_base_executable", sys.executable)
        make = [base, "-m", "venv", "--clear", str(folder)]
        fill = [str(python), "-m", "pip", "install", "--quiet", "atomix-stm"]
        for command in (make, fill):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise RuntimeError(f"{command[-1]}: {done.stderr.strip().splitlines()[-1]}")
        ready.touch()
    return python


class Atomix:
    """Work done by atomix-stm, in one thread of a process of its own."""

    layout = "1 thread"
    participants = 1
    parallel = 1

    def __init__(self, work: str, install: bool) -> None:
        program = Path(__file__).parent / "peer_atomix.py"
        self.process = subprocess.Popen(
            [peer_python(install), program, work],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # where it logs
            text=True,
        )
        self.version = self._line()

    def _pipe(self, pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None
        return pipe

    def _line(self) -> str:
        line = self._pipe(self.process.stdout).readline()
        if not line:
            raise RuntimeError(f"atomix-stm ended with exit code {self.process.wait()}")
        return line.strip()

    def measure(self, seconds: float) -> Timing:
        pipe = self._pipe(self.process.stdin)
        pipe.write(f"{seconds}\n")
        pipe.flush()
        return Timing(*json.loads(self._line()))

    def close(self) -> None:
        self._pipe(self.process.stdin).close()
        self.process.wait()
        self._pipe(self.process.stdout).close()
