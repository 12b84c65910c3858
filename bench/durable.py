"""Commits that survive a power cut, beside others' on the same disk; and opening many keys."""

from __future__ import annotations

import json
import site
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

import stmpy as stm
from bench.committing import VARIABLE, commit_together
from bench.harness import (
    Answer,
    Case,
    Effort,
    Measured,
    Row,
    Spread,
    Timing,
    cost,
    limit_row,
    measure,
    ratio_row,
    show_progress,
)
from bench.machine import disk
from bench.opening import Opened
from bench.peers import drive
from bench.peers.drive import attempt
from bench.turns import HEAD_START, ROOT, together

FOLDER: Final = ROOT / "build" / "bench"
PEERS: Final = {
    "file": "write and fdatasync",
    "lmdb": "py-lmdb",
    "sqlite": "sqlite3, WAL, synchronous=FULL",
    "redis": "Redis, appendfsync always",
    "zodb": "ZODB",
}
RIVALS: Final = ("lmdb", "sqlite", "redis", "zodb")
CROWD: Final = 16
SPREAD: Final = f"stmpy, 2 × {CROWD // 2}"
ELSEWHERE: Final = "stmpy, 1 in another interpreter"
BUSY: Final = "main spins"
LONGER: Final = 10  # times as long as other cases: a sync takes milliseconds
OPENINGS: Final = 3


class Peer(drive.Peer):
    """Committers of a peer; what they were told is looked for after the end."""

    def __init__(self, peer: str, committers: int, folder: Path, may_install: bool) -> None:
        super().__init__(f"disk_{peer}", ("commit",) * committers, may_install, folder=folder)
        self.parallel = 0
        self.lost: str | None = None

    def close(self) -> None:
        self._pipe(self.process.stdin).close()
        try:
            self._line()
        except RuntimeError as error:
            self.lost = str(error)
        super().close()


class Committers:
    """Threads that commit to a store of their own, in this interpreter or spread over others."""

    parallel = 0

    def __init__(
        self,
        folder: Path,
        threads: int,
        *,
        interpreters: int = 0,
        busy: bool = False,
        durability: Literal["sync", "relaxed"] = "sync",
    ) -> None:
        self.path = tempfile.mkdtemp(dir=folder)
        self.store = stm.open(self.path, durability=durability)
        self.busy = busy
        self.participants = threads * max(1, interpreters)
        each = f"{threads} thread{'s' * (threads > 1)}"
        self.layout = f"{interpreters} interpreters × {each}" if interpreters else each
        self.acknowledged = dict.fromkeys(range(self.participants), 0)
        self.shares = [range(i, i + threads) for i in range(0, self.participants, threads)]
        self.lost: str | None = None
        self.pool: Executor = ThreadPoolExecutor(1)
        if interpreters:
            self.pool = stm.InterpreterPool(
                interpreters, initializer=site.addsitedir, initargs=(str(ROOT),)
            )

    def measure(self, seconds: float) -> Timing:
        with spinning() if self.busy else nullcontext():
            start = time.perf_counter() + HEAD_START
            running = [
                self.pool.submit(
                    commit_together,
                    self.path,
                    {key: self.acknowledged[key] for key in keys},
                    start,
                    seconds,
                )
                for keys in self.shares
            ]
            parts = [part for one in running for part in one.result()]
        self.store.flush()  # in nobody else's time
        for key, part in enumerate(parts):
            self.acknowledged[key] += part.operations
        return together(parts)

    def close(self) -> None:
        self.pool.shutdown()
        self.store.close()
        with stm.open(self.path) as store:
            there = dict(store.TVar(VARIABLE))
        if there != self.acknowledged:
            self.lost = f"{there} is there, {self.acknowledged} was acknowledged"


@contextmanager
def spinning() -> Iterator[None]:
    """A thread of this interpreter that never rests."""
    over = False

    def spin() -> None:
        while not over:
            pass

    thread = threading.Thread(target=spin)
    thread.start()
    try:
        yield
    finally:
        over = True
        thread.join()


# ---- commits


def all_cases(folder: Path, may_install: bool) -> dict[str, Case | Exception]:
    cases: dict[str, Case | Exception] = {}
    for count in (1, CROWD):
        for peer, words in PEERS.items():
            name = f"{words}, {count}"
            cases[name] = attempt(
                lambda peer=peer, count=count: Peer(peer, count, folder, may_install)  # type: ignore[misc]
            )
        cases[f"stmpy, {count}"] = Committers(folder, count)
    half = CROWD // 2
    return cases | {
        SPREAD: Committers(folder, half, interpreters=2),
        f"{SPREAD}, {BUSY}": Committers(folder, half, interpreters=2, busy=True),
        ELSEWHERE: Committers(folder, 1, interpreters=1),
        f"{ELSEWHERE}, {BUSY}": Committers(folder, 1, interpreters=1, busy=True),
        "stmpy, 1, relaxed": Committers(folder, 1, durability="relaxed"),
    }


def kept(
    cases: Mapping[str, Case | Exception], measured: dict[str, Measured]
) -> dict[str, Measured]:
    """What was measured, but for cases that have lost something that was acknowledged."""
    lost = {name: getattr(case, "lost", None) for name, case in cases.items()}
    return {
        name: replace(one, timings=(), error=lost[name]) if lost[name] else one
        for name, one in measured.items()
    }


def commits(folder: Path, effort: Effort) -> Answer:
    serious = effort != Effort.tiny()
    cases = all_cases(folder, serious)
    found = kept(cases, measure(cases, replace(effort, seconds=LONGER * effort.seconds)))
    floor = found[f"{PEERS['file']}, 1"]
    ours, crowd = "stmpy, 1", f"stmpy, {CROWD}"

    def row(above: str, below: str, least: float | None = None) -> Row:
        return ratio_row(f"{above} : {below}", found, above, below, least=least)

    return Answer(found, [
        disk_row(folder, floor),
        row(f"{PEERS['lmdb']}, 1", ours, 0.8),
        *(row(f"{PEERS[peer]}, 1", ours) for peer in PEERS if peer != "lmdb"),
        row(ours, crowd, 4),
        row(ours, SPREAD, 4),
        *(row(f"{PEERS[peer]}, {CROWD}", crowd, 1) for peer in RIVALS),
        row(f"{PEERS['file']}, {CROWD}", crowd),
        row(SPREAD, f"{SPREAD}, {BUSY}", 0.8),
        row(ELSEWHERE, f"{ELSEWHERE}, {BUSY}", 0.8),
        row(ours, "stmpy, 1, relaxed"),
    ])  # fmt: skip


def disk_row(folder: Path, floor: Measured) -> Row:
    """Where it was measured, and how long the disk takes for the least there is."""
    title = f"8 bytes and fdatasync, on {disk(folder)}"
    if floor.error:
        return Row(title, None, "µs", note=floor.error)
    ns = cost(floor)
    return Row(title, Spread(ns.median / 1e3, ns.low / 1e3, ns.high / 1e3), "µs")


# ---- opening


def program(what: str, keys: int, path: Path) -> Opened:
    done = subprocess.run(
        [sys.executable, "-m", "bench.opening", what, str(keys), str(path)],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return Opened(**json.loads(done.stdout))


def opening(folder: Path, effort: Effort) -> Answer:
    """Opens a store that another program has filled, in turn with filling one in memory."""
    path, keys = folder / "many", effort.keys
    program("fill", keys, path)
    rounds = []
    for number in range(OPENINGS):
        show_progress(f"opening {number + 1} of {OPENINGS}: {keys:,} keys")
        rounds.append((program("open", keys, path), program("memory", keys, path)))
    show_progress("")
    seconds = Spread.of(opened.seconds for opened, _ in rounds)
    cpu = Spread.of(opened.cpu_seconds for opened, _ in rounds)
    calls = Spread.of(opened.calls for opened, _ in rounds)
    region = Spread.of(opened.region_bytes / memory.region_bytes for opened, memory in rounds)
    own = Spread.of(opened.own_bytes / memory.own_bytes for opened, memory in rounds)
    return Answer(rows=[
        limit_row(f"opening {keys:,} keys", seconds, "s", 5, by_cpu=cpu),
        Row("calls of its progress callback", calls, ""),
        limit_row("region after opening : filled in memory", region, "×", 1.3),
        limit_row("program and keeper after opening : program filled in memory", own, "×", 1.3),
    ])  # fmt: skip


def answer(effort: Effort) -> Answer:
    FOLDER.mkdir(parents=True, exist_ok=True)
    if disk(FOLDER).startswith("tmpfs"):
        raise SystemExit(f"{FOLDER} is in memory (tmpfs); the disk is what is measured here")
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        found = commits(Path(folder), effort)
        found.add(opening(Path(folder), effort))
    return found
