"""Finding the stores of running processes and reading them from outside.

A store is a memory file that its process holds open, so `/proc/PID/fd` leads to it: nothing runs in
the observed process, nothing has to be enabled there, and it may hang. The kernel lets see those
processes that one may also debug: one's own, or all as root.
"""

import os
import select
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from stmpy.errors import DecodeError, StmError
from stmpy.statistics._durability import store_keeper, store_path
from stmpy.statistics._gather import gather, store_name
from stmpy.statistics._image import Image, OtherVersion
from stmpy.statistics._model import Stats
from stmpy.statistics._text import printable


class StoreNotFound(StmError):
    """No running process that may be seen has such a store.

    Look with `stmpy list` for those that there are, as the user who runs the process.
    """


class StoreGone(StmError):
    """The observed process has ended, or the store was closed.

    What was read before is the last that can be known.
    """


@dataclass(frozen=True, slots=True)
class Found:
    """A store of a running process. `name` is empty for one without, None for another version's.

    That of a store on disk is its `path`; a `keeper` is the process that writes there.
    """

    process: int
    file: int
    name: str | None
    region: bytes
    closed: bool
    command: str
    path: str = ""
    keeper: int = 0

    @property
    def target(self) -> str:
        """What names exactly this store on the command line."""
        return f"{self.process}:{self.file}"

    def goes_by(self, target: str) -> bool:
        """Whether the target is its name, or another way to write its path."""
        return self.name == target or self.path == os.path.realpath(target)


def find() -> list[Found]:
    """The stores of all processes that may be seen; one that forked processes share comes once."""
    seen: set[bytes] = set()
    found = []
    for process in sorted(int(name) for name in os.listdir("/proc") if name.isdigit()):
        with suppress(OSError):
            for store in stores_of(process):
                if store.region not in seen:
                    seen.add(store.region)
                    found.append(store)
    return found


def stores_of(process: int) -> Iterator[Found]:
    """The stores that a process holds open. Raises OSError if it is gone or may not be seen."""
    folder = f"/proc/{process}/fd"
    for number in sorted(int(name) for name in os.listdir(folder)):
        path = f"{folder}/{number}"
        with suppress(FileNotFoundError, DecodeError):
            # Who holds it open only for reading looks at it as we do.
            writes = os.lstat(path).st_mode & stat.S_IWUSR
            if writes and os.readlink(path).startswith("/memfd:"):
                yield _look(process, number)


def _look(process: int, number: int) -> Found:
    file = _open(process, number)
    try:
        header = Image.of_file(file).header()
    except OtherVersion:
        return Found(process, number, None, b"%d" % os.fstat(file).st_ino, False, _command(process))
    finally:
        os.close(file)
    region = header.data[header.place("id") :][:16]
    closed = header.u32("closed") != 0
    return Found(
        process,
        number,
        store_name(header),
        region,
        closed,
        _command(process),
        store_path(header),
        store_keeper(header),
    )


def _open(process: int, number: int) -> int:
    return os.open(f"/proc/{process}/fd/{number}", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)


def _command(process: int) -> str:
    with suppress(OSError), open(f"/proc/{process}/cmdline", "rb") as file:
        words = file.read(1000).split(b"\0")
        return printable(" ".join(word.decode(errors="replace") for word in words if word))
    return ""


class Attached:
    """A store of another process, open for reading. Closed by `close` or at the end of a `with`."""

    def __init__(self, found: Found) -> None:
        self.found = found
        self._process = self._file = -1
        try:
            self._process = os.pidfd_open(found.process)
            self._file = _open(found.process, found.file)
            self._image = Image.of_file(self._file)
        except (ProcessLookupError, FileNotFoundError) as gone:
            self.close()
            raise StoreGone(f"process {found.process}: it has ended") from gone
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the store."""
        for file in (self._process, self._file):
            if file >= 0:
                os.close(file)
        self._process = self._file = -1

    def read(self) -> Stats:
        """What has been counted up to now.

        Raises `StoreGone` when the process has ended or the store is closed, and `DecodeError` if
        the region is damaged.
        """
        poll = select.poll()
        poll.register(self._process, select.POLLIN)
        if poll.poll(0):
            raise StoreGone(f"process {self.found.process}: it has ended")
        stats = gather(self._image, self.found.process)
        if stats.closed:
            raise StoreGone(f"store {stats.store or self.found.target}: it was closed")
        return stats


def attach(target: str | None = None) -> Attached:
    """Open the store that `target` means: a process id, a name, or `PID:FILE` as `list` shows it.

    Without one, the only store there is. Raises `StoreNotFound` if there is none or several,
    `StoreGone` if it has just gone, and `OtherVersion` for a store of another version.
    """
    pid, _, file = (target or "").partition(":")
    if pid.isdecimal():
        candidates = [s for s in _seen(int(pid)) if file in ("", str(s.file))]
    else:
        candidates = [s for s in find() if target is None or s.goes_by(target)]
    candidates = [store for store in candidates if not store.closed]
    # Those of another version stand back for those that can be read.
    candidates = [store for store in candidates if store.name is not None] or candidates
    if not candidates:
        what = "no store of a running process" if target is None else f"{target}: no such store"
        raise StoreNotFound(f"{what} that may be seen; `stmpy list` shows all there are")
    if len(candidates) > 1:
        names = ", ".join(f"{s.target} {s.name or '(unnamed)'}" for s in candidates)
        raise StoreNotFound(f"{target or 'which store'}: there are several, name one: {names}")
    return Attached(candidates[0])


def _seen(process: int) -> list[Found]:
    try:
        return list(stores_of(process))
    except PermissionError as denied:
        raise StoreNotFound(
            f"process {process}: this user may not look into it; run as its user, or as root"
        ) from denied
    except OSError as gone:
        raise StoreNotFound(f"process {process}: there is none") from gone
