"""Keepers as they are recorded: the real one, and those with a bug, which must not pass."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import lmdb

from stmpy.durable import backup, files, format, guard, journal, keeper, log_files
from stmpy.durable.backend import NEW, TREES
from stmpy.durable.lmdb_backend import LmdbBackend

_BACKLOG_BYTES = 20_000
_SLICE = 16
_TURN = 5_000


def no_log_sync() -> None:
    """Groups are acknowledged when they are written; the kernel has them then, not the disk."""
    os.fdatasync = lambda fd: None


def no_sync() -> None:
    """LMDB leaves it to the kernel when what was written arrives."""
    lmdb.open = partial(lmdb.open, sync=False)  # type: ignore[assignment]


def no_meta_sync() -> None:
    """LMDB syncs the pages of a transaction, not the meta page that makes it count."""
    lmdb.open = partial(lmdb.open, metasync=False)  # type: ignore[assignment]


def early() -> None:
    """Blocks are acknowledged when the keeper has their group; it is written with the next one.

    That the successor of a killed one misses a group is not noticed either.
    """
    vars(format)["check_next"] = lambda known, ts: None
    append = journal.Journal.append
    waiting: list[tuple[int, bytes]] = []

    def late(
        self: journal.Journal, first: int, group: bytes, durable: Callable[[], object] | None = None
    ) -> None:
        waiting.append((first, group))
        if durable is not None:
            durable()
        if len(waiting) > 1:
            append(self, *waiting.pop(0))

    journal.Journal.append = late  # type: ignore[method-assign]


def no_names() -> None:
    """Files are synced, the directories that lead to them are not."""
    files.sync_names = lambda folder: None


def in_place() -> None:
    """A new file has its name while LMDB makes it."""

    def make(self: LmdbBackend, file: str) -> None:
        log_files.make(os.path.dirname(file))
        with lmdb.open(file, subdir=False, lock=False, max_dbs=len(TREES), mode=0o600) as env:
            tables = {table: env.open_db(table.encode()) for table in TREES}
            with env.begin(tables["meta"], write=True) as txn:
                txn.put(*NEW)

    LmdbBackend._make = make  # type: ignore[method-assign]


def careless_copy() -> None:
    """A backup is not synced. This one is planted in the program."""
    backup._PROGRAM = f"import os; os.fsync = os.fdatasync = lambda file: None; {backup._PROGRAM}"


PLANTS: Final[dict[str, Callable[[], Any]]] = {
    plant.__name__: plant
    for plant in (no_log_sync, no_sync, no_meta_sync, early, no_names, in_place, careless_copy)
}


def plant(name: str) -> None:
    """Put a bug into this process; none if the name is empty."""
    if name:
        PLANTS[name]()


def main(name: str) -> None:
    """Be a keeper that applies early and in small slices, so that a short run has many of them."""
    setattr(keeper, "BACKLOG_BYTES", _BACKLOG_BYTES)  # noqa: B010
    journal._SLICE = _SLICE
    log_files._TURN = _TURN
    plant(name)
    guard.main()
