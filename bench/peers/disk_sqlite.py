"""sqlite3 with a write-ahead log and synchronous=FULL: a transaction and a sync for each commit."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from bench.peers.disk import Commit, DiskPeer
from bench.peers.serve import serve

WRITE = "INSERT OR REPLACE INTO t VALUES (?, ?)"


class Sqlite(DiskPeer):
    version = sqlite3.sqlite_version

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        with self.join() as made:
            made.execute("PRAGMA journal_mode = WAL")
            made.execute("CREATE TABLE t (k INTEGER PRIMARY KEY, v INTEGER)")
        made.close()

    def join(self) -> sqlite3.Connection:
        """Of one thread, but that it may be collected in another."""
        mine = sqlite3.connect(
            self.folder / "db", timeout=60, isolation_level=None, check_same_thread=False
        )
        mine.execute("PRAGMA synchronous = FULL")
        return mine

    def committing(self, mine: sqlite3.Connection, key: int) -> Commit:
        return lambda number: mine.execute(WRITE, (key, number))

    def found(self, keys: list[int]) -> list[int]:
        rows = dict(self.join().execute("SELECT k, v FROM t").fetchall())
        return [rows[key] for key in keys]


if __name__ == "__main__":
    serve(Sqlite)
