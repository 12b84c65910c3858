"""The backend on LMDB, which has a named database for each tree; the log is in files beside it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

import lmdb

from stmpy.durable import files, format, log_files
from stmpy.durable.backend import NEW, TREES, BackendFailed, BackendFull, Change, Table, counted
from stmpy.durable.format import Damaged
from stmpy.durable.pages import put_metas_back, read_metas

_MAP_LEAST = 64 << 20
_ROOM_LEAST = 1 << 20  # with less, a disk is full
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_FULL = tuple(os.strerror(code) for code in _NO_ROOM)


class LmdbBackend:
    """An LMDB environment in a directory that exists.

    The map grows when it is full. Never a writable map: a full disk would be a SIGBUS. After a
    full disk the environment is opened anew for the next write, as LMDB may be half-way.
      What LMDB puts in place of a meta page that could not be written are the new trees under the
    old number, which is also what one flipped bit would leave: here the page gets back what it was.
    """

    def __init__(self, path: str, map_bytes: int = _MAP_LEAST) -> None:
        self._path = path
        self._map_bytes = map_bytes
        self._env: Any = None
        self._tables: dict[Table, Any] = {}
        self._moved = 0  # the last transaction that took groups out of the log, or a later one
        self._opened_log: log_files.Log | None = None
        self._open()

    def _open(self) -> Any:
        if self._env is not None:
            return self._env
        try:
            size = self._find()
            files.reserve_readers(self._path)
            self._env = lmdb.open(
                self._path,
                map_size=max(self._map_bytes, 2 * size),
                max_dbs=len(TREES),
                max_readers=16,
                mode=0o600,
                meminit=False,
                readahead=False,
            )
            self._env.reader_check()
            self._tables = {table: self._env.open_db(table.encode()) for table in TREES}
            self._moved = self._env.info()["last_txnid"]
        except (lmdb.Error, OSError) as error:
            self._fail(error)
        return self._env

    def _find(self) -> int:
        """The size of the file; makes it if it is missing.

        The names on the way to it are made durable each time: who gave them may have died before
        that. In a parent that may not be read somebody else has made the directory.
        """
        file = os.path.join(self._path, "data.mdb")
        if not os.path.exists(file):
            self._make(file)
        files.sync_names(self._path)
        with suppress(PermissionError):
            files.sync_names(os.path.dirname(self._path))
        return os.path.getsize(file)

    def _make(self, file: str) -> None:
        """It gets its name when it is whole: LMDB cannot open one whose making was cut off."""
        if log_files.hold_groups(self._path):
            raise Damaged("data.mdb is missing, and the log holds commits that came after it")
        log_files.make(self._path)
        part = os.path.join(self._path, "data.part")
        with suppress(FileNotFoundError):
            os.unlink(part)
        env = lmdb.open(part, subdir=False, lock=False, max_dbs=len(TREES), mode=0o600)
        try:
            with env.begin(write=True) as txn:
                tables = {table: env.open_db(table.encode(), txn) for table in TREES}
                txn.put(*NEW, db=tables["meta"])
        finally:
            env.close()
        os.rename(part, file)

    def _fail(self, error: Exception) -> NoReturn:
        self._close()
        if any(text in str(error) for text in _FULL):
            raise BackendFull(str(error)) from None
        if self._cut_short(error):
            raise BackendFull(f"{error}, as there is {os.strerror(errno.ENOSPC)}") from None
        raise BackendFailed(str(error)) from None

    def _cut_short(self, error: Exception) -> bool:
        """True if LMDB may mean a write that got on to the end of the room and no further."""
        if os.strerror(errno.EIO) not in str(error):
            return False
        disk = os.statvfs(self._path)
        return disk.f_bavail * disk.f_frsize < _ROOM_LEAST

    def write(self, changes: Sequence[Change]) -> None:
        rows = [change for change in changes if change[0] != "log"]
        if rows:
            self._write_rows(rows)
        for table, key, group in changes:
            if table == "log" and group is not None:
                self._write_group(key, group)
            elif table == "log":
                self._log().forget(key)

    def _write_rows(self, rows: Sequence[Change]) -> None:
        env = self._open()
        before = read_metas(self._path)
        while True:
            try:
                with env.begin(write=True) as txn:
                    for table, key, value in rows:
                        if value is None:
                            txn.delete(key, db=self._tables[table])
                        else:
                            txn.put(key, value, db=self._tables[table])
                self._moved = env.info()["last_txnid"]
                return
            except lmdb.MapFullError:
                env.set_mapsize(2 * env.info()["map_size"])
            except lmdb.Error as error:
                put_metas_back(self._path, before)
                self._fail(error)

    def _write_group(self, key: bytes, group: bytes) -> None:
        try:
            self._log().append(key, group, self._unread)
        except OSError as error:
            if error.errno in _NO_ROOM:
                raise BackendFull(str(error)) from None
            raise BackendFailed(str(error)) from None

    def _unread(self) -> bool:
        """True if nobody reads the tables as they were when the log held more."""
        env = self._open()
        env.reader_check()
        transactions = [line.split()[2] for line in env.readers().splitlines()[1:]]
        return all(one == "-" or int(one) >= self._moved for one in transactions)

    def _log(self) -> log_files.Log:
        if self._opened_log is None:
            after = format.applied_key(self.get("meta", format.META_KEY))
            try:
                self._opened_log = log_files.Log(self._path, after)
            except OSError as error:
                self._fail(error)
        return self._opened_log

    def get(self, table: Table, key: bytes) -> bytes | None:
        with self._reading(table) as txn:
            value: bytes | None = txn.get(key)
        return value

    def get_many(self, table: Table, keys: Sequence[bytes]) -> list[bytes | None]:
        with self._reading(table) as txn:
            return [txn.get(key) for key in keys]

    def scan(self, table: Table) -> Iterator[tuple[bytes, bytes]]:
        if table == "log":
            yield from self._log().groups()
            return
        with self._reading(table) as txn:
            yield from counted(table, txn.cursor(), txn.stat(self._tables[table])["entries"])

    @contextmanager
    def _reading(self, table: Table) -> Iterator[Any]:
        """A transaction that reads; where LMDB cannot make sense of a page, that is damage."""
        env = self._open()
        try:
            with env.begin(db=self._tables[table]) as txn:
                yield txn
        except lmdb.Error as error:
            raise Damaged(f"{table}: {error}") from None

    def _close(self) -> None:
        env, self._env = self._env, None
        if env is not None:
            env.close()

    def close(self) -> None:
        self._close()
        log, self._opened_log = self._opened_log, None
        if log is not None:
            log.close()
