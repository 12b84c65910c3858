"""Real runs on the model of the commit lock and serial blocks: `lock.c` step by step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from ..serial import Serial
from ..serial_state import (
    ANNOUNCE,
    BODY,
    CHOOSE,
    FOR_OWNER,
    FUTEX,
    GIVE_UP,
    GOT,
    LEAVE,
    LEFT,
    LOCK,
    LOCKED,
    ON_LOCK,
    ON_URGENT,
    OVER,
    RUN,
    SERIAL,
    SLEPT,
    STALE,
    TIME_OUT,
    TO_PASS,
    UNLOCK,
    UNLOCK_WAKE,
    URGENT,
    WAITERS,
    number,
    owns,
)
from .trace import Event, Meaning, Replay, need


class SerialReplay(Replay[Serial]):
    """The word of the lock, the word of the urgent, and who sleeps on which."""

    at_clock: ClassVar[frozenset[str]] = frozenset({"txn_begin", "txn_extend.register"})

    def meanings(self) -> Mapping[str, Meaning]:
        return {
            "block": self._block,
            "txn_begin": self._begin,
            "txn_extend.register": self._moved,
            "txn_commit": self._commit,
            "announce": self._announced,
            "must_let_pass": self._passing,
            "take": self._taken,
            "wait_for_owner": self._waiting,
            "wait_for_owner.set": self._set,
            "acquire.woken": self._woken,
            "give_up": self._given_up,
            "lock_withdraw": self._withdrawn,
            "lock_withdraw.wake": self._plain,
            "commit_locked": self._checked,
            "publish": self._published,
            "lock_release": self._released,
            "lock_release.look": self._urgent,
            "lock_release.wake": self._past,
            "done": self._done,
        }

    def silent(self, state: bytes, t: int, event: Event) -> Iterator[bytes]:
        """Falling asleep and waking up, whom a wake-up reaches, and steps that change nothing."""
        at = state[t]
        if at == ANNOUNCE and not state[t + SERIAL]:
            yield self.take(state, t, "announce")
        elif at in (GOT, LEAVE, TIME_OUT) and state[URGENT] != number(t):
            yield from self.may_take(state, t, "lock_withdraw")
        elif at == BODY and event.action == "commit_locked":
            yield self.take(state, t, "txn_body")
        elif at == GIVE_UP or (at == UNLOCK_WAKE and event.action == "lock_release.wake"):
            yield from self._every_action(state, t)
        elif event.action == "acquire.woken":
            yield from self._sleep(state, t)
        elif event.action == "give_up" and at in (TO_PASS, FOR_OWNER):
            yield self.take(state, t, "acquire.deadline")

    def _sleep(self, state: bytes, t: int) -> Iterator[bytes]:
        if state[t] == TO_PASS:
            yield self.take(state, t, "wait_to_pass")
        elif state[t] == FUTEX:
            yield self.take(state, t, "platform_futex_wait")
        elif state[t] in (ON_LOCK, ON_URGENT):
            yield from self._every_action(state, t)

    def _every_action(self, state: bytes, t: int) -> Iterator[bytes]:
        """The end of a sleep by a deadline or without one; any of the sleepers that is woken."""
        for _, apply in self.model.program[state[t]]:
            s = bytearray(state)
            if apply(s, t) is not False:
                yield bytes(s)

    # A block.

    def _block(self, state: bytes, t: int, event: Event) -> bytes:
        """A serial block begins with the lock; others when they have their snapshot."""
        self._count(state, t)
        return self.take(state, t, "txn_begin serial") if event.value else state

    def _count(self, state: bytes, t: int) -> None:
        done = self.model.transactions - state[t + LEFT]
        mine = self.plan[self.bases.index(t)]
        need(done < len(mine), "the thread has run all its blocks")

    def _begin(self, state: bytes, t: int, event: Event) -> bytes:
        if state[t] == CHOOSE:
            return self.take(state, t, "txn_begin ordinary")
        if state[t] == RUN:
            return self._moved(state, t, event)
        need(state[t] == BODY, f"the model is at {self.at(state, t)}")
        return state

    def _moved(self, state: bytes, t: int, event: Event) -> bytes:
        """Nothing was read yet: as if it began at this moment."""
        need(state[t] == RUN, f"the model is at {self.at(state, t)}")
        s = bytearray(state)
        s[t + STALE] = 0
        return bytes(s)

    def _commit(self, state: bytes, t: int, event: Event) -> bytes:
        """Called again when the wait for the lock was interrupted."""
        return state if state[t] == ANNOUNCE else self._plain(state, t, event)

    def _checked(self, state: bytes, t: int, event: Event) -> bytes:
        """A commit that counts does so when it is published, which is one step in the model."""
        need(state[t] == LOCKED, f"the model is at {self.at(state, t)}")
        need(bool(event.value) != bool(state[t + STALE]), "what was read has changed, or has not")
        return state if event.value else self.take(state, t, "commit_locked")

    def _published(self, state: bytes, t: int, event: Event) -> bytes:
        return self.take(state, t, "commit_locked")

    def _done(self, state: bytes, t: int, event: Event) -> bytes:
        need(state[t] in (CHOOSE, OVER), f"the model is at {self.at(state, t)}")
        return state

    # lock.c

    def _announced(self, state: bytes, t: int, event: Event) -> bytes:
        after = self._plain(state, t, event)
        need((state[URGENT] != after[URGENT]) == bool(event.value), f"urgent is {state[URGENT]}")
        return after

    def _passing(self, state: bytes, t: int, event: Event) -> bytes:
        after = self._plain(state, t, event)
        need((after[t] == TO_PASS) == bool(event.value), f"urgent is {state[URGENT]}")
        return after

    def _taken(self, state: bytes, t: int, event: Event) -> bytes:
        after = self._plain(state, t, event)
        need((after[t] != FOR_OWNER) == bool(event.value), f"the lock is {state[LOCK]}")
        return after

    def _waiting(self, state: bytes, t: int, event: Event) -> bytes:
        after = self._plain(state, t, event)
        seen = (state[LOCK] != 0) + (state[LOCK] & WAITERS)
        need(seen == event.value, f"the lock is {state[LOCK]}")
        return after

    def _set(self, state: bytes, t: int, event: Event) -> bytes:
        after = self._plain(state, t, event)
        need((after[t] == FUTEX) == bool(event.value), f"the lock is {state[LOCK]}")
        return after

    def _woken(self, state: bytes, t: int, event: Event) -> bytes:
        """0: woken, or it had not to sleep; else a deadline, a nap or a signal has ended it."""
        if event.value == 0:
            need(state[t] == ANNOUNCE and bool(state[t + SLEPT]), "nobody has woken it")
        else:
            need(state[t] == GIVE_UP, "it has been woken")
        return state

    def _given_up(self, state: bytes, t: int, event: Event) -> bytes:
        place = TIME_OUT if event.value else LEAVE
        need(state[t] == place, f"the model is at {self.at(state, t)}")
        return state

    def _withdrawn(self, state: bytes, t: int, event: Event) -> bytes:
        need(state[URGENT] == number(t), f"urgent is {state[URGENT]}")
        return self._plain(state, t, event)

    def _released(self, state: bytes, t: int, event: Event) -> bytes:
        need(state[t] == UNLOCK and owns(state, t), f"the model is at {self.at(state, t)}")
        need(bool(state[LOCK] & WAITERS) == bool(event.value), f"the lock is {state[LOCK]}")
        return self._plain(state, t, event)

    def _urgent(self, state: bytes, t: int, event: Event) -> bytes:
        need(bool(state[URGENT]) == bool(event.value), f"urgent is {state[URGENT]}")
        return self._plain(state, t, event)

    def _past(self, state: bytes, t: int, event: Event) -> bytes:
        need(state[t] != UNLOCK_WAKE, "it has woken nobody")
        return state

    def _plain(self, state: bytes, t: int, event: Event) -> bytes:
        return self.take(state, t, event.action)
