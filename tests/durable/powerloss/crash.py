"""A disk that loses its power: from the events so far, one of the states it may be found in.

What was synced is there. Of what was written to a file since its last sync each sector may be there
or not, whatever the others are: lost, torn, in another order; the file may have grown by all, some
or nothing of it, and what was never written there may be anything. A name that was given or taken
away stays so only once its directory was synced; a rename is done or not done.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.durable.powerloss.recording import Event

SECTOR: Final = 512
_UNSEEN: Final = "lock.mdb"
"""LMDB writes it through a mapping, which nobody sees, so anything may be in it."""


def chances(count: int, rng: random.Random) -> list[float]:
    """How likely each part of so many pending changes is there: one of the ways to lose them."""
    one = rng.randrange(count) if count else 0
    match rng.randrange(6):
        case 0:
            return [0.0] * count
        case 1:
            return [1.0] * count
        case 2:
            return [float(rng.randrange(2)) for _ in range(count)]
        case 3:
            return [0.5] * count
        case 4:
            return [rng.choice((0.0, 0.5)) if i == one else 1.0 for i in range(count)]
        case _:
            return [1.0 if i < one else 0.5 if i == one else 0.0 for i in range(count)]


@dataclass
class Change:
    """A write, or without `content` a new size."""

    offset: int
    content: bytes | None
    durable: bool = False

    def sectors(self) -> Iterator[tuple[int, bytes]]:
        """The parts that the disk writes whole or not at all."""
        assert self.content is not None
        at = 0
        while at < len(self.content):
            end = at + SECTOR - (self.offset + at) % SECTOR
            yield self.offset + at, self.content[at:end]
            at = end


def _put(content: bytearray, at: int, part: bytes) -> None:
    if at > len(content):
        content += bytes(at - len(content))
    content[at : at + len(part)] = part


@dataclass
class File:
    """What is on the disk, and what was done since the last sync."""

    synced: bytearray = field(default_factory=bytearray)
    pending: list[Change] = field(default_factory=list)

    def sync(self) -> None:
        for change in self.pending:
            self._apply(self.synced, change)
        self.pending = []

    @staticmethod
    def _apply(content: bytearray, change: Change) -> None:
        if change.content is not None:
            _put(content, change.offset, change.content)
        elif change.offset < len(content):
            del content[change.offset :]
        else:
            content += bytes(change.offset - len(content))

    def left(self, rng: random.Random) -> bytes:
        """What a power cut now may leave."""
        content, size = bytearray(self.synced), len(self.synced)
        for change, chance in zip(self.pending, chances(len(self.pending), rng), strict=True):
            if change.durable or (change.content is None and rng.random() < chance):
                self._apply(content, change)
                size = len(content) if change.content is None else max(size, self._end(change))
            elif change.content is not None:
                for at, part in change.sectors():
                    if rng.random() < chance:
                        _put(content, at, part)
        return self._resized(content, size, rng)

    @staticmethod
    def _end(change: Change) -> int:
        return change.offset + len(change.content or b"")

    def _resized(self, content: bytearray, least: int, rng: random.Random) -> bytes:
        """The size is written on its own: what came behind `least` may be cut off, or follow."""
        most = max([len(content), *map(self._end, self.pending)])
        match rng.randrange(4):
            case 0 if len(content) > least:
                del content[max(least, rng.randrange(0, len(content), SECTOR)) :]
            case 1:
                content += bytes(most - len(content))
            case 2:
                content += rng.randbytes(most - len(content))
        return bytes(content)


type Entries = dict[str, int]
"""Names in a directory, and what they lead to."""


@dataclass
class Folder:
    """As a File: names that are there for certain, and what was done since."""

    synced: Entries = field(default_factory=dict)
    pending: list[tuple[str, str, int]] = field(default_factory=list)
    """A name that is taken away, one that is given, and to which inode; empty: none."""

    def sync(self) -> None:
        for change in self.pending:
            self._apply(self.synced, change)
        self.pending = []

    @staticmethod
    def _apply(entries: Entries, change: tuple[str, str, int]) -> None:
        gone, given, inode = change
        entries.pop(gone, None)
        if given:
            entries[given] = inode

    def left(self, rng: random.Random) -> Entries:
        entries = dict(self.synced)
        for change, chance in zip(self.pending, chances(len(self.pending), rng), strict=True):
            if rng.random() < chance:
                self._apply(entries, change)
        return entries


class Disk:
    """Files and directories as the events so far have made them."""

    def __init__(self) -> None:
        self._inodes: dict[int, File | Folder] = {}
        self._folders: dict[str, Folder] = {}
        self._root = 0

    def take(self, event: Event) -> None:
        """One more event has happened."""
        inode = event.inode
        match event.kind:
            case "M":
                self._make(event, Folder())
            case "C":
                self._make(event, File())
            case "R":
                before, after = os.fsdecode(event.payload).split("\n")
                self._rename(before, after, inode)
            case "U":
                parent, name = os.path.split(os.fsdecode(event.payload))
                self._folders[parent].pending.append((name, "", 0))
            case "W":
                self._file(inode).pending.append(Change(event.offset, event.payload))
            case "D":
                self._file(inode).pending[-1].durable = True
            case "T":
                self._file(inode).pending.append(Change(event.offset, None))
            case "S":
                self._inodes[inode].sync()

    def _make(self, event: Event, made: File | Folder) -> None:
        path = os.fsdecode(event.payload)
        self._inodes[event.inode] = made
        parent, name = os.path.split(path)
        if self._root:
            self._folders[parent].pending.append(("", name, event.inode))
        else:
            self._root = event.inode
        if isinstance(made, Folder):
            self._folders[path] = made

    def _rename(self, before: str, after: str, inode: int) -> None:
        (parent, old), (folder, new) = os.path.split(before), os.path.split(after)
        assert parent == folder, "a rename between directories"
        self._folders[parent].pending.append((old, new, inode))

    def _file(self, inode: int) -> File:
        file = self._inodes[inode]
        assert isinstance(file, File)
        return file

    def leave(self, target: Path, rng: random.Random) -> None:
        """Make the directory `target` what a power cut now may leave of the first one."""
        self._leave(target, self._root, rng)

    def _leave(self, path: Path, inode: int, rng: random.Random) -> None:
        left = self._inodes[inode].left(rng)
        if isinstance(left, dict):
            path.mkdir(0o700)
            for name, inner in left.items():
                self._leave(path / name, inner, rng)
        else:
            path.touch(0o600)
            path.write_bytes(rng.randbytes(len(left)) if path.name == _UNSEEN else left)

    def files(self) -> dict[str, bytes]:
        """What is there while the power is on, but for what nobody sees: path -> content."""
        found: dict[str, bytes] = {}
        for path, folder in self._folders.items():
            entries = dict(folder.synced)
            for change in folder.pending:
                Folder._apply(entries, change)
            for name, inode in entries.items():
                file = self._inodes[inode]
                if isinstance(file, File) and name != _UNSEEN:
                    content = bytearray(file.synced)
                    for written in file.pending:
                        File._apply(content, written)
                    found[os.path.join(path, name)] = bytes(content)
        return found
