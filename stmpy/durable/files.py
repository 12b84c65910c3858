"""The directory of a store: whose it is, what may lie in it, and the lock of its owner."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import glob
import os
import stat
import time

from stmpy.errors import DurabilityError

_FILES = ("data.mdb", "lock.mdb", "log.0", "log.1", "owner")
_OTHERS_MAY_WRITE = 0o022
_READERS_BYTES = 4096
_OWNER_BYTES = 32


def prepare(path: str) -> None:
    """Make the directory if it is missing; refuse one that others could tamper with."""
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        check(path)


def check(path: str) -> None:
    """Raise DurabilityError if the store is not a directory of this user's regular files."""
    _check_one(path, stat.S_IFDIR, "a directory")
    for name in _FILES:
        inner = os.path.join(path, name)
        if os.path.lexists(inner):
            _check_one(inner, stat.S_IFREG, "a regular file")


def reserve_readers(path: str) -> None:
    """Give the file of LMDB's readers its blocks; raises OSError if the disk has none.

    LMDB maps it for writing, and where the disk cannot hold what is written that is a SIGBUS.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(os.path.join(path, "lock.mdb"), flags, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, _READERS_BYTES)
    finally:
        os.close(descriptor)


def sync_names(folder: str) -> None:
    """Return when the names that were given or taken away in a directory survive a power cut.

    Syncing a file does not promise that it is found again. Raises OSError that names the directory.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        reason = f"{error.strerror}, when the names in it were synced"
        raise OSError(error.errno, reason, folder) from None
    finally:
        os.close(descriptor)


def check_present(path: str) -> None:
    """As `check`, and raise DurabilityError if there is no store at all."""
    if not os.path.lexists(os.path.join(path, "data.mdb")):
        raise DurabilityError(f"{path}: no store is there")
    check(path)


def _check_one(path: str, kind: int, what: str) -> None:
    info = os.lstat(path)
    if stat.S_ISLNK(info.st_mode):
        raise DurabilityError(f"{path}: is a symbolic link; give the path that it leads to")
    if stat.S_IFMT(info.st_mode) != kind:
        raise DurabilityError(f"{path}: is not {what}, so no store of stmpy")
    if info.st_uid != os.geteuid():
        raise DurabilityError(
            f"{path}: belongs to user {info.st_uid}, and this is user {os.geteuid()}; only its "
            "owner opens a store"
        )
    if info.st_mode & _OTHERS_MAY_WRITE:
        raise DurabilityError(
            f"{path}: others may write to it (mode {stat.S_IMODE(info.st_mode):o}); "
            "take that away (chmod go-w) and see that the contents are yours"
        )


def lock(path: str, pid: int, patience: float) -> int:
    """Take the store for the program with this pid; the file descriptor holds the lock.

    One keeper at a time. A keeper whose program has ended, or is this one, is about to leave: it is
    waited for. Raises DurabilityError, naming the owner, if another program has the store.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(os.path.join(path, "owner"), flags, 0o600)
    deadline = time.monotonic() + patience
    while not _try_lock(descriptor):
        owner = read_owner(descriptor)
        if (owner not in (0, pid) and alive(owner)) or time.monotonic() >= deadline:
            os.close(descriptor)
            raise DurabilityError(
                f"{path}: the store is open in process {owner}; one process at a time owns it: "
                "close it there, or work on it from that process and its children"
            )
        time.sleep(0.01)
    name_owner(descriptor, pid)
    return descriptor


def name_owner(lock: int, pid: int) -> None:
    """Tell others that this process has the store. A pid has fewer than 32 digits."""
    os.pwrite(lock, f"{pid}\n".ljust(_OWNER_BYTES).encode(), 0)


def read_owner(lock: int) -> int:
    """0 while the keeper has not written it yet."""
    text = os.pread(lock, _OWNER_BYTES, 0).strip()
    return int(text) if text.isdigit() else 0


def writer_of(pipe: int) -> int:
    """The pid of a process that has this pipe open for writing, or 0; it may not write to it."""
    wanted = os.fstat(pipe)
    for link in glob.iglob("/proc/[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            if os.path.samestat(os.stat(link), wanted) and os.lstat(link).st_mode & stat.S_IWUSR:
                return int(link.split("/")[2])
    return 0


def owner_of(path: str) -> int | None:
    """The pid of the program that has the store open now, or None."""
    try:
        descriptor = os.open(os.path.join(path, "owner"), os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        return None if _try_lock(descriptor) else read_owner(descriptor)
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            raise
        return False
    return True


def alive(pid: int) -> bool:
    """False also for a process that has ended and that nobody has collected."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
