"""Rounds in several processes at once, each with a folder of its own."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from typing import Final

LANES: Final = 4
"""More than there are processors, as rounds mostly wait: for a disk, and for the moment to die."""

type Lane = Callable[[str, int, int], int]
"""Given a folder, a number of rounds and a seed; its result is added to those of the others."""


def in_lanes(lane: Lane, rounds: int, seed: int) -> int:
    """The sum of the results. SystemExit if one ends with AssertionError, which is printed."""
    with tempfile.TemporaryDirectory() as folder:
        started = {}
        for i in range(LANES):
            place = f"{folder}/{i}"
            os.mkdir(place)
            pid = os.fork()
            if pid == 0:
                _run(lane, place, len(range(i, rounds, LANES)), seed + i)
            started[pid] = place
        failed = [pid for pid in started if os.waitpid(pid, 0)[1]]
        if failed:
            raise SystemExit(f"{len(failed)} of {LANES} lanes of seed {seed} have failed")
        return sum(_result(place) for place in started.values())


def _run(lane: Lane, place: str, rounds: int, seed: int) -> None:
    try:
        result = lane(place, rounds, seed)
        with open(f"{place}.result", "w") as file:
            file.write(str(result))
        os._exit(0)
    except AssertionError as error:
        print(f"seed {seed}: {error}", file=sys.stderr, flush=True)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(1)


def _result(place: str) -> int:
    with open(f"{place}.result") as file:
        return int(file.read())
