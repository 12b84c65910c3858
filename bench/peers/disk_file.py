"""The floor: 8 bytes written into a file, each participant at a place of its own, and fdatasync."""

from __future__ import annotations

import os
from pathlib import Path

from bench.peers.disk import Commit, DiskPeer
from bench.peers.serve import serve

PAGE = 4096


class File(DiskPeer):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.file = os.open(folder / "file", os.O_RDWR | os.O_CREAT)
        os.write(self.file, bytes(64 * PAGE))  # a file that grows takes longer to sync
        os.fsync(self.file)

    def committing(self, mine: None, key: int) -> Commit:
        def commit(number: int) -> None:
            os.pwrite(self.file, number.to_bytes(8), key * PAGE)
            os.fdatasync(self.file)

        return commit

    def close(self) -> None:
        os.close(self.file)

    def found(self, keys: list[int]) -> list[int]:
        data = (self.folder / "file").read_bytes()
        return [int.from_bytes(data[key * PAGE : key * PAGE + 8]) for key in keys]


if __name__ == "__main__":
    serve(File)
