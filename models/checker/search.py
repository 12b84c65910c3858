"""Breadth-first search of all states of a model; the first fault found is a nearest one."""

import gc
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from .model import Broken, Model
from .trace import Trace, replay

DEADLOCK = "no deadlock"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a search found.  `fault` is None if every property holds.

    The seconds are those of the processor, which do not depend on who else uses it.
    """

    states: int
    transitions: int
    depth: int
    seconds: float
    fault: Trace | None


def explore(model: Model) -> Outcome:
    """Visit every reachable state; check invariants, action properties and deadlock."""
    begun = time.process_time()
    with collector_paused():
        return _Search(model, begun).run()


@contextmanager
def collector_paused() -> Iterator[None]:
    """States form no cycles, and the collector would walk through millions of them."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _Search:
    def __init__(self, model: Model, begun: float) -> None:
        self.model = model
        self.begun = begun
        self.keys: list[bytes] = []  # in order of discovery, so this is also the queue
        self.parents = array("l")  # index of the state each was first reached from
        self.transitions = 0
        self.depth = 0

    def run(self) -> Outcome:
        model, keys, parents = self.model, self.keys, self.parents
        canonical, steps, broken = model.canonical, model.steps, model.broken
        seen: set[bytes] = set()
        for state in map(canonical, model.initial()):
            if state not in seen:
                seen.add(state)
                keys.append(state)
                parents.append(-1)
                if prop := broken(state):
                    return self.fault(len(keys) - 1, prop)
        level_end = len(keys)
        here = 0
        while here < len(keys):
            if here == level_end:
                self.depth += 1
                level_end = len(keys)
            try:
                following = steps(keys[here])
            except Broken as fault:
                return self.fault(here, fault.prop, in_action=True)
            if not following and not model.done(keys[here]):
                return self.fault(here, DEADLOCK)
            self.transitions += len(following)
            for _, _, state in following:
                state = canonical(state)
                if state not in seen:
                    seen.add(state)
                    keys.append(state)
                    parents.append(here)
                    if prop := broken(state):
                        return self.fault(len(keys) - 1, prop)
            here += 1
        return self.outcome(None)

    def fault(self, last: int, prop: str, *, in_action: bool = False) -> Outcome:
        path = []
        while last >= 0:
            path.append(self.keys[last])
            last = self.parents[last]
        return self.outcome(replay(self.model, path[::-1], prop, in_action=in_action))

    def outcome(self, fault: Trace | None) -> Outcome:
        seconds = time.process_time() - self.begun
        return Outcome(len(self.keys), self.transitions, self.depth, seconds, fault)
