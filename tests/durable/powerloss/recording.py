"""Running the program under the recorder, and what the recording says."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

ROOT: Final = Path(__file__).parents[3]
BEGUN: Final = "B"
ACKNOWLEDGED: Final = "A"
_RECORD: Final = struct.Struct("=IIQQ")
_SECONDS = 600

type Write = tuple[str, Any, Any]
"""Variable, key, value; None deletes."""
type Contents = dict[tuple[str, Any], Any]
"""What a store holds: (variable, key) -> value."""


class Event(NamedTuple):
    """One record: of recorder.c, which says what it is, or of this file and the program."""

    kind: str
    inode: int
    offset: int
    payload: bytes

    def packed(self) -> bytes:
        head = _RECORD.pack(ord(self.kind), len(self.payload), self.inode, self.offset)
        return head + self.payload


@dataclass(frozen=True)
class Plan:
    """What one run does."""

    seed: int
    blocks: int = 60
    """Each worker's."""
    relaxed: bool = False
    plant: str = ""
    """The name of a bug in plants.py."""
    calls: int = 0
    """The first keeper kills itself after so many recorded calls; 0: never."""

    @property
    def copy(self) -> str:
        """The name of the backup that is made beside the store."""
        return f"copy {self.seed}"


@dataclass
class History:
    """The commits of a run in their order, on top of what was there before."""

    before: Contents = field(default_factory=dict)
    begin: int = 0
    """The last commit of `before`."""
    writes: dict[int, list[Write]] = field(default_factory=dict)
    """By the number of the commit."""

    def until(self, last: int) -> Contents:
        """What the store holds after this commit."""
        contents = dict(self.before)
        for ts in sorted(self.writes):
            if ts <= last:
                for name, key, value in self.writes[ts]:
                    contents[name, key] = value
        return {place: value for place, value in contents.items() if value is not None}


class Known(NamedTuple):
    """What must survive a power cut at some moment."""

    commit: int
    """The last commit that was acknowledged, or that somebody has seen."""
    copied: int = 0
    """The last commit that must be in the copy; 0 while there need not be one."""


@dataclass
class Recording:
    """The events of a run, and what its blocks did."""

    plan: Plan
    events: list[Event]
    history: History
    begin: int
    """The first of the events that the run has caused."""

    def known(self) -> list[Known]:
        """What must survive a power cut behind each of the events."""
        commits = {tuple(w): ts for ts, writes in self.history.writes.items() for w in writes}
        result, known = [], Known(self.history.begin)
        for event in self.events:
            if event.kind == ACKNOWLEDGED:
                said = json.loads(event.payload)
                seen = [commits.get(tuple(entry), 0) for entry in said["seen"]]
                commit = max(known.commit, said["commit"], *seen)
                known = Known(commit, known.copied or said["copied"])
            result.append(known)
        return result


def build(folder: Path) -> Path:
    """The recorder, ready to be preloaded."""
    library = folder / "recorder.so"
    source = Path(__file__).with_name("recorder.c")
    flags = ["-O1", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared"]
    subprocess.run(
        [os.environ.get("CC", "cc"), *flags, "-o", str(library), str(source)], check=True
    )
    return library


def record(library: Path, folder: Path, plan: Plan, history: History) -> Recording:
    """Run the program on the store `folder/root/store`; `history` says what lies there already."""
    root, log = folder / "root", folder / "log"
    before = [[*place, value] for place, value in history.before.items()]
    begin = {"plan": asdict(plan), "begin": history.begin, "before": before}
    events = [*_existing(root), Event(BEGUN, 0, 0, json.dumps(begin).encode())]
    log.write_bytes(b"".join(event.packed() for event in events))
    recorder = {"LD_PRELOAD": str(library), "POWERLOSS_ROOT": str(root), "POWERLOSS_LOG": str(log)}
    subprocess.run(
        [sys.executable, "-m", "tests.durable.powerloss.program", json.dumps(asdict(plan))],
        cwd=ROOT,
        env=os.environ | recorder,
        check=True,
        timeout=_SECONDS,
    )
    return read(log)


def read(log: Path) -> Recording:
    """The recording in a file."""
    events = list(_events(log.read_bytes()))
    begin = next(i for i, event in enumerate(events) if event.kind == BEGUN)
    said = json.loads(events[begin].payload)
    before = {(name, key): value for name, key, value in said["before"]}
    history = History(before, said["begin"])
    for event in events:
        if event.kind == ACKNOWLEDGED:
            block = json.loads(event.payload)
            if block["commit"]:
                history.writes[block["commit"]] = [tuple(write) for write in block["wrote"]]
    return Recording(Plan(**said["plan"]), events, history, begin + 1)


def acknowledge(
    log: str,
    commit: int = 0,
    wrote: Sequence[Write] = (),
    seen: Sequence[Write] = (),
    copied: int = 0,
) -> None:
    """Note that a block or a backup has returned, so that what it did must survive from now on.

    Among what was `seen` only what one commit alone can have written counts.
    """
    said = {"commit": commit, "wrote": wrote, "seen": seen, "copied": copied}
    payload = json.dumps(said).encode()
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    try:
        os.write(file, Event(ACKNOWLEDGED, 0, 0, payload).packed())
    finally:
        os.close(file)


def _events(log: bytes) -> Iterator[Event]:
    at = 0
    while at < len(log):
        kind, size, inode, offset = _RECORD.unpack_from(log, at)
        at += _RECORD.size + size
        yield Event(chr(kind), inode, offset, log[at - size : at])


def _existing(root: Path) -> Iterator[Event]:
    """What lies there already, as if it had been made, written and synced."""
    yield Event("M", root.stat().st_ino, 0, os.fsencode(root))
    for path in sorted(root.rglob("*")):
        inode = path.stat().st_ino
        if path.is_dir():
            yield Event("M", inode, 0, os.fsencode(path))
        else:
            yield Event("C", inode, 0, os.fsencode(path))
            yield Event("W", inode, 0, path.read_bytes())
            yield Event("S", inode, 0, b"")
    for path in (root, *root.rglob("*")):
        if path.is_dir():
            yield Event("S", path.stat().st_ino, 0, b"")
