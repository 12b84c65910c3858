"""What the peers on disk have in common: committers that each count in a key of their own.

A commit writes the next number, and returns when that survives a power cut. After the end each is
opened again, and has to hold the last number that was acknowledged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from bench.harness import Work
from bench.peers.serve import Peer

type Commit = Callable[[int], object]
"""Makes this number the participant's, for good."""


class DiskPeer(Peer):
    layout: ClassVar = "threads"
    on_disk: ClassVar = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.acknowledged: Counter[int] = Counter()

    def committing(self, mine: Any, key: int) -> Commit:
        """How the participant with this key commits; `mine` is what it got from `join`."""
        raise NotImplementedError

    def found(self, keys: list[int]) -> list[int]:
        """The numbers of these keys, after it was opened again."""
        raise NotImplementedError

    def commit(self, mine: Any, key: int) -> Work:
        commit, acknowledged = self.committing(mine, key), self.acknowledged

        def run(n: int) -> None:
            for _ in range(n):
                commit(acknowledged[key] + 1)
                acknowledged[key] += 1

        return run

    def check(self) -> None:
        there = dict(zip(self.acknowledged, self.found([*self.acknowledged]), strict=True))
        if there != self.acknowledged:
            raise AssertionError(f"{there} is there, {dict(self.acknowledged)} was acknowledged")
