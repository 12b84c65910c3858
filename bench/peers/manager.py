"""A dict in the process of a `multiprocessing.Manager`, under the manager's lock."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

from bench.peers.serve import Locked, serve, start_values


class Manager(Locked):
    layout = "processes"

    def __init__(self, folder: Path) -> None:
        self.manager = multiprocessing.get_context("spawn").Manager()
        self.lock, self.d = self.manager.Lock(), self.manager.dict(start_values())

    def join(self) -> tuple[Any, Any]:
        return self.lock, self.d

    def close(self) -> None:
        self.manager.shutdown()


if __name__ == "__main__":
    serve(Manager)
