"""Who goes on next: at random, by priorities, by script, or every way with few pre-emptions."""

from __future__ import annotations

import random
import re
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Final

from stmpy.errors import StmError

type Chooser = Callable[[int | None, Sequence[int]], int]
"""Given the thread that runs, or None if it can't go on, and those that can: the next one."""

type Choices = tuple[int, ...]
"""The thread that took each step."""

type Options = tuple[int | None, tuple[int, ...]]
"""What a chooser was given."""

LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def stay(current: int | None, ready: Sequence[int]) -> int:
    """Go on with the same thread for as long as it can."""
    return ready[0] if current is None else current


def walk(seed: int) -> Chooser:
    """A random walk; how readily it switches is drawn as well."""
    rng = random.Random(seed)
    staying = rng.choice((0.0, 0.5, 0.8))

    def choose(current: int | None, ready: Sequence[int]) -> int:
        if current is not None and rng.random() < staying:
            return current
        return rng.choice(ready)

    return choose


def priorities(seed: int) -> Chooser:
    """Random priorities that change at few moments.

    Finds a bug that needs d such moments with a probability that does not shrink with the length
    of the run (PCT: Burckhardt et al., ASPLOS 2010).
    """
    rng = random.Random(seed)
    steps = range(2 ** rng.randint(3, 9))
    changes = set(rng.sample(steps, rng.randint(1, 4)))
    priority: dict[int, float] = {}
    step = 0

    def choose(current: int | None, ready: Sequence[int]) -> int:
        nonlocal step
        if step in changes and current is not None:
            priority[current] = -step
        step += 1
        return max(ready, key=lambda thread: priority.setdefault(thread, 1 + rng.random()))

    return choose


def by_seed(seed: int) -> Chooser:
    """Half of all seeds walk, the others have priorities."""
    return walk(seed) if seed % 2 else priorities(seed)


def script(choices: Iterable[int]) -> Chooser:
    """Follow a list, then `stay`; what a thread can't do in its turn is left out."""
    turns = deque(choices)

    def choose(current: int | None, ready: Sequence[int]) -> int:
        while turns:
            thread = turns.popleft()
            if thread in ready:
                return thread
            while turns and turns[0] == thread:
                turns.popleft()
        return stay(current, ready)

    return choose


def preemptions(choices: Sequence[int], options: Sequence[Options]) -> int:
    """How often a thread had to stop that could have gone on."""
    pairs = zip(choices, options, strict=True)
    return sum(current is not None and current != chosen for chosen, (current, _) in pairs)


class Bounded:
    """Every schedule with up to `bound` pre-emptions, those with fewer first.

    (Iterative context bounding: Musuvathi and Qadeer, PLDI 2007.)
    """

    def __init__(self, bound: int) -> None:
        self._waiting: list[deque[Choices]] = [deque() for _ in range(bound + 1)]
        self._waiting[0].append(())
        self._prefix: Choices = ()

    def next(self) -> Chooser | None:
        """The next schedule's; None when there is none left."""
        for prefixes in self._waiting:
            if prefixes:
                self._prefix = prefixes.popleft()
                return script(self._prefix)
        return None

    def learn(self, choices: Sequence[int], options: Sequence[Options]) -> None:
        """Note the other ways that the run of the last schedule could have gone."""
        begin = len(self._prefix)
        spent = preemptions(choices[:begin], options[:begin])
        for place in range(begin, len(choices)):
            current, ready = options[place]
            cost = spent + (current is not None)
            if cost < len(self._waiting):
                for thread in ready:
                    if thread != choices[place]:
                        self._waiting[cost].append((*choices[:place], thread))


def write_turns(choices: Iterable[int]) -> str:
    """`A3 B2 A`: three steps of A, two of B, and A to its end."""
    turns = [f"{LETTERS[thread]}{len([*steps])}" for thread, steps in groupby(choices)]
    return " ".join([*turns[:-1], *(turn[0] for turn in turns[-1:])])


def read_turns(text: str) -> Choices:
    """The inverse of `write_turns`; raises StmError for anything else."""
    choices: list[int] = []
    for turn in text.split():
        match = re.fullmatch(r"([A-Z])(\d{0,6})", turn)
        if match is None:
            raise StmError(
                f"replay={text!r}: {turn!r} is no turn; give what a failing explore has printed, "
                "such as 'A3 B2 A'"
            )
        choices += [LETTERS.index(match[1])] * int(match[2] or 1)
    return tuple(choices)
