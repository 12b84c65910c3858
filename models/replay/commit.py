"""Real runs on the models of the commit: reads, writes, extension, undoing, conflicts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..checker.layout import NONE
from ..commit import Commit
from ..commit_state import (
    ABSENT,
    AT,
    BEFORE,
    CHOOSE,
    CLOCK,
    COUNT,
    EXTEND,
    EXTEND_CHECK,
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
from .trace import Event, Meaning, Replay, need


class CommitReplay(Replay[Commit]):
    """The clock, the versions and the commit lock; how that is got is `SerialReplay`'s matter."""

    def meanings(self) -> Mapping[str, Meaning]:
        return {
            "txn_begin": self._begin,
            "txn_lookup": self._lookup,
            "txn_find": self._lookup,
            "did": self._did,
            "txn_extend.register": self._register,
            "txn_extend": self._extended,
            "txn_commit": self._commit,
            "check_outside.count": self._counted,
            "check_outside.check": self._checked,
            "lock_acquire": self._plain,
            "commit_locked": self._locked,
            "settle_count": self._settled,
            "link_version": self._linked,
            "note_recent": self._noted,
            "publish": self._published,
            "lock_release": self._released,
        }

    def silent(self, state: bytes, t: int, event: Event) -> Iterator[bytes]:
        """Wishes and entries of a check, and what makes a look-up extend."""
        silent = {
            EXTEND_CHECK: "txn_extend.check",
            OUTSIDE_WANT: "check_outside.want",
            OUTSIDE_CHECK: "check_outside.check",
        }
        if state[t] in silent:
            yield self.take(state, t, silent[state[t]])
        elif event.action == "txn_extend.register" and state[t] >= MENU:
            name, _ = self.model.program[state[t]][0]
            yield from (s for s in self.may_take(state, t, name) if s[t] == EXTEND)

    # What the events of a trace mean.  Each returns the next state.

    def _begin(self, state: bytes, t: int, event: Event) -> bytes:
        done = self.model.transactions - state[t + LEFT]
        mine = self.plan[self.bases.index(t)]
        need(done < len(mine), "the thread has run all its blocks")
        after = self.take(state, t, f"txn_begin #{mine[done]}")
        need(after[t + SNAPSHOT] == event.value, f"the clock is {after[t + SNAPSHOT]}")
        return after

    def _lookup(self, state: bytes, t: int, event: Event) -> bytes:
        name, _ = (*self.model.program[state[t]], ("nothing", None))[0]
        reads = name.startswith(("txn_view", "txn_lookup"))
        need(reads == (event.action == "txn_lookup"), f"the model is at {name}")
        k = NAMES.index(event.key)
        need(name.endswith(f" {event.key}"), f"the model is at {name}")
        after = self.take(state, t, name)
        saw = after[t + SEEN + k]
        need(saw != NONE, f"{name} first extends the snapshot")
        need(bool(state[t + PENDING + k]) or saw == event.value, f"{name} sees {_moment(saw)}")
        need(after[t] != EXTEND or not reads, f"{name} first extends the snapshot")
        return after

    def _did(self, state: bytes, t: int, event: Event) -> bytes:
        """An operation is over; a write may be left to do after the look-up."""
        kinds = {"p": "txn_put", "s": "txn_put_same", "d": "txn_delete", "u": "txn_rollback"}
        kind = kinds.get(chr(event.value))
        if kind is None or self.named(state, t, f"{kind} {event.key}") is None:
            need(state[t] >= MENU, f"the model is at {self.at(state, t)}")
            return state
        after = self.take(state, t, f"{kind} {event.key}")
        need(after[t] == state[t] + 1, f"{kind} first extends the snapshot")
        return after

    def _register(self, state: bytes, t: int, event: Event) -> bytes:
        after = self.take(state, t, "txn_extend.register")
        new = after[t + SNAPSHOT] if after[t + BEFORE] == NONE else after[t + BEFORE]
        need(new == event.value, f"the clock is {new}")
        return after

    def _extended(self, state: bytes, t: int, event: Event) -> bytes:
        if event.value:
            need(state[t] >= MENU, "an entry has changed")
        else:
            need(state[t] == CHOOSE, "no entry has changed")
        return state

    def _commit(self, state: bytes, t: int, event: Event) -> bytes:
        if state[t] == LOCKING:
            # The wait for the lock was interrupted: txn_commit is called again.
            s = bytearray(state)
            s[t + BEFORE] = s[t + AT] = NONE
            s[t] = OUTSIDE if event.value else LOCKING
            return bytes(s)
        after = self.take(state, t, "txn_commit")
        need((after[t] == OUTSIDE) == bool(event.value), "it checks outside, or not")
        return after

    def _counted(self, state: bytes, t: int, event: Event) -> bytes:
        after = self.take(state, t, "check_outside.count")
        need(after[t + BEFORE] == event.value, f"{after[t + BEFORE]} were noted")
        return after

    def _checked(self, state: bytes, t: int, event: Event) -> bytes:
        expected = LOCKING if event.value else CHOOSE
        need(state[t] == expected, "an entry has changed" if event.value else "none has changed")
        return state

    def _locked(self, state: bytes, t: int, event: Event) -> bytes:
        after = self.take(state, t, "commit_locked")
        if event.value:
            need(after[t] == LINK, "something it has read or writes has changed: it conflicts")
        else:
            need(after[t] == CHOOSE, "nothing has changed: it commits")
        return after

    def _settled(self, state: bytes, t: int, event: Event) -> bytes:
        count = state[COUNT + state[CLOCK] + 1]
        need(state[t] == LINK and count == event.value, f"the keys are {count}")
        return state

    def _linked(self, state: bytes, t: int, event: Event) -> bytes:
        need(state[CLOCK] + 1 == event.value, f"the next commit is {state[CLOCK] + 1}")
        need(state[t] != LINK or NAMES[state[t + AT]] == event.key, "another key is next")
        return self.take(state, t, "link_version")

    def _noted(self, state: bytes, t: int, event: Event) -> bytes:
        if not self.model.outside:
            return state
        need(state[t] == NOTE, f"the model is at {self.at(state, t)}")
        return self.take(state, t, "note_recent")

    def _published(self, state: bytes, t: int, event: Event) -> bytes:
        after = self.take(state, t, "publish")
        need(after[CLOCK] == event.value, f"the clock becomes {after[CLOCK]}")
        return after

    def _released(self, state: bytes, t: int, event: Event) -> bytes:
        """In the model a conflict gives the lock back where it is found."""
        return state if state[t] == CHOOSE else self._plain(state, t, event)

    def _plain(self, state: bytes, t: int, event: Event) -> bytes:
        return self.take(state, t, event.action)


def _moment(seen: int) -> str:
    return "no version" if seen == ABSENT else f"the version of {seen}"
