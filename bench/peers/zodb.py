"""ZODB: persistent objects in a storage in memory; a transaction for each block, again on conflict.

One object for each account, so that blocks conflict only where they meet.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import transaction  # type: ignore[import-not-found]  # not in this environment
import ZODB  # type: ignore[import-not-found]  # not in this environment
from persistent import Persistent  # type: ignore[import-not-found]  # not in this environment
from ZODB.MappingStorage import MappingStorage  # type: ignore[import-not-found]  # the same
from ZODB.POSException import ConflictError  # type: ignore[import-not-found]  # the same

from bench.harness import Work
from bench.peers.serve import ACCOUNTS, COUNTER, Peer, pairs, same, serve, start_values


class Account(Persistent):  # type: ignore[misc]  # not typed
    def __init__(self, value: int) -> None:
        self.value = value


class Zodb(Peer):
    layout = "threads"
    version = version("ZODB")

    def __init__(self, folder: Path) -> None:
        self.database = ZODB.DB(MappingStorage())
        with self.database.transaction() as connection:
            for key, value in start_values().items():
                connection.root()[key] = Account(value)

    def join(self) -> Any:
        manager = transaction.TransactionManager()
        return manager, self.database.open(transaction_manager=manager).root()

    def close(self) -> None:
        self.database.close()

    def increment(self, mine: Any, seed: int) -> Work:
        manager, root = mine

        def run(n: int) -> None:
            for _ in range(n):
                again(manager, lambda: change(root, (COUNTER, 1)))

        return run

    def read_ten(self, mine: Any, seed: int) -> Work:
        manager, root = mine

        def run(n: int) -> None:
            for _ in range(n):
                again(manager, lambda: [root[key].value for key in range(10)])

        return run

    def transfer(self, mine: Any, seed: int) -> Work:
        (manager, root), moves = mine, pairs(seed)

        def run(n: int) -> None:
            for pair in islice(moves, n):
                source, target = pair
                move = ((source, -1), (target, 1))
                again(manager, lambda move=move: change(root, *move))  # type: ignore[misc]

        return run

    def total(self, mine: Any, seed: int) -> Work:
        manager, root = mine

        def run(n: int) -> None:
            for _ in range(n):
                same(again(manager, lambda: sum(root[key].value for key in range(ACCOUNTS))))

        return run


def change(root: Any, *changes: tuple[int, int]) -> None:
    for key, by in changes:
        root[key].value += by


def again[R](manager: Any, block: Callable[[], R]) -> R:
    """Runs the block until it commits."""
    while True:
        manager.begin()
        try:
            result = block()
            manager.commit()
            return result
        except ConflictError:
            manager.abort()


if __name__ == "__main__":
    serve(Zodb)
