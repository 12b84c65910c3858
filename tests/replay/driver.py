"""Runs short programs on the real core in three threads, and replays them on the models."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.checker.model import Model
from models.commit import Commit
from models.commit_cases import MODELS as COMMITS
from models.commit_state import NAMES, Op, X, Y
from models.park import ParkDeath
from models.replay.commit import CommitReplay
from models.replay.park import ParkReplay
from models.replay.serial import SerialReplay
from models.replay.trace import Event, Plan, Rejected, Replay, read_events
from models.serial import Serial

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build/replay"
KINDS = {"view": "v", "read": "r", "put": "p", "same": "s", "delete": "d", "undo": "u"}
WAITING = ("wx", "wxwy", "px", "py", "c-")
"""The menu of `ParkDeath`, of which nobody dies here, and closing."""
LOCKING = {"ordinary": "ox", "serial": "zx"}
MODELS: tuple[type[Model], ...] = (*COMMITS, ParkDeath, Serial)


def build() -> Path:
    """The program, made from the core with its events recorded."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    cmake = shutil.which("cmake", path=path)
    assert cmake is not None, "cmake is not there: .ci/setup installs it"
    for arguments in ["-S", "tests/replay", "-B", str(BUILD)], ["--build", str(BUILD)]:
        _run([cmake, *arguments], "")
    return BUILD / "replay"


def _run(command: list[str], text: str) -> str:
    done = subprocess.run(
        command, cwd=ROOT, input=text, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@dataclass(frozen=True)
class Task:
    """One run: which keys are there, and which blocks of the model's menu each thread runs."""

    model: type[Model]
    present: tuple[bool, bool]
    plan: Plan

    def line(self) -> str:
        """As tests/replay/program.c reads it."""
        there = "".join(NAMES[k] for k in (X, Y) if self.present[k]) or "-"
        kind, flags = self.model, "0 0"
        if issubclass(kind, Commit):
            flags = f"{kind.snapshot_isolation:d} {kind.outside:d}"
        menu = _menu(kind)
        blocks = [[menu[i] for i in mine] for mine in self.plan]
        return f"{there} {flags} {' / '.join(','.join(mine) for mine in blocks)}\n"

    def replay(
        self, events: list[Event]
    ) -> tuple[Replay[Commit] | ParkReplay | SerialReplay, bytes]:
        """What replays these events, and the state in which it starts."""
        model = self.model()
        model.transactions = max(map(len, self.plan))
        starts = list(model.initial())
        if isinstance(model, Commit):
            start = starts[model.present.index(self.present)]
            return CommitReplay(model, self.plan, events), start
        if isinstance(model, ParkDeath):
            return ParkReplay(model, self.plan, events), starts[0]
        assert isinstance(model, Serial)
        return SerialReplay(model, self.plan, events), starts[0]


def _menu(kind: type[Model]) -> Sequence[str]:
    if issubclass(kind, Commit):
        return ["".join(map(_text, ops)) for ops in kind.menu]
    return WAITING if issubclass(kind, ParkDeath) else tuple(LOCKING[k] for k in Serial.kinds)


def _text(op: Op) -> str:
    kind, k = op
    return KINDS[kind] + NAMES[k]


def draw(model: type[Model], rng: random.Random, runs: int) -> list[Task]:
    """Runs of this model: two blocks for each of three threads."""
    numbers = range(len(_menu(model)))
    present = model.present if issubclass(model, Commit) else ((True, True),)
    return [
        Task(
            model, rng.choice(present), [[rng.choice(numbers) for _ in range(2)] for _ in range(3)]
        )
        for _ in range(runs)
    ]


def record(program: Path, tasks: list[Task], plant: str = "") -> Iterator[list[Event]]:
    """What happened in each task on the real core; with a bug of tests/sim/plants.h planted."""
    command = [str(program), *([plant] if plant else [])]
    text = "".join(task.line() for task in tasks)
    for part in _run(command, text).split("run ")[1:]:
        first, *lines, _ = part.splitlines()
        clock, noted, slot = map(int, first.split())
        yield list(read_events(lines, clock, noted, slot))


def replay(task: Task, events: list[Event]) -> Rejected | None:
    """None if the model allows what happened."""
    replay, start = task.replay(events)
    return replay.run(start)
