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

from models.commit import Commit
from models.commit_state import NAMES, Op, X, Y
from models.replay import Event, Plan, Rejected, Replay, read_events

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build/replay"
KINDS = {"view": "v", "read": "r", "put": "p", "same": "s", "delete": "d", "undo": "u"}


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

    model: type[Commit]
    present: tuple[bool, bool]
    plan: Plan

    def line(self) -> str:
        """As tests/replay/program.c reads it."""
        there = "".join(NAMES[k] for k in (X, Y) if self.present[k]) or "-"
        flags = f"{self.model.snapshot_isolation:d} {self.model.outside:d}"
        blocks = [[_text(self.model.menu[i]) for i in mine] for mine in self.plan]
        return f"{there} {flags} {' / '.join(','.join(mine) for mine in blocks)}\n"


def _text(ops: Sequence[Op]) -> str:
    return "".join(KINDS[kind] + NAMES[k] for kind, k in ops)


def draw(model: type[Commit], rng: random.Random, runs: int) -> list[Task]:
    """Runs of this model: two blocks for each of three threads."""
    numbers = range(len(model.menu))
    return [
        Task(
            model,
            rng.choice(model.present),
            [[rng.choice(numbers) for _ in range(2)] for _ in range(3)],
        )
        for _ in range(runs)
    ]


def record(program: Path, tasks: list[Task], plant: str = "") -> Iterator[list[Event]]:
    """What happened in each task on the real core; with a bug of tests/sim/plants.h planted."""
    command = [str(program), *([plant] if plant else [])]
    text = "".join(task.line() for task in tasks)
    for part in _run(command, text).split("run ")[1:]:
        first, *lines, _ = part.splitlines()
        clock, noted = map(int, first.split())
        yield list(read_events(lines, clock, noted))


def replay(task: Task, events: list[Event]) -> Rejected | None:
    """None if the model allows what happened."""
    model = task.model()
    start = list(model.initial())[model.present.index(task.present)]
    return Replay(model, task.plan, events).run(start)
