"""The log of a store on disk: two files, written in turn from their beginning, one sync per group.

LMDB syncs a transaction twice: its pages, then the one that makes them count. Commits do not wait
for it, they are durable when their group is here. A file begins as zeros, and its groups follow
each other in sectors, which a disk writes whole or not at all. So a sector is zeros, or what was
written, or damaged. A group that a power cut has torn has zeros among its sectors, and was not
acknowledged; a bit that flips in one that was is noticed. So are zeros that have come in the place
of others, as behind a torn group no further one begins: the last group alone can vanish unseen.

Invariant: whatever groups are there, a sector of zeros that was synced lies behind them. What a
file grows by may be anything after a power cut, and nothing is looked for there.
(The shape of a write-ahead log, as in PostgreSQL or etcd.)
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final
from zlib import crc32

from stmpy.durable import files
from stmpy.durable.format import Damaged

type Group = tuple[bytes, bytes]
"""Its key and its records."""

FILES: Final = ("log.0", "log.1")
SECTOR: Final = 512

_HEAD: Final = struct.Struct("<IHH")  # CRC of the rest, bytes of the group, what it is of that:
_ENDS: Final = 1
_BEGINS: Final = 2
_CRC: Final = struct.Struct("<I")
_REST: Final = struct.Struct("<HH")
_ROOM: Final = SECTOR - _HEAD.size
_KEY: Final = 8
_ZEROS: Final = bytes(SECTOR)
_STEP: Final = 64 << 10  # by which a file grows
_TURN = 1 << 20  # of a file that is longer the other's turn comes
_PATIENCE: Final = 5  # readings of a file that somebody writes to


def _seed(number: int, place: int) -> int:
    """What the checksum of a sector begins with: it is right in this file and place alone."""
    return crc32((2 * place + number).to_bytes(8, "little"))


def encode(number: int, place: int, key: bytes, group: bytes) -> bytes:
    """A group as the sectors of a file from this place on."""
    whole = key + group
    sectors: list[bytes] = []
    for at in range(0, len(whole), _ROOM):
        part = whole[at : at + _ROOM]
        flags = _BEGINS * (at == 0) | _ENDS * (at + _ROOM >= len(whole))
        rest = _REST.pack(len(part), flags) + part.ljust(_ROOM, b"\0")
        sectors.append(_CRC.pack(crc32(rest, _seed(number, place + len(sectors)))) + rest)
    return b"".join(sectors)


def _right(number: int, place: int, sector: bytes) -> bool:
    """Whether the sector was written there; zeros were not."""
    crc: int = _CRC.unpack_from(sector)[0]
    return crc == crc32(sector[_CRC.size :], _seed(number, place))


def decode(number: int, content: bytes, after: bytes) -> tuple[list[Group], int]:
    """The groups in a file in their order, and the sector behind the last; raises Damaged.

    Zeros end them. Behind those may be what is left of a torn group, and groups up to the key
    `after`, where a power cut came while the file was begun anew.
    """
    groups: list[Group] = []
    parts: list[bytes] = []
    end = 0
    for place in range(len(content) // SECTOR):
        sector = content[place * SECTOR : (place + 1) * SECTOR]
        if sector == _ZEROS:
            _check_end(number, content, place, after)
            return groups, end
        _, size, flags = _HEAD.unpack_from(sector)
        if not _right(number, place, sector):
            raise Damaged(f"log: sector {place} of {FILES[number]} is not what was written")
        parts.append(sector[_HEAD.size : _HEAD.size + size])
        if flags & _ENDS:
            whole = b"".join(parts)
            groups.append((whole[:_KEY], whole[_KEY:]))
            parts, end = [], place + 1
    raise Damaged(f"log: {FILES[number]} is cut off")


def _check_end(number: int, content: bytes, end: int, after: bytes) -> None:
    """Raise Damaged if a group that is needed begins behind the zeros there."""
    for place in range(end + 1, len(content) // SECTOR):
        at = place * SECTOR
        flags = _HEAD.unpack_from(content, at)[2]
        key = content[at + _HEAD.size : at + _HEAD.size + _KEY]
        if flags & _BEGINS and key > after and _right(number, place, content[at : at + SECTOR]):
            raise Damaged(f"log: sector {end} of {FILES[number]} is zeros, before what was written")


def _open(folder: str, number: int, flags: int) -> int:
    """Raises Damaged if it is missing: who knows what it has held."""
    path = os.path.join(folder, FILES[number])
    try:
        return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except FileNotFoundError:
        raise Damaged(f"log: {FILES[number]} is missing") from None


def _write(file: int, content: bytes, at: int) -> None:
    view = memoryview(content)
    while view:
        written = os.pwrite(file, view, at)
        view, at = view[written:], at + written


def _in_order(groups: Iterable[Group], after: bytes) -> list[Group]:
    """Those above a key. Of two with one key, the longer has what the other has, and more."""
    found: dict[bytes, bytes] = {}
    for key, group in groups:
        if key > after and len(group) >= len(found.get(key, b"")):
            found[key] = group
    return sorted(found.items())


def read(folder: str, after: bytes) -> list[Group]:
    """The groups above a key up to one of them, while others may write; raises Damaged.

    Between the readings of the two files groups may come into the first one and then, when the turn
    changes, into the second. What is as new as those is left out: there would be a gap before it.
    """
    first, second, again = (_read(folder, number, after) for number in (0, 1, 0))
    newest = min((key for key, _ in {*again} - {*first}), default=None)
    groups = _in_order([*first, *second], after)
    return [(key, group) for key, group in groups if newest is None or key < newest]


def _read(folder: str, number: int, after: bytes) -> list[Group]:
    """A sector that is just being written may be read in part: what is wrong is read again."""
    for _ in range(_PATIENCE):
        with suppress(Damaged):
            return decode(number, _content(folder, number), after)[0]
        time.sleep(0.001)
    return decode(number, _content(folder, number), after)[0]


def _content(folder: str, number: int) -> bytes:
    with open(_open(folder, number, os.O_RDONLY), "rb") as file:
        return file.read()


def hold_groups(folder: str) -> bool:
    """Whether anything was written into the files of the log that are there.

    What a power cut left of those that were just being made may be neither zeros nor that.
    """
    for number, name in enumerate(FILES):
        with suppress(FileNotFoundError), open(os.path.join(folder, name), "rb") as file:
            content = file.read()
            for place in range(len(content) // SECTOR):
                if _right(number, place, content[place * SECTOR : (place + 1) * SECTOR]):
                    return True
    return False


def make(folder: str, groups: Iterable[Group] = ()) -> None:
    """Both files anew, with these groups; they survive a power cut when this returns."""
    content = b""
    for key, group in groups:
        content += encode(0, len(content) // SECTOR, key, group)
    for number, begin in enumerate((content, b"")):
        file = _open(folder, number, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            _write(file, begin + bytes(_grown(len(begin)) - len(begin)), 0)
            os.fdatasync(file)
        finally:
            os.close(file)
    files.sync_names(folder)


def _grown(used: int) -> int:
    """The size of a file that holds so much and a sector of zeros."""
    return -(used + SECTOR) // _STEP * -_STEP


class _File:
    """One of the two, open for writing."""

    def __init__(self, folder: str, number: int, after: bytes) -> None:
        self._number = number
        self._file = _open(folder, number, os.O_RDWR)
        content = _content(folder, number)
        self._size = len(content)
        groups, self._end = decode(number, content, after)
        self._found = groups[-1:]
        self.last = max((key for key, _ in groups), default=b"")
        self._torn = False

    def rewrite(self) -> None:
        """Make sure that the last group is on the disk, with zeros behind it.

        It may be in the cache alone, where its sync has failed or whoever wrote it died before.
        """
        for key, group in self._found:
            place = self._end + -(len(key) + len(group)) // _ROOM
            _write(self._file, encode(self._number, place, key, group), place * SECTOR)
        self._clear(self.used)

    @property
    def used(self) -> int:
        """Bytes up to the end of the last group."""
        return self._end * SECTOR

    def append(self, key: bytes, group: bytes) -> None:
        """Raises OSError; then nothing was added, and the next one begins at the same place."""
        content = encode(self._number, self._end, key, group)
        if self._torn:
            self._clear(self.used)
        if self.used + len(content) + SECTOR > self._size:
            grown = _grown(self.used + len(content))
            _write(self._file, bytes(grown - self._size), self._size)
            os.fdatasync(self._file)
            self._size = grown
        self._torn = True
        _write(self._file, content, self.used)
        os.fdatasync(self._file)
        self._torn = False
        self._end += len(content) // SECTOR
        self.last = max(self.last, key)

    def begin(self) -> None:
        """Empty it."""
        self._torn = True
        self._end, self.last = 0, b""
        self._clear(0)
        if self._size > _TURN:
            os.ftruncate(self._file, _TURN)
            self._size = _TURN

    def _clear(self, start: int) -> None:
        """Zeros from there on, so that what was torn does not continue what is written now."""
        _write(self._file, bytes(self._size - start), start)
        os.fdatasync(self._file)
        self._torn = False

    def close(self) -> None:
        os.close(self._file)


class Log:
    """Both files, for the one who writes them. Raises Damaged, and OSError where the disk fails."""

    def __init__(self, folder: str, after: bytes) -> None:
        self._folder = folder
        self._files = [_File(folder, number, after) for number in range(len(FILES))]
        self._after = after
        self._current = self._files[self._files[1].last > self._files[0].last]
        self._current.rewrite()

    def groups(self) -> list[Group]:
        """All above what may be forgotten."""
        return read(self._folder, self._after)

    def append(self, key: bytes, group: bytes, unread: Callable[[], bool]) -> None:
        """Return when the group is durable.

        A file is begun anew when all that it holds may be forgotten, if it is `unread`, too.
        """
        if self._current.used >= _TURN:
            other = self._files[self._current is self._files[0]]
            if other.last <= self._after and unread():
                other.begin()
                self._current = other
        self._current.append(key, group)

    def forget(self, last: bytes) -> None:
        """Groups up to this one are not needed any more."""
        self._after = max(self._after, last)

    def close(self) -> None:
        for file in self._files:
            file.close()
