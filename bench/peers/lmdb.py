"""py-lmdb: a write transaction for each block; nothing is synced, and the file lies in memory."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import lmdb

from bench.harness import Work
from bench.peers.serve import ACCOUNTS, COUNTER, Peer, pairs, same, serve, start_values

KEYS = [key.to_bytes(4) for key in start_values()]


class Lmdb(Peer):
    layout = "processes"
    version = lmdb.__version__

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)
        environment = self.join()
        with environment.begin(write=True) as block:
            for key, value in start_values().items():
                block.put(KEYS[key], value.to_bytes(8))
        environment.close()

    def join(self) -> Any:
        return lmdb.open(self.folder, map_size=64 << 20, sync=False)

    def increment(self, mine: Any, seed: int) -> Work:
        def run(n: int) -> None:
            for _ in range(n):
                with mine.begin(write=True) as block:
                    change(block, COUNTER, 1)

        return run

    def read_ten(self, mine: Any, seed: int) -> Work:
        def run(n: int) -> None:
            for _ in range(n):
                with mine.begin() as block:
                    for key in range(10):
                        int.from_bytes(block.get(KEYS[key]))

        return run

    def transfer(self, mine: Any, seed: int) -> Work:
        moves = pairs(seed)

        def run(n: int) -> None:
            for source, target in islice(moves, n):
                with mine.begin(write=True) as block:
                    change(block, source, -1)
                    change(block, target, 1)

        return run

    def total(self, mine: Any, seed: int) -> Work:
        def run(n: int) -> None:
            for _ in range(n):
                with mine.begin() as block:
                    found = sum(int.from_bytes(block.get(KEYS[key])) for key in range(ACCOUNTS))
                same(found)

        return run


def change(block: Any, key: int, by: int) -> None:
    block.put(KEYS[key], (int.from_bytes(block.get(KEYS[key])) + by).to_bytes(8))


if __name__ == "__main__":
    serve(Lmdb)
