"""64-bit ints in a `SharedMemory` under a `multiprocessing.Lock`."""

from __future__ import annotations

import multiprocessing
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

from bench.peers.serve import Locked, serve, start_values


class Shared(Locked):
    layout = "processes"

    def __init__(self, folder: Path) -> None:
        values = start_values()
        self.memory = SharedMemory(create=True, size=8 * len(values))
        self.lock = multiprocessing.get_context("fork").Lock()
        _, d = self.join()
        for key, value in values.items():
            d[key] = value
        d.release()

    def join(self) -> tuple[Any, memoryview[int]]:
        buffer = self.memory.buf
        assert buffer is not None
        return self.lock, buffer[: 8 * len(start_values())].cast("q")

    def close(self) -> None:
        self.memory.unlink()


if __name__ == "__main__":
    serve(Shared)
