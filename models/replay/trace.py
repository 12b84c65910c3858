"""Replays what a real run recorded on a model: every step must be one that the model allows.

A trace is the list of events that `stmpy/_core/trace.h` recorded.  An event stands after the step
that it names and before the next step of its thread, so a step may have happened at any moment
since the event before it in the same thread.  The replay looks for an order of the steps that keeps
to these bounds and in which every one is an action of the model that sees, and makes, the values
that were recorded.  Steps that are not recorded are taken by the model when it likes, within the
same bounds.  If there is no such order, the run did what the model does not allow.

(The search is that of Wing and Gong for linearisability, 1993.)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import ClassVar

from ..checker.model import Broken, Model


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a trace; `value` is a moment of the clock, a count, a thread, or a truth."""

    thread: int
    action: str
    key: str
    value: int

    def __str__(self) -> str:
        key = "" if self.key == "-" else f" {self.key}"
        return f"T{self.thread} {self.action}{key} {self.value}"


type Places = tuple[int, ...]
"""How many events of each thread have been replayed."""

type Plan = Sequence[Sequence[int]]
"""Which blocks of the model's menu each thread runs, in this order."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A run that the model does not allow, told as far as it does."""

    lines: tuple[str, ...]
    refused: tuple[str, ...]
    """The next event of each thread, and why it can't be."""

    def text(self) -> str:
        told = "the model does not go on; next in each thread:"
        return "\n".join([*self.lines, told, *self.refused])


type Meaning = Callable[[bytes, int, Event], bytes]
"""The state after an event of the thread there; raises `Refused` or `Broken` if it can't be."""


class Refused(Exception):
    """The event is not what the model would do here."""


def need(condition: bool, why: str) -> None:
    """The event can be only if this holds."""
    if not condition:
        raise Refused(why)


class Replay[M: Model](ABC):
    """One trace against one model.  The model's `transactions` is at least the longest plan."""

    at_clock: ClassVar[frozenset[str]] = frozenset()
    """Those whose value is the clock at that moment, for models that have none: it is told by how
    many commits were replayed."""

    def __init__(self, model: M, plan: Plan, events: Iterable[Event]) -> None:
        self.model = model
        self.plan = plan
        self.bases = model.layout.bases
        self.meaning = self.meanings()
        self.threads: list[list[tuple[int, int, Event]]] = [[] for _ in self.bases]
        for stamp, event in enumerate(events):
            if event.action in self.meaning:
                mine = self.threads[event.thread]
                mine.append((mine[-1][1] if mine else -1, stamp, event))
        commits = [[event.action == "publish" for _, _, event in mine] for mine in self.threads]
        self.commits = [list(accumulate(mine, initial=0)) for mine in commits]

    @abstractmethod
    def meanings(self) -> Mapping[str, Meaning]:
        """What each action of a trace does to the model; events of others are left out."""

    @abstractmethod
    def silent(self, state: bytes, t: int, event: Event) -> Iterator[bytes]:
        """The states after steps that are not recorded, which come before the thread's event."""

    # The search.

    def run(self, start: bytes) -> Rejected | None:
        """None if the model, from `start`, can do what was recorded."""
        first: Places = (0,) * len(self.threads)
        end = tuple(map(len, self.threads))
        came: dict[tuple[bytes, Places], tuple[bytes, Places] | None] = {(start, first): None}
        waiting = [(start, first)]
        best = waiting[0]
        while waiting:
            node = waiting.pop()
            if node[1] == end:
                return None
            if sum(node[1]) > sum(best[1]):
                best = node
            for after in self._steps(*node):
                if after not in came:
                    came[after] = node
                    waiting.append(after)
        return self._rejected(best, came)

    def _steps(self, state: bytes, places: Places) -> Iterator[tuple[bytes, Places]]:
        for thread, base in enumerate(self.bases):
            event = self._next(places, thread)
            if event is None or not self._may_be_next(places, thread):
                continue
            for after in self.silent(state, base, event):
                yield after, places
            try:
                after = self._follow(state, places, thread, event)
            except (Refused, Broken):
                continue
            yield after, (*places[:thread], places[thread] + 1, *places[thread + 1 :])

    def _next(self, places: Places, thread: int) -> Event | None:
        mine = self.threads[thread]
        return mine[places[thread]][2] if places[thread] < len(mine) else None

    def _may_be_next(self, places: Places, thread: int) -> bool:
        """No other thread has a step left that was over before this one began."""
        begun = self.threads[thread][places[thread]][0]
        rest = zip(self.threads, places, strict=True)
        return all(place == len(mine) or mine[place][1] >= begun for mine, place in rest)

    def _follow(self, state: bytes, places: Places, thread: int, event: Event) -> bytes:
        if event.action in self.at_clock:
            clock = sum(mine[place] for mine, place in zip(self.commits, places, strict=True))
            need(clock == event.value, f"the clock is {clock}")
        return self.meaning[event.action](state, self.bases[thread], event)

    # One step of the model.

    def take(self, state: bytes, t: int, name: str) -> bytes:
        """The action of this name, which the thread must be about to take."""
        found = self.named(state, t, name)
        need(found is not None, f"the model is at {self.at(state, t)}")
        assert found is not None
        s = bytearray(state)
        need(found(s, t) is not False, f"{name} is not enabled")
        return bytes(s)

    def may_take(self, state: bytes, t: int, name: str) -> Iterator[bytes]:
        """The same for a step that is not recorded; nothing if it can't be."""
        try:
            yield self.take(state, t, name)
        except (Refused, Broken):
            return

    def named(self, state: bytes, t: int, name: str) -> Callable[..., bool | None] | None:
        return next((do for it, do in self.model.program[state[t]] if it == name), None)

    def at(self, state: bytes, t: int) -> str:
        names = [name for name, _ in self.model.program[state[t]]]
        return " or ".join(names) or "its end"

    # Telling what went wrong.

    def _rejected(
        self,
        best: tuple[bytes, Places],
        came: dict[tuple[bytes, Places], tuple[bytes, Places] | None],
    ) -> Rejected:
        path = [best]
        while (before := came[path[-1]]) is not None:
            path.append(before)
        path.reverse()
        lines = [self._line(a, b) for a, b in pairwise(path)]
        return Rejected(tuple(lines), tuple(self._refusals(*best)))

    def _line(self, before: tuple[bytes, Places], after: tuple[bytes, Places]) -> str:
        changes = ", ".join(self.model.layout.changes(before[0], after[0]))
        for thread, place in enumerate(before[1]):
            if after[1][thread] != place:
                return f"{self.threads[thread][place][2]!s:32} {changes}".rstrip()
        return f"   {'(not recorded)':29} {changes}"

    def _refusals(self, state: bytes, places: Places) -> Iterator[str]:
        for thread in range(len(self.threads)):
            event = self._next(places, thread)
            if event is None:
                continue
            if not self._may_be_next(places, thread):
                yield f"  {event}: another thread's step came before"
                continue
            try:
                self._follow(state, places, thread, event)
            except Refused as why:
                yield f"  {event}: {why}"
            except Broken as fault:
                yield f"  {event}: breaks {fault.prop}"
            else:
                yield f"  {event}: allowed, but leads nowhere"


MOMENTS = frozenset(
    {"txn_begin", "txn_lookup", "txn_find", "txn_extend.register", "link_version", "publish"}
)
COUNTS = frozenset({"check_outside.count", "note_recent"})
SLOTS = frozenset({"mark", "mark.again", "wait_wake", "wait_mark_all", "wait_wake_all"})
NO_VERSION = 254
"""The moment of a key that has no version."""


def read_events(lines: Iterable[str], clock: int, noted: int, slot: int) -> Iterator[Event]:
    """The events of one run as the program prints them, in the models' terms.

    In a model a run begins with the clock at 0, all that was committed before is of moment 0, no
    cell has been noted, and the first of the three threads has slot 0.
    """
    for line in lines:
        thread, action, key, text = line.split()
        if (action, key) == ("txn_lookup", "-"):
            continue  # a key that is there to make the read set long
        value = int(text)
        if action in MOMENTS:
            value = NO_VERSION if value < 0 else max(0, value - clock)
        elif action in COUNTS:
            value -= noted
        elif action in SLOTS:
            value -= slot
            if not 0 <= value < 3:
                continue  # nobody's of those whose run this is
        yield Event(int(thread), action, key, value)
