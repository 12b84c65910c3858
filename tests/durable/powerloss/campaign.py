"""Runs that are recorded one after the other, and many power cuts in each."""

from __future__ import annotations

import faulthandler
import hashlib
import os
import pickle
import random
import resource
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Final

import stmpy as stm
from tests.durable.powerloss.crash import Disk
from tests.durable.powerloss.recording import History, Plan, Recording, build, read, record
from tests.durable.powerloss.verify import Verdict, opened, verify

STATES_A_RUN: Final = 500
_SECONDS: Final = 1800
_OPENING: Final = 40
"""So many events the first opening has, and a little more."""
_WHOLE: Final = 250
"""One state of so many is opened by a keeper in a process of its own."""
_MEMORY: Final = Path("/dev/shm")


@dataclass
class Figures:
    """What was seen."""

    runs: int = 0
    blocks: int = 0
    states: int = 0
    lost: int = 0
    """States in which something acknowledged is missing."""
    wrong: list[str] = field(default_factory=list)
    """What must never be, in any mode, and where; beginning with what was lost unless relaxed."""
    different: set[bytes] = field(default_factory=set)


def rng_of(plan: Plan, number: int) -> random.Random:
    return random.Random(f"{plan.seed} {number}")


def place_of(recording: Recording, rng: random.Random) -> int:
    """How many events come before the power cut; a quarter of them happen early."""
    last = len(recording.events)
    early = min(last, recording.begin + _OPENING)
    return rng.randint(recording.begin, rng.choice((early, last, last, last)))


def leave(recording: Recording, number: int, target: Path) -> None:
    """The state with this number."""
    disk, rng = Disk(), rng_of(recording.plan, number)
    for event in recording.events[: place_of(recording, rng)]:
        disk.take(event)
    disk.leave(target, rng)


def digest(folder: Path) -> bytes:
    """What tells states from each other; LMDB's lock file does not."""
    found = hashlib.blake2b(digest_size=8)
    for path in sorted(folder.rglob("*")):
        found.update(path.name.encode())
        if path.is_file() and path.name != "lock.mdb":
            found.update(path.read_bytes())
    return found.digest()


def judge(recording: Recording, numbers: Iterable[int], left: Path, out: IO[bytes]) -> None:
    """Write (number, verdict, digest) for each state; a first verdict stands if a process ends."""
    places = {number: place_of(recording, rng_of(recording.plan, number)) for number in numbers}
    known, disk, taken = recording.known(), Disk(), 0
    for number, place in sorted(places.items(), key=lambda item: item[1]):
        while taken < place:
            disk.take(recording.events[taken])
            taken += 1
        rng = rng_of(recording.plan, number)
        assert place_of(recording, rng) == place
        disk.leave(left, rng)
        state = digest(left)
        pickle.dump((number, Verdict(-1, False, "it ended the process"), state), out)
        out.flush()
        how = opened if number % _WHOLE else stm.open
        verdict = verify(left, recording, known[place - 1], how)
        pickle.dump((number, verdict, state), out)
        shutil.rmtree(left)


def judge_all(recording: Recording, states: int, figures: Figures) -> dict[int, Verdict]:
    """Judge so many states, in a process per core; `figures` is brought up to date."""
    workers = len(os.sched_getaffinity(0))
    verdicts: dict[int, Verdict] = {}
    with in_memory() as folder:
        pipes = [
            _judging(recording, range(i, states, workers), folder / str(i)) for i in range(workers)
        ]
        for pipe in pipes:
            for number, verdict, state in _pickled(pipe):
                verdicts[number] = verdict
                figures.different.add(state)
            os.wait()
    return verdicts


@contextmanager
def in_memory() -> Iterator[Path]:
    """A directory for a while, where nothing waits for a disk if there is such a place."""
    where = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="stmpy-powerloss-", dir=where) as folder:
        yield Path(folder)


def _judging(recording: Recording, numbers: Iterable[int], left: Path) -> int:
    """A process that judges; what it writes is read from this descriptor."""
    read_end, write_end = os.pipe()
    if os.fork() == 0:
        code = 1
        try:
            os.close(read_end)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            faulthandler.dump_traceback_later(_SECONDS, exit=True)
            with open(write_end, "wb") as out:
                judge(recording, numbers, left, out)
            code = 0
        finally:
            os._exit(code)
    os.close(write_end)
    return read_end


def _pickled(pipe: int) -> Iterator[tuple[int, Verdict, bytes]]:
    with open(pipe, "rb") as file:
        while True:
            try:
                yield pickle.load(file)
            except EOFError:
                return


def check(recording: Recording, states: int, figures: Figures) -> dict[int, Verdict]:
    """Judge states of a recording and count; the verdicts by their numbers."""
    verdicts = judge_all(recording, states, figures)
    figures.runs += 1
    figures.blocks += len(recording.history.writes)
    figures.states += len(verdicts)
    if len(verdicts) < states:
        figures.wrong.append(f"{states - len(verdicts)} states were not judged")
    for number, verdict in sorted(verdicts.items()):
        if verdict.lost:
            figures.lost += 1
        if verdict.wrong:
            figures.wrong.append(f"state {number}: {verdict.wrong}")
        elif verdict.lost and not recording.plan.relaxed:
            figures.wrong.append(f"state {number}: what was acknowledged is lost")
    return verdicts


def whole(recording: Recording, root: Path) -> bool:
    """Whether the events make the files that are there, so that none was missed."""
    disk = Disk()
    for event in recording.events:
        disk.take(event)
    there = [path for path in root.rglob("*") if path.is_file() and path.name != "lock.mdb"]
    return disk.files() == {str(path): path.read_bytes() for path in there}


def run(states: int, seed: int, plan: Plan, runs: int, keep: Path) -> Figures:
    """Record `runs` runs like `plan` and judge states of each; bad recordings go to `keep`.

    Every third run begins without a store, the others with a state that a power cut has left.
    In some the keeper kills itself.
    """
    rng, figures = random.Random(seed), Figures()
    with in_memory() as folder:
        library, root, history = build(folder), folder / "root", History()
        for number in range(runs):
            if number % 3 == 0:
                shutil.rmtree(root, ignore_errors=True)
                root.mkdir(0o700)
                history = History()
            calls = rng.randrange(60, 600) if rng.random() < 0.4 else 0
            this = replace(plan, seed=rng.randrange(2**32), calls=calls)
            recording = record(library, folder, this, history)
            assert whole(recording, root), "the recorder has missed something"
            bad = len(figures.wrong)
            share = states * (number + 1) // runs - states * number // runs
            verdicts = check(recording, share, figures)
            if len(figures.wrong) > bad:
                kept = shutil.copy(folder / "log", keep / f"powerloss-{seed}-{number}.log")
                figures.wrong[bad:] = [f"{kept}, {line}" for line in figures.wrong[bad:]]
            shutil.rmtree(root)
            chosen = next((n for n in sorted(verdicts) if verdicts[n].last > 0), None)
            if chosen is None or verdicts[chosen].wrong:
                root.mkdir(0o700)
                history = History()
            else:
                leave(recording, chosen, root)
                last = verdicts[chosen].last
                history = History(recording.history.until(last), last)
    return figures


def again(log: Path, states: int) -> Figures:
    """Judge a recording that was kept."""
    figures = Figures()
    check(read(log), states, figures)
    return figures
