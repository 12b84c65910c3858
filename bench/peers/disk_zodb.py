"""ZODB with a FileStorage: an object and a transaction for each commit, which syncs the file."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import transaction  # type: ignore[import-not-found]  # not in this environment
import ZODB  # type: ignore[import-not-found]  # not in this environment
from ZODB.FileStorage import FileStorage  # type: ignore[import-not-found]  # the same

from bench.peers.disk import Commit, DiskPeer
from bench.peers.serve import serve
from bench.peers.zodb import Account

MOST = 64  # participants


class Zodb(DiskPeer):
    version = version("ZODB")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.database = self.open()
        with self.database.transaction() as connection:
            connection.root().update({key: Account(0) for key in range(MOST)})

    def open(self) -> Any:
        return ZODB.DB(FileStorage(str(self.folder / "file")))

    def join(self) -> Any:
        manager = transaction.TransactionManager()
        return manager, self.database.open(transaction_manager=manager).root()

    def committing(self, mine: Any, key: int) -> Commit:
        manager, root = mine

        def commit(number: int) -> None:
            manager.begin()
            root[key].value = number
            manager.commit()

        return commit

    def close(self) -> None:
        self.database.close()

    def found(self, keys: list[int]) -> list[int]:
        database = self.open()
        with database.transaction() as connection:
            there = [connection.root()[key].value for key in keys]
        database.close()
        return there


if __name__ == "__main__":
    serve(Zodb)
