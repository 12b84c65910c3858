"""UltraDict2: a dict in shared memory, under its own lock."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

from UltraDict2 import UltraDict  # type: ignore[import-not-found]  # not in this environment

from bench.peers.serve import Locked, serve, start_values


class Ultra(Locked):
    layout = "processes"
    version = version("UltraDict2")

    def __init__(self, folder: Path) -> None:
        self.d = UltraDict(start_values(), shared_lock=True, buffer_size=1 << 20, auto_unlink=True)

    def join(self) -> tuple[Any, Any]:
        d = UltraDict(name=self.d.name, create=False, shared_lock=True, auto_unlink=False)
        return d.lock, d

    def close(self) -> None:
        self.d.unlink()


if __name__ == "__main__":
    serve(Ultra)
