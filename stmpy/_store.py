"""Stores: regions of shared memory that hold variables."""

from __future__ import annotations

import os
import sys

# Not in _prepare, which needs it: what a closed interpreter has used would then not be freed.
import threading

from stmpy import _native
from stmpy.errors import StoreClosed

# Type checkers take the name for true. What only they need is not imported, nor what few programs
# use: every interpreter of a program pays for it again (tests/isolated/test_import_cost.py).
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Literal, Self

    from stmpy._var import TRef, TVar
    from stmpy.statistics import Stats

_MIB = 1 << 20
_DEFAULT_NAME = "default"


def _default_size() -> int:
    """A quarter of this machine's memory, at most 1 GiB; only what is used takes memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(16 * _MIB, min(1024 * _MIB, memory // 4))


class Store(_native.Store):
    """A versioned store of variables that interpreters and forked children share.

    In memory, and with a path also on disk. Made by `stmpy.open`. As a context manager it closes at
    the end of the `with`. It travels to other interpreters of the process by pickling and stays the
    same store.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Callable[..., Store], tuple[int, bytes]]:
        return attach, (self._number, self._id)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Store) and self._number == other._number

    def __hash__(self) -> int:
        return hash((Store, self._number))

    def __repr__(self) -> str:
        state = "closed" if self.closed else "open"
        return f"<Store {self.path or self.name or self._number!r} {state}>"

    @property
    def path(self) -> str | None:
        """The directory of a store on disk, or None."""
        return _native._durable_state(self)["path"] or None

    def close(self) -> None:
        """Refuse all further use, in every interpreter; safe to call again.

        A store on disk is closed when all its commits are there; if they can't be, that raises
        CommitUnknown, and the store is closed all the same.
        """
        if self.path is None:
            super().close()
        else:
            from stmpy.durable import launch

            launch.close(self)

    def flush(self, timeout: float | None = None) -> None:
        """Wait until every commit so far is on disk; nothing for a store in memory.

        Raises CommitUnknown if the disk failed, or after `timeout` seconds.
        """
        if self.path is not None:
            from stmpy.durable import launch

            launch.flush(self, timeout)

    def backup(self, path: str | os.PathLike[str]) -> None:
        """Copy the store into a new directory, while blocks go on; every commit so far is in it.

        The copy is a store to `open`, and durable when this returns. Raises ValueError for a store
        in memory, CommitUnknown as `flush` does, and DurabilityError if the path exists or the disk
        fails; nothing is left of the copy then.
        """
        if self.path is None:
            raise ValueError("a store in memory has no files to copy; open it with a path")
        from stmpy.durable import backup, launch

        self.flush()
        backup.in_process(self.path, launch.resolve(path))

    def TVar(self, name: str | None = None, initial: Any = None) -> TVar[Any, Any]:
        """A `stmpy.TVar` of this store."""
        from stmpy._var import TVar

        return TVar(name, initial, store=self)

    def TRef(self, name: str | None = None, initial: Any = None) -> TRef[Any]:
        """A `stmpy.TRef` of this store."""
        from stmpy._var import TRef

        return TRef(name, initial, store=self)

    def stats(self) -> Stats:
        """What happened on this store so far, in every thread, interpreter and process."""
        from stmpy.statistics._gather import gather
        from stmpy.statistics._image import Image

        return gather(Image.of_file(self._file), os.getpid())


def open(
    path: str | os.PathLike[str] | None = None,
    *,
    name: str | None = None,
    durability: Literal["sync", "relaxed"] = "sync",
    max_bytes: int | None = None,
    history_bytes: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Store:
    """Open a store in memory, or with a `path` one that is still there after a power cut.

    With a `name`, the same store for every interpreter of the process that opens that name while it
    is open; without, a new one. `max_bytes` limits the bytes of all keys and values together and
    `history_bytes` those of old versions kept for running snapshots; by default 1 GiB, or a quarter
    of the machine's memory if that is less, and half of it. Raises ValueError for sizes below
    64 KiB and OSError if the system can't give the address space.

    The `path` is a directory, made if it is missing; it needs the extra `stmpy-store[lmdb]`. One
    process owns it, with its interpreters and forked children; opened there again, it is the same
    store. With `durability="sync"` a block returns when what it wrote and what it read survives a
    power cut: at once, if it only read what is on disk already. A key that it found absent counts
    as the newest commit that it could see. With `"relaxed"` it never waits: a killed program loses
    nothing, a power cut may take the last moments, whole blocks in order. Reads outside a block see
    the last commit, durable or not.
    `progress(loaded, of)` is called while keys are read. Keys come back in the order of their
    encoding, not of their insertion. Raises DurabilityError if another process has the store (it
    names the pid), if the directory is not safe, or if the disk fails; DecodeError if what is there
    is damaged; StoreFull if `max_bytes` is too little for it. (Group commit: Gray and Reuter,
    Transaction Processing, 1992.)
    """
    if durability not in ("sync", "relaxed"):
        raise ValueError(f"durability is 'sync' or 'relaxed', not {durability!r}")
    if path is not None:
        if name is not None:
            raise ValueError("a store has a path or a name; a path names it already")
        return _open_path(path, durability == "relaxed", max_bytes, history_bytes, progress)
    if name is not None and not isinstance(name, str):
        raise TypeError(f"the name of a store is a str, not {name!r}")
    if name is not None and not 0 < len(name.encode()) < 64:
        raise ValueError(f"the name of a store has 1 to 63 bytes, not {len(name.encode())}")
    if name == _DEFAULT_NAME:
        raise ValueError("the name 'default' belongs to the store that is used without opening one")
    return _open(name or "", max_bytes, history_bytes)


def _open_path(
    path: str | os.PathLike[str],
    relaxed: bool,
    max_bytes: int | None,
    history_bytes: int | None,
    progress: Callable[[int, int], None] | None,
) -> Store:
    from stmpy.durable import launch

    if not os.fspath(path):
        raise ValueError("the path of a store is empty; '.' is the current directory")
    resolved = launch.resolve(path)
    store = _open(launch.store_name(resolved), max_bytes, history_bytes)
    return launch.open_store(store, resolved, relaxed, progress)


def _open(name: str, max_bytes: int | None, history_bytes: int | None) -> Store:
    for what, bytes in (("max_bytes", max_bytes), ("history_bytes", history_bytes)):
        if bytes is not None and not isinstance(bytes, int):
            raise TypeError(f"{what} is a whole number of bytes, not {bytes!r}")
    size = _default_size() if max_bytes is None else max_bytes
    history = size // 2 if history_bytes is None else history_bytes
    if not 1 << 16 <= size <= 1 << 35:
        raise ValueError(f"max_bytes is from 64 KiB to 32 GiB, not {size}")
    if not 0 < history <= size:
        raise ValueError(f"history_bytes is from 1 to max_bytes, not {history}")
    _prepare()
    return Store(name, size, history)


_prepared = False


def _prepare() -> None:
    """What this interpreter needs before its first block; done once.

    What runs blocks again is imported now, since a signal that comes in an import leaves half a
    module. A block that is open when the interpreter shuts down is undone before that waits for its
    threads, as they may wait for the block: atexit would come too late. Where the shutdown has
    begun there is nothing to do.
    """
    global _prepared
    if _prepared:
        return
    from contextlib import suppress

    import stmpy._frames
    import stmpy._sites  # noqa: F401

    with suppress(RuntimeError):
        threading._register_atexit(_native._leave)  # type: ignore[attr-defined]
    _prepared = True


def attach(number: int, region: bytes) -> Store:
    """The store of this region, which has this number in this process.

    Raises StoreClosed if it is gone, or was never open in this process.
    """
    _prepare()
    store = Store(number)
    if store._id != region:
        raise StoreClosed(
            f"store number {number} of another process: handles travel between interpreters of "
            "one process and to its forked children"
        )
    return store


_default: Store | None = None


def _warn_in_child() -> None:
    """Say that a child of multiprocessing, where it was not forked late enough, shares nothing."""
    process = sys.modules.get("multiprocessing.process")
    if process is None:
        return
    # While a spawned child imports the main script again it does not know its parent yet.
    starts = getattr(process.current_process(), "_inheriting", False)
    if starts or process.parent_process() is not None:
        import warnings

        warnings.warn(
            "this process has a default store of its own, which its parent and the other children "
            "do not see; to share one, use stm.InterpreterPool, or a multiprocessing context of "
            "'fork' after the parent has made its variables; if it is meant, stm.open() one",
            RuntimeWarning,
            stacklevel=2,
            skip_file_prefixes=(os.path.dirname(__file__),),
        )


def default_store() -> Store:
    """The store of the process that is used where none is named."""
    global _default
    if _default is None:
        _warn_in_child()
        _default = _open(_DEFAULT_NAME, None, None)
    return _default
