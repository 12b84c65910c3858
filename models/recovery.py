"""Death of an owner of the commit lock at any step, of who recovers it, and of who reaps the slots.

Threads put both keys, or one.  The lock word names slot and generation; taking it from a
dead owner is a look and a compare-and-swap.  Chains are made of links, and `pending` is the record
of what a slot has written.  A slot that was reaped is claimed once more by a new thread.
That all waiters are woken is shown by `park`, that buckets are rebuilt by `waiters`; superseded
versions are freed as the lock is released, as if nobody read (see `reclaim`).
"""

from collections.abc import Iterable
from typing import ClassVar

from .checker.layout import NONE
from .checker.model import Action, action, require
from .recovery_reap import Reaping
from .recovery_state import (
    ALONE,
    AT,
    ATOMIC,
    BACK,
    BEGIN,
    CLAIMS,
    CLEAR,
    CLOCK,
    COUNT,
    COUNTED,
    DEAD,
    DEATHS,
    DISCARD,
    EACH,
    ENTERED,
    FINISH,
    FORGET,
    FREE,
    GENERATION,
    HEAD,
    KEYS,
    LAYOUT,
    LEFT,
    LIMBO,
    LINK,
    LINK_HEAD,
    LINKING,
    LOCK,
    LOCK_GENERATION,
    LOCKING,
    NEVER,
    OVER,
    OWNED,
    OWNER,
    OWNING,
    PENDING,
    PREV,
    PUBLISH,
    REAP,
    RELEASE,
    REPAIRED,
    RETIRE,
    SEEN,
    SEEN_GENERATION,
    SHOWN,
    SLOTS,
    STATE,
    SWAP,
    TAKING,
    TS,
    TWICE,
    UNLOCK,
    UNUSED,
    VERSIONS,
    X,
    Y,
    is_dead,
    own_name,
    reaps_locked,
)


class Recovery(Reaping):
    """Two of three threads die anywhere; one with no lock reaps, and a slot is claimed anew."""

    name = "recovery"
    bounds = "3 threads, 2 keys, 1 transaction each, 2 deaths at any step, a slot claimed anew"
    layout = LAYOUT
    transactions = 1
    deaths: ClassVar[int] = 2
    claims: ClassVar[int] = 1
    """How many new threads come; somebody who wants a slot reaps without the lock."""

    def __init__(self, mutate: str = "") -> None:
        super().__init__(mutate)
        program: list[list[Action]] = [[] for _ in range(DEAD + 1)]
        program[BEGIN] = [action(self.txn_put, "xy"), action(self.txn_put, "y", first=Y)]
        if self.claims:
            program[BEGIN].append(action(self.slot_reap__claim))
        program[LOCKING] = [action(self.lock_acquire), action(self.take_over__look)]
        program[TAKING] = [action(self.take_over__swap)]
        program[ENTERED] = [action(self.publish__linking)]
        program[LINK] = [action(self.link_version)]
        program[LINK_HEAD] = [action(self.link_version__head)]
        program[PUBLISH] = [action(self.publish)]
        program[COUNTED] = [action(self.publish__count)]
        program[CLEAR] = [action(self.publish__clear)]
        program[UNLOCK] = [action(self.lock_release)]
        program[FINISH] = [action(self.finish_commit)]
        program[BACK] = [action(self.roll_back)]
        program[FORGET] = [action(self.roll_back__forget)]
        program[RETIRE] = [action(self.history_retire_version)]
        program[REPAIRED] = [action(self.recover_repair__clear)]
        program[REAP] = [action(self.slot_reap__claim), action(self.slot_reap__end)]
        program[SWAP] = [action(self.slot_reap__swap)]
        program[DISCARD] = [action(self.slot_discard_pending__count)]
        program[FREE] = [action(self.slot_discard_pending__free)]
        program[RELEASE] = [action(self.slot_release)]
        program[DEAD] = [action(self.slot_claim)]
        self.program = program
        self.anywhere = [action(self.die)]

    def initial(self) -> Iterable[bytes]:
        s = bytearray(LAYOUT.size)
        s[DEATHS], s[CLAIMS] = self.deaths, self.claims
        for field in (LOCK, LINKING):
            s[field] = NONE
        s[PREV:STATE] = bytes((NONE,)) * (STATE - PREV)
        for k in KEYS:
            s[HEAD + k] = s[SHOWN + k] = k
            s[TS + k], s[STATE + k] = 0, OWNED
        for t in SLOTS:
            s[t + LEFT] = self.transactions
            s[t + OWNER] = own_name(s, t)
            self.forget(s, t)
        yield bytes(s)

    def done(self, state: bytes) -> bool:
        return all(state[t] in (OVER, DEAD) for t in SLOTS)

    def broken(self, state: bytes) -> str | None:
        if sum(state[t] in OWNING or reaps_locked(state, t) for t in SLOTS) > 1:
            return ALONE
        for k in KEYS:
            version, clock = state[HEAD + k], state[CLOCK]
            while version != NONE and state[TS + version] > clock:
                version = state[PREV + version]
            if version != state[SHOWN + k]:
                return ATOMIC
            if version != NONE and state[STATE + version] != OWNED:
                return TWICE
        return None

    # A commit.

    def txn_put(self, s: bytearray, t: int, first: int = X) -> None:
        """Versions, put on record before anybody else sees them; that of x may be undone."""
        magazine = STATE + 2 + EACH * SLOTS.index(t)
        for k in KEYS[first:]:
            version = s.index(UNUSED, magazine, magazine + EACH) - STATE
            s[STATE + version] = OWNED
            s[TS + version] = 0 if self.mutate == "ts_unset" else NEVER
            s[PREV + version] = NONE
            s[t + PENDING + k] = version
        s[t + COUNT] = len(KEYS)
        s[t] = LOCKING

    def lock_acquire(self, s: bytearray, t: int) -> bool | None:
        if s[LOCK] != NONE:
            return False
        self.enter(s, t)
        return None

    def enter(self, s: bytearray, t: int) -> None:
        """The lock is ours: recover_unfinished."""
        s[LOCK], s[LOCK_GENERATION] = SLOTS.index(t), s[t + GENERATION]
        s[t + SEEN] = s[t + SEEN_GENERATION] = NONE
        s[t + AT] = X
        s[t] = ENTERED
        if s[LINKING] != NONE:
            s[t] = FINISH

    def take_over__look(self, s: bytearray, t: int) -> bool | None:
        """slot_dead of the owner that the word names."""
        if s[LOCK] == NONE or not is_dead(s, SLOTS[s[LOCK]]):
            return False
        s[t + SEEN], s[t + SEEN_GENERATION] = s[LOCK], s[LOCK_GENERATION]
        s[t] = TAKING
        return None

    def take_over__swap(self, s: bytearray, t: int) -> None:
        same = s[LOCK] == s[t + SEEN]
        if self.mutate != "no_generation":
            same = same and s[LOCK_GENERATION] == s[t + SEEN_GENERATION]
        if same:
            self.enter(s, t)
        else:
            s[t + SEEN] = s[t + SEEN_GENERATION] = NONE
            s[t] = LOCKING

    def publish__linking(self, s: bytearray, t: int) -> None:
        if self.mutate != "linking_late":
            s[LINKING] = SLOTS.index(t)
        s[t] = LINK

    def link_version(self, s: bytearray, t: int) -> None:
        """What the version says, before it can be found."""
        if s[t + PENDING + X] == NONE:
            s[t + AT] = Y
        k = s[t + AT]
        version = s[t + PENDING + k]
        s[PREV + version] = s[HEAD + k]
        s[TS + version] = s[CLOCK] + 1
        s[t] = LINK_HEAD

    def link_version__head(self, s: bytearray, t: int) -> None:
        s[HEAD + s[t + AT]] = s[t + PENDING + s[t + AT]]
        s[t + AT] += 1
        s[t] = LINK if s[t + AT] in KEYS else PUBLISH
        if self.mutate == "linking_late" and s[t] == PUBLISH:
            s[LINKING] = SLOTS.index(t)
        if self.mutate == "clear_before_clock" and s[t] == PUBLISH:
            s[LINKING] = NONE

    def publish(self, s: bytearray, t: int) -> None:
        """THE commit point."""
        s[CLOCK] += 1
        for k in KEYS:
            if s[t + PENDING + k] != NONE:
                s[SHOWN + k] = s[t + PENDING + k]
        s[t] = CLEAR if self.mutate == "clear_before_count" else COUNTED

    def publish__count(self, s: bytearray, t: int) -> None:
        s[t + COUNT] = 0
        s[t] = UNLOCK if self.mutate == "clear_before_count" else CLEAR

    def publish__clear(self, s: bytearray, t: int) -> None:
        s[LINKING] = NONE
        s[t] = COUNTED if self.mutate == "clear_before_count" else UNLOCK

    def lock_release(self, s: bytearray, t: int) -> None:
        for k in KEYS:
            old = s[PREV + s[HEAD + k]]
            s[PREV + s[HEAD + k]] = NONE
            while old != NONE:
                older = s[PREV + old]
                self.free(s, old)
                old = older
        for version in range(VERSIONS):
            if s[STATE + version] == LIMBO:
                s[STATE + version] = UNUSED
        s[LOCK], s[LOCK_GENERATION] = NONE, 0
        s[t + LEFT] -= 1
        self.forget(s, t)

    # Recovery, by the next owner.

    def finish_commit(self, s: bytearray, t: int) -> None:
        """Undone or done: one pending version with a `ts` up to the clock tells."""
        dead = SLOTS[s[LINKING]]
        if self.mutate == "clear_first":
            s[t + SEEN] = s[LINKING]
            s[LINKING] = NONE
        pending = [s[dead + PENDING + k] for k in KEYS if k < s[dead + COUNT]]
        published = any(version != NONE and s[TS + version] <= s[CLOCK] for version in pending)
        if published or not pending or self.mutate == "forget_linking":
            if self.mutate != "published_kept":
                s[dead + COUNT] = 0
            s[t] = REPAIRED
        else:
            s[t] = FORGET if self.mutate == "forget_first" else BACK

    def dead_slot(self, s: bytearray, t: int) -> int:
        return SLOTS[s[t + SEEN] if s[LINKING] == NONE else s[LINKING]]

    def roll_back(self, s: bytearray, t: int) -> None:
        dead, k = self.dead_slot(s, t), s[t + AT]
        version = s[dead + PENDING + k]
        if self.mutate == "forget_first":
            version = s[t + SEEN_GENERATION]
        if version != NONE and s[HEAD + k] == version:
            s[HEAD + k] = s[PREV + version]
        s[t] = {"retire_first": RETIRE, "forget_first": RETIRE}.get(self.mutate, FORGET)

    def roll_back__forget(self, s: bytearray, t: int) -> None:
        """Off the record before it is given away."""
        dead, k = self.dead_slot(s, t), s[t + AT]
        if self.mutate != "retire_first":
            s[t + SEEN_GENERATION] = s[dead + PENDING + k]
        s[dead + PENDING + k] = NONE
        s[t] = RETIRE
        if self.mutate == "retire_first":
            self.next_pending(s, t)
        elif self.mutate == "forget_first":
            s[t] = BACK

    def history_retire_version(self, s: bytearray, t: int) -> None:
        dead, k = self.dead_slot(s, t), s[t + AT]
        retire_first = self.mutate == "retire_first"
        version = s[dead + PENDING + k] if retire_first else s[t + SEEN_GENERATION]
        if version != NONE:
            require(s[STATE + version] == OWNED, TWICE)
            s[STATE + version] = LIMBO
        if retire_first:
            s[t] = FORGET
        else:
            self.next_pending(s, t)

    def next_pending(self, s: bytearray, t: int) -> None:
        s[t + SEEN_GENERATION] = NONE
        s[t + AT] += 1
        first = FORGET if self.mutate == "forget_first" else BACK
        s[t] = first if s[t + AT] in KEYS else REPAIRED

    def recover_repair__clear(self, s: bytearray, t: int) -> None:
        s[LINKING] = s[t + SEEN] = NONE
        s[t] = REAP

    def die(self, s: bytearray, t: int) -> bool | None:
        if not s[DEATHS] or s[t] in (BEGIN, OVER, DEAD):
            return False
        s[DEATHS] -= 1
        s[t + LEFT] = 0
        for field in (SEEN, SEEN_GENERATION, AT):
            s[t + field] = NONE
        s[t] = DEAD
        return None


class RecoveryAgain(Recovery):
    """One dies anywhere, and the others go on; the dead are reaped under the lock alone."""

    name = "recovery-again"
    bounds = "3 threads, 2 keys, 2 transactions each, a death at any step"
    transactions = 2
    deaths = 1
    claims = 0


MODELS = (Recovery, RecoveryAgain)
