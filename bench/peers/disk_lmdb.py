"""py-lmdb as it comes: a write transaction for each commit, with its two syncs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lmdb

from bench.peers.disk import Commit, DiskPeer
from bench.peers.serve import serve


class Lmdb(DiskPeer):
    version = lmdb.__version__

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.environment = self.open()

    def open(self) -> Any:
        return lmdb.open(str(self.folder), map_size=64 << 20)

    def committing(self, mine: None, key: int) -> Commit:
        name = key.to_bytes(8)

        def commit(number: int) -> None:
            with self.environment.begin(write=True) as block:
                block.put(name, number.to_bytes(8))

        return commit

    def close(self) -> None:
        self.environment.close()

    def found(self, keys: list[int]) -> list[int]:
        with self.open() as environment, environment.begin() as block:
            return [int.from_bytes(block.get(key.to_bytes(8))) for key in keys]


if __name__ == "__main__":
    serve(Lmdb)
