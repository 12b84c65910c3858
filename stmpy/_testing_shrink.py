"""Making a failing schedule small."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Final

from stmpy._testing_choice import Choices, preemptions
from stmpy._testing_run import Run

RUNS: Final = 400
"""Schedules that are tried at most."""
NEAR: Final = 8
"""Turns between one that is left out and the end."""


def size(run: Run) -> tuple[int, int, int]:
    """What is to become small: pre-emptions, then switches, then steps."""
    switches = sum(1 for _ in groupby(run.choices))
    return preemptions(run.choices, run.options), switches, len(run.choices)


def shrink(run: Run, rerun: Callable[[Choices], Run | None]) -> Run:
    """The smallest run that still fails; `rerun` gives None for one that does not fail so."""
    left = RUNS
    smaller: Run | None = run
    while smaller is not None:
        run, smaller = smaller, None
        for choices in _smaller(run.choices):
            if left == 0:
                return run
            left -= 1
            other = rerun(choices)
            if other is not None and size(other) < size(run):
                smaller = other
                break
    return run


def _smaller(choices: Sequence[int]) -> Iterator[Choices]:
    """Leave out everything from a turn on, a turn as well, a turn alone, or a part of one."""
    turns = [(thread, len([*steps])) for thread, steps in groupby(choices)]
    for i in range(len(turns)):
        yield _flat(turns[:i])
    for i in range(len(turns)):
        for end in range(i + 2, min(i + NEAR, len(turns)) + 1):
            yield _flat(turns[:i] + turns[i + 1 : end])
    for i, (thread, count) in enumerate(turns):
        yield _flat(turns[:i] + turns[i + 1 :])
        for fewer in {count // 2, count - 1} - {0}:
            yield _flat([*turns[:i], (thread, fewer), *turns[i + 1 :]])
    for i in range(len(turns) - 2):
        # What runs between two turns of a thread comes after both.
        if turns[i][0] == turns[i + 2][0]:
            joined = (turns[i][0], turns[i][1] + turns[i + 2][1])
            yield _flat([*turns[:i], joined, turns[i + 1], *turns[i + 3 :]])


def _flat(turns: Sequence[tuple[int, int]]) -> Choices:
    return tuple(thread for thread, count in turns for _ in range(count))
