"""atomix-stm: refs and functions that it runs again; reading is `Ref.value` in a block."""

from __future__ import annotations

import logging
from importlib.metadata import version
from itertools import islice
from pathlib import Path

from atomix_stm import Ref, atomically  # type: ignore[import-not-found]  # not in this environment

from bench.harness import Work
from bench.peers.serve import ACCOUNTS, COUNTER, Peer, pairs, same, serve, start_values


class Atomix(Peer):
    layout = "threads"
    version = version("atomix-stm")

    def __init__(self, folder: Path) -> None:
        logging.disable()
        self.refs = {key: Ref(value) for key, value in start_values().items()}

    def increment(self, mine: None, seed: int) -> Work:
        counter = self.refs[COUNTER]

        @atomically  # type: ignore[untyped-decorator]
        def step() -> None:
            counter.alter(lambda n: n + 1)

        def run(n: int) -> None:
            for _ in range(n):
                step()

        return run

    def read_ten(self, mine: None, seed: int) -> Work:
        refs = [self.refs[key] for key in range(10)]

        @atomically  # type: ignore[untyped-decorator]
        def step() -> None:
            for ref in refs:
                ref.deref()

        def run(n: int) -> None:
            for _ in range(n):
                step()

        return run

    def transfer(self, mine: None, seed: int) -> Work:
        refs, moves = self.refs, pairs(seed)

        @atomically  # type: ignore[untyped-decorator]
        def move(source: int, target: int) -> None:
            refs[source].alter(lambda n: n - 1)
            refs[target].alter(lambda n: n + 1)

        def run(n: int) -> None:
            for source, target in islice(moves, n):
                move(source, target)

        return run

    def total(self, mine: None, seed: int) -> Work:
        refs = [self.refs[key] for key in range(ACCOUNTS)]

        @atomically  # type: ignore[untyped-decorator]
        def step() -> int:
            return sum(ref.deref() for ref in refs)

        def run(n: int) -> None:
            for _ in range(n):
                same(step())

        return run


if __name__ == "__main__":
    serve(Atomix)
