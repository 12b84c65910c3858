"""Real runs on the model of waiting: registering, marking, sleeping, waking, closing, deadlines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from ..park import (
    ALL_MARK,
    AT,
    CHECK,
    CHOOSE,
    CLEAR,
    CLOSE,
    CLOSED,
    COLLECT,
    HELPED,
    KEYS,
    LEFT,
    LINK,
    LINKS,
    LOOK,
    NODES,
    OVER,
    OWED,
    REGISTER,
    REGISTERED,
    SLEEP,
    STALE,
    UNLOCK,
    WAIT,
    WAKE,
    WAKE_LIST,
    Park,
)
from .trace import Event, Meaning, Replay, need


class ParkReplay(Replay[Park]):
    """The wake words and the nodes; how the lock is got is `SerialReplay`'s matter."""

    at_clock: ClassVar[frozenset[str]] = frozenset({"txn_begin", "txn_extend.register"})

    def meanings(self) -> Mapping[str, Meaning]:
        return {
            "txn_begin": self._begin,
            "txn_extend.register": self._moved,
            "lock_acquire": self._plain,
            "wait_watch.check": self._checked,
            "wait_watch.reset": self._plain,
            "wait_sleep.look": self._looked,
            "wait_sleep.closed": self._looked,
            "wait_sleep.deadline": self._deadline,
            "platform_futex_wait": self._woken,
            "lock_help.free": self._plain,
            "lock_help.leave": self._plain,
            "mark": self._mark,
            "mark.again": self._mark,
            "wait_collect": self._collected,
            "publish": self._plain,
            "lock_release": self._released,
            "wait_wake": self._wake,
            "store_close": self._plain,
            "wait_mark_all": self._all,
            "wait_wake_all": self._all,
            "done": self._done,
        }

    def silent(self, state: bytes, t: int, event: Event) -> Iterator[bytes]:
        """Falling asleep; what only the owner of the lock sees; the end of a sleep by itself."""
        if state[t] == LINKS:
            yield self.take(state, t, "publish.linking")
        elif state[t] == LINK:
            yield self.take(state, t, "wait_watch.link")
        elif state[t] == CLEAR:
            yield self.take(state, t, "publish.clear")
        elif state[t] == WAIT and event.action == "platform_futex_wait":
            yield self.take(state, t, "platform_futex_wait")

    def _begin(self, state: bytes, t: int, event: Event) -> bytes:
        done = self.model.transactions - state[t + LEFT]
        mine = self.plan[self.bases.index(t)]
        need(done < len(mine), "the thread has run all its blocks")
        need(state[t] == CHOOSE, f"the model is at {self.at(state, t)}")
        # It may have looked just before the store was closed.
        s = bytearray(state)
        s[CLOSED] = 0
        after = bytearray(self.take(bytes(s), t, self.model.program[CHOOSE][mine[done]][0]))
        after[CLOSED] = state[CLOSED]
        return bytes(after)

    def _moved(self, state: bytes, t: int, event: Event) -> bytes:
        """Nothing was read yet: as if it began at this moment."""
        s = bytearray(state)
        s[t + STALE] = 0
        return bytes(s)

    def _checked(self, state: bytes, t: int, event: Event) -> bytes:
        need(state[t] == CHECK, f"the model is at {self.at(state, t)}")
        need(bool(event.value) != bool(state[t + STALE]), "what was read has changed, or has not")
        return self._plain(state, t, event)

    def _looked(self, state: bytes, t: int, event: Event) -> bytes:
        after = self._plain(state, t, event)
        goes_on = state[t] + 1
        need((after[t] != goes_on) == bool(event.value), f"the word is {state[t + WAKE]}")
        return after

    def _deadline(self, state: bytes, t: int, event: Event) -> bytes:
        return self.take(state, t, "wait_sleep.deadline")

    def _woken(self, state: bytes, t: int, event: Event) -> bytes:
        """0: woken, or it had not to sleep; 1: its time is up; 2: a signal."""
        if event.value == 0:
            need(state[t] == LOOK, "nobody has woken it")
            return state
        need(state[t] == SLEEP, "it has been woken")
        ends = {1: "wait_sleep.heartbeat", 2: "wait_sleep.interrupted"}
        return self.take(state, t, ends[event.value])

    def _mark(self, state: bytes, t: int, event: Event) -> bytes:
        """One of those whom `wait_collect` of the model marks at once."""
        need(state[t] == COLLECT, f"the model is at {self.at(state, t)}")
        sleeper = self.bases[event.value]
        need(bool(state[sleeper + NODES] & state[t + KEYS]), f"T{event.value} does not wait for it")
        s = bytearray(state)
        if event.action == "mark":
            self.model.mark(s, t, sleeper)
        else:
            s[sleeper + WAKE] = 1  # it was set before, by who wakes it then
        return bytes(s)

    def _collected(self, state: bytes, t: int, event: Event) -> bytes:
        after = self._plain(state, t, event)
        woken = [b for b in self.bases if after[b + WAKE] != state[b + WAKE]]
        need(not woken, f"T{self.bases.index(woken[0])} waits for it too" if woken else "")
        return after

    def _released(self, state: bytes, t: int, event: Event) -> bytes:
        """In the model some steps give the lock back as well."""
        if state[t] == CHOOSE:
            return state  # what was read had changed
        ends = {REGISTERED: "wait_watch.release", HELPED: "lock_help.release"}
        last = "lock_release" if state[t] == UNLOCK else "wait_unregister"
        return self.take(state, t, ends.get(state[t], last))

    def _wake(self, state: bytes, t: int, event: Event) -> bytes:
        need(state[t] == WAKE_LIST, f"the model is at {self.at(state, t)}")
        sleeper = self.bases[event.value]
        mine = 1 << self.bases.index(t)
        need(bool(state[sleeper + OWED] & mine), f"it has not marked T{event.value}")
        s = bytearray(state)
        s[sleeper + OWED] &= ~mine
        self.model.futex_wake(s, sleeper)
        return bytes(s)

    def _all(self, state: bytes, t: int, event: Event) -> bytes:
        need(state[t + AT] == event.value or state[t] < ALL_MARK, f"T{state[t + AT]} is next")
        return self._plain(state, t, event)

    def _done(self, state: bytes, t: int, event: Event) -> bytes:
        if state[t] == WAKE_LIST:
            return self._woke_all(state, t)
        if state[t] == CLOSE:
            return self.take(state, t, "store_close.mark")
        need(state[t] in (CHOOSE, OVER), f"the model is at {self.at(state, t)}")
        return state

    def _woke_all(self, state: bytes, t: int) -> bytes:
        mine = 1 << self.bases.index(t)
        for thread, sleeper in enumerate(self.bases):
            need(not state[sleeper + OWED] & mine, f"it has not woken T{thread}")
        return self.take(state, t, "wait_wake")

    def _plain(self, state: bytes, t: int, event: Event) -> bytes:
        need(state[t] != REGISTER or event.action == "lock_acquire", "it has registered nothing")
        return self.take(state, t, event.action)
