"""Runs in the peers' environment: does its work for as many seconds as each line of input says.

python peer_atomix.py increment|transfer
"""

from __future__ import annotations

import itertools
import json
import random
import sys
import time
from collections.abc import Callable
from importlib.metadata import version

from atomix_stm import Ref, atomically  # type: ignore[import-not-found]  # not in this environment


def increment() -> Callable[..., object]:
    counter = Ref(0)

    @atomically  # type: ignore[untyped-decorator]
    def step() -> None:
        counter.alter(lambda n: n + 1)

    return lambda: step()


def transfer() -> Callable[[], object]:
    accounts = [Ref(1_000_000) for _ in range(1_000)]
    draw = random.Random(1)
    moves = itertools.cycle([draw.sample(accounts, 2) for _ in range(5_000)])

    @atomically  # type: ignore[untyped-decorator]
    def move(source: Ref, target: Ref) -> None:
        source.alter(lambda n: n - 1)
        target.alter(lambda n: n + 1)

    return lambda: move(*next(moves))


def main() -> None:
    step = {"increment": increment, "transfer": transfer}[sys.argv[1]]()
    print(version("atomix-stm"), flush=True)
    for line in sys.stdin:
        seconds, done = float(line), 0
        began, cpu = time.perf_counter(), time.thread_time()
        ended = began
        while ended - began < seconds:
            step()
            done += 1
            ended = time.perf_counter()
        print(json.dumps([done, ended - began, time.thread_time() - cpu]), flush=True)


if __name__ == "__main__":
    main()
