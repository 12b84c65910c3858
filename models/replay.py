"""Replays what a real run recorded on a model of the commit: every step must be one it allows.

A trace is the list of events that `stmpy/_core/trace.h` recorded.  An event stands after the step
that it names and before the next step of its thread, so a step may have happened at any moment
since the event before it in the same thread.  The replay looks for an order of the steps that keeps
to these bounds and in which every one is an action of the model that sees, and makes, the values
that were recorded.  Steps that are not recorded (the check of one entry after the other) are taken
by the model when it likes.  If there is no such order, the run did what the model does not allow.

(The search is that of Wing and Gong for linearisability, 1993.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from .checker.layout import NONE
from .checker.model import Broken
from .commit import Commit
from .commit_state import (
    ABSENT,
    AT,
    BEFORE,
    CHOOSE,
    CLOCK,
    COUNT,
    EXTEND,
    EXTEND_CHECK,
    LAYOUT,
    LEFT,
    LINK,
    LOCKING,
    MENU,
    NAMES,
    NOTE,
    OUTSIDE,
    OUTSIDE_CHECK,
    OUTSIDE_WANT,
    PENDING,
    SEEN,
    SNAPSHOT,
)

MOMENTS: Final = frozenset(
    {"txn_begin", "txn_lookup", "txn_find", "txn_extend.register", "link_version", "publish"}
)
COUNTS: Final = frozenset({"check_outside.count", "note_recent"})


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a trace: `value` is a moment of the model's clock, a count, or a truth."""

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


class _Refused(Exception):
    """The event is not what the model would do here."""


def _need(condition: bool, why: str) -> None:
    if not condition:
        raise _Refused(why)


class Replay:
    """One trace against one model.  The model's `transactions` is at least the longest plan."""

    def __init__(self, model: Commit, plan: Plan, events: Iterable[Event]) -> None:
        self.model = model
        self.plan = plan
        self.threads: list[list[tuple[int, int, Event]]] = [[] for _ in LAYOUT.bases]
        for stamp, event in enumerate(events):
            mine = self.threads[event.thread]
            mine.append((mine[-1][1] if mine else -1, stamp, event))

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
        for thread, base in enumerate(LAYOUT.bases):
            event = self._next(places, thread)
            if event is None:
                continue
            for after in self._silent(state, base, event):
                yield after, places
            if self._may_be_next(places, thread):
                try:
                    after = self._follow(state, base, event)
                except (_Refused, Broken):
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

    # One step of the model.

    def _take(self, state: bytes, t: int, name: str) -> bytes:
        """The action of this name, which the thread must be about to take."""
        found = self._named(state, t, name)
        _need(found is not None, f"the model is at {self._at(state, t)}")
        assert found is not None
        s = bytearray(state)
        _need(found(s, t) is not False, f"{name} is not enabled")
        return bytes(s)

    def _named(self, state: bytes, t: int, name: str) -> Callable[..., bool | None] | None:
        return next((do for it, do in self.model.program[state[t]] if it == name), None)

    def _at(self, state: bytes, t: int) -> str:
        names = [name for name, _ in self.model.program[state[t]]]
        return " or ".join(names) or "its end"

    def _silent(self, state: bytes, t: int, event: Event) -> Iterator[bytes]:
        """What is not recorded: wishes and entries of a check, and what makes a look-up extend."""
        silent = {
            EXTEND_CHECK: "txn_extend.check",
            OUTSIDE_WANT: "check_outside.want",
            OUTSIDE_CHECK: "check_outside.check",
        }
        if state[t] in silent:
            yield self._take(state, t, silent[state[t]])
        elif event.action == "txn_extend.register" and state[t] >= MENU:
            name, _ = self.model.program[state[t]][0]
            try:
                after = self._take(state, t, name)
            except (_Refused, Broken):
                return
            if after[t] == EXTEND:
                yield after

    def _follow(self, state: bytes, t: int, event: Event) -> bytes:
        """The state after the event; raises if it can't be."""
        return _FOLLOW[event.action](self, state, t, event)

    # What the events of a trace mean.  Each returns the next state.

    def _begin(self, state: bytes, t: int, event: Event) -> bytes:
        done = self.model.transactions - state[t + LEFT]
        mine = self.plan[LAYOUT.bases.index(t)]
        _need(done < len(mine), "the thread has run all its blocks")
        after = self._take(state, t, f"txn_begin #{mine[done]}")
        _need(after[t + SNAPSHOT] == event.value, f"the clock is {after[t + SNAPSHOT]}")
        return after

    def _lookup(self, state: bytes, t: int, event: Event) -> bytes:
        name, _ = (*self.model.program[state[t]], ("nothing", None))[0]
        reads = name.startswith(("txn_view", "txn_lookup"))
        _need(reads == (event.action == "txn_lookup"), f"the model is at {name}")
        k = NAMES.index(event.key)
        _need(name.endswith(f" {event.key}"), f"the model is at {name}")
        after = self._take(state, t, name)
        saw = after[t + SEEN + k]
        _need(saw != NONE, f"{name} first extends the snapshot")
        _need(bool(state[t + PENDING + k]) or saw == event.value, f"{name} sees {_moment(saw)}")
        _need(after[t] != EXTEND or not reads, f"{name} first extends the snapshot")
        return after

    def _did(self, state: bytes, t: int, event: Event) -> bytes:
        """An operation is over; a write may be left to do after the look-up."""
        kinds = {"p": "txn_put", "s": "txn_put_same", "d": "txn_delete", "u": "txn_rollback"}
        kind = kinds.get(chr(event.value))
        if kind is None or self._named(state, t, f"{kind} {event.key}") is None:
            _need(state[t] >= MENU, f"the model is at {self._at(state, t)}")
            return state
        after = self._take(state, t, f"{kind} {event.key}")
        _need(after[t] == state[t] + 1, f"{kind} first extends the snapshot")
        return after

    def _register(self, state: bytes, t: int, event: Event) -> bytes:
        after = self._take(state, t, "txn_extend.register")
        new = after[t + SNAPSHOT] if after[t + BEFORE] == NONE else after[t + BEFORE]
        _need(new == event.value, f"the clock is {new}")
        return after

    def _extended(self, state: bytes, t: int, event: Event) -> bytes:
        if event.value:
            _need(state[t] >= MENU, "an entry has changed")
        else:
            _need(state[t] == CHOOSE, "no entry has changed")
        return state

    def _commit(self, state: bytes, t: int, event: Event) -> bytes:
        if state[t] == LOCKING:
            # The wait for the lock was interrupted: txn_commit is called again.
            s = bytearray(state)
            s[t + BEFORE] = s[t + AT] = NONE
            s[t] = OUTSIDE if event.value else LOCKING
            return bytes(s)
        after = self._take(state, t, "txn_commit")
        _need((after[t] == OUTSIDE) == bool(event.value), "it checks outside, or not")
        return after

    def _counted(self, state: bytes, t: int, event: Event) -> bytes:
        after = self._take(state, t, "check_outside.count")
        _need(after[t + BEFORE] == event.value, f"{after[t + BEFORE]} were noted")
        return after

    def _checked(self, state: bytes, t: int, event: Event) -> bytes:
        expected = LOCKING if event.value else CHOOSE
        _need(state[t] == expected, "an entry has changed" if event.value else "none has changed")
        return state

    def _locked(self, state: bytes, t: int, event: Event) -> bytes:
        after = self._take(state, t, "commit_locked")
        if event.value:
            _need(after[t] == LINK, "something it has read or writes has changed: it conflicts")
        else:
            _need(after[t] == CHOOSE, "nothing has changed: it commits")
        return after

    def _settled(self, state: bytes, t: int, event: Event) -> bytes:
        count = state[COUNT + state[CLOCK] + 1]
        _need(state[t] == LINK and count == event.value, f"the keys are {count}")
        return state

    def _linked(self, state: bytes, t: int, event: Event) -> bytes:
        _need(state[CLOCK] + 1 == event.value, f"the next commit is {state[CLOCK] + 1}")
        _need(state[t] != LINK or NAMES[state[t + AT]] == event.key, "another key is next")
        return self._take(state, t, "link_version")

    def _noted(self, state: bytes, t: int, event: Event) -> bytes:
        if not self.model.outside:
            return state
        _need(state[t] == NOTE, f"the model is at {self._at(state, t)}")
        return self._take(state, t, "note_recent")

    def _published(self, state: bytes, t: int, event: Event) -> bytes:
        after = self._take(state, t, "publish")
        _need(after[CLOCK] == event.value, f"the clock becomes {after[CLOCK]}")
        return after

    def _plain(self, state: bytes, t: int, event: Event) -> bytes:
        return self._take(state, t, event.action)

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
        changes = ", ".join(LAYOUT.changes(before[0], after[0]))
        for thread, place in enumerate(before[1]):
            if after[1][thread] != place:
                return f"{self.threads[thread][place][2]!s:32} {changes}".rstrip()
        return f"   {'(not recorded)':29} {changes}"

    def _refusals(self, state: bytes, places: Places) -> Iterator[str]:
        for thread, base in enumerate(LAYOUT.bases):
            event = self._next(places, thread)
            if event is None:
                continue
            if not self._may_be_next(places, thread):
                yield f"  {event}: another thread's step came before"
                continue
            try:
                self._follow(state, base, event)
            except _Refused as why:
                yield f"  {event}: {why}"
            except Broken as fault:
                yield f"  {event}: breaks {fault.prop}"
            else:
                yield f"  {event}: allowed, but leads nowhere"


_FOLLOW: Final[dict[str, Callable[[Replay, bytes, int, Event], bytes]]] = {
    "txn_begin": Replay._begin,
    "txn_lookup": Replay._lookup,
    "txn_find": Replay._lookup,
    "did": Replay._did,
    "txn_extend.register": Replay._register,
    "txn_extend": Replay._extended,
    "txn_commit": Replay._commit,
    "check_outside.count": Replay._counted,
    "check_outside.check": Replay._checked,
    "lock_acquire": Replay._plain,
    "commit_locked": Replay._locked,
    "settle_count": Replay._settled,
    "link_version": Replay._linked,
    "note_recent": Replay._noted,
    "publish": Replay._published,
    "lock_release": Replay._plain,
}


def _moment(seen: int) -> str:
    return "no version" if seen == ABSENT else f"the version of {seen}"


def read_events(lines: Iterable[str], clock: int, noted: int) -> Iterator[Event]:
    """The events of one run as the program prints them, in the model's terms.

    In the model a run begins with the clock at 0, all that was committed before is of moment 0,
    and no cell has been noted.
    """
    for line in lines:
        thread, action, key, text = line.split()
        if (action, key) == ("txn_lookup", "-"):
            continue  # a key that is there to make the read set long
        value = int(text)
        if action in MOMENTS:
            value = ABSENT if value < 0 else max(0, value - clock)
        elif action in COUNTS:
            value -= noted
        yield Event(int(thread), action, key, value)
