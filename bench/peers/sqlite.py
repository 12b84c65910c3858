"""sqlite3: an immediate transaction for each block; nothing is synced, the file lies in memory."""

from __future__ import annotations

import sqlite3
from itertools import islice
from pathlib import Path

from bench.harness import Work
from bench.peers.serve import ACCOUNTS, COUNTER, Peer, pairs, same, serve, start_values

CHANGE = "UPDATE t SET v = v + ? WHERE k = ?"
READ = "SELECT v FROM t WHERE k = ?"


class Sqlite(Peer):
    layout = "processes"
    version = sqlite3.sqlite_version

    def __init__(self, folder: Path) -> None:
        self.path = folder / "db"
        made = self.join()
        made.execute("PRAGMA journal_mode = WAL")
        made.execute("CREATE TABLE t (k INTEGER PRIMARY KEY, v INTEGER)")
        made.executemany("INSERT INTO t VALUES (?, ?)", start_values().items())
        made.close()

    def join(self) -> sqlite3.Connection:
        mine = sqlite3.connect(self.path, timeout=60, isolation_level=None)
        mine.execute("PRAGMA synchronous = OFF")
        return mine

    def increment(self, mine: sqlite3.Connection, seed: int) -> Work:
        def run(n: int) -> None:
            for _ in range(n):
                mine.execute(CHANGE, (1, COUNTER))

        return run

    def read_ten(self, mine: sqlite3.Connection, seed: int) -> Work:
        def run(n: int) -> None:
            for _ in range(n):
                mine.execute("BEGIN")
                for key in range(10):
                    mine.execute(READ, (key,)).fetchone()
                mine.execute("COMMIT")

        return run

    def transfer(self, mine: sqlite3.Connection, seed: int) -> Work:
        moves = pairs(seed)

        def run(n: int) -> None:
            for source, target in islice(moves, n):
                mine.execute("BEGIN IMMEDIATE")
                mine.execute(CHANGE, (-1, source))
                mine.execute(CHANGE, (1, target))
                mine.execute("COMMIT")

        return run

    def total(self, mine: sqlite3.Connection, seed: int) -> Work:
        def run(n: int) -> None:
            for _ in range(n):
                mine.execute("BEGIN")
                found = sum(mine.execute(READ, (key,)).fetchone()[0] for key in range(ACCOUNTS))
                mine.execute("COMMIT")
                same(found)

        return run


if __name__ == "__main__":
    serve(Sqlite)
