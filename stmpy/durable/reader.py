"""Reading a store on disk at one moment, without its lock and without a keeper, from any process.

What is read is what is durable: while the store is open, its program may be ahead of that.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from stmpy.durable import files, format, log_files
from stmpy.durable.backend import TREES, BackendFailed, BackendFull, Change, Table, counted
from stmpy.durable.format import Damaged
from stmpy.durable.journal import Journal
from stmpy.errors import DecodeError, DurabilityError

_MAP_LEAST = 64 << 20


class Reader:
    """A backend that shows the files as they were when it was made, or a later log.

    It is never written to. The keeper leaves the log of a transaction alone while one reads it.
    """

    def __init__(self, path: str) -> None:
        import lmdb

        self._path = path
        _reserve(path)
        file = os.path.join(path, "data.mdb")
        if not os.path.exists(file):
            raise DurabilityError(f"{path}: no store is there")
        size = os.stat(file).st_size
        if size == 0:
            raise Damaged("data.mdb: is empty")
        self.env = lmdb.open(
            path,
            readonly=True,
            create=False,
            max_dbs=len(TREES),
            map_size=max(_MAP_LEAST, 2 * size),
            mode=0o600,
            readahead=False,
        )
        try:
            self._txn = self.env.begin()
            self._tables: dict[Table, Any] = {
                table: self.env.open_db(table.encode(), self._txn, create=False) for table in TREES
            }
        except lmdb.NotFoundError:
            self.env.close()
            raise Damaged("a table of the store is missing, or this is no store of stmpy") from None

    def write(self, changes: Sequence[Change]) -> NoReturn:
        raise DurabilityError(f"{self._path}: the store there has never been written")

    def get(self, table: Table, key: bytes) -> bytes | None:
        value: bytes | None = self._txn.get(key, db=self._tables[table])
        return value

    def get_many(self, table: Table, keys: Sequence[bytes]) -> list[bytes | None]:
        return [self.get(table, key) for key in keys]

    def scan(self, table: Table) -> Iterator[tuple[bytes, bytes]]:
        if table == "log":
            after = format.applied_key(self.get("meta", format.META_KEY))
            yield from log_files.read(self._path, after)
            return
        db = self._tables[table]
        yield from counted(table, self._txn.cursor(db), self._txn.stat(db)["entries"])

    def close(self) -> None:
        self._txn.abort()
        self.env.close()


def _reserve(path: str) -> None:
    """Where nothing may be written, LMDB says what it can't do; where nothing can, it would die."""
    try:
        files.reserve_readers(path)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise DurabilityError(f"{path}: {error.strerror}") from error


@contextmanager
def explained(path: str) -> Iterator[None]:
    """Turn what the disk and LMDB raise into errors of stmpy that name the path."""
    try:
        import lmdb
    except ModuleNotFoundError:
        raise DurabilityError(
            "a store on disk needs lmdb: pip install 'stmpy-store[lmdb]'"
        ) from None
    try:
        yield
    except Damaged as error:
        raise DecodeError(f"{path}: {error}; stmpy check says what is damaged") from error
    except (lmdb.Error, BackendFailed, BackendFull) as error:
        raise DurabilityError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from error


@contextmanager
def reading(path: str) -> Iterator[Journal]:
    """The store at a path, as it is on disk now. Raises DurabilityError or DecodeError."""
    with explained(path):
        files.check_present(path)
        journal = Journal(Reader(path))
        try:
            yield journal
        finally:
            journal.close()
