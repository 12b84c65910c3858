"""Snapshots in slots against freeing: no read touches freed memory, every read finds its version.

One committer stands for all commit sections, which the commit lock puts in a row; two readers run
read operations.  Chains are made of links, and every store goes through the store buffers of x86,
so a store that has to be seq_cst and is not shows up.  A version's number is its `ts`; versions
are never used again, so that touching a freed one is seen.
"""

from collections.abc import Iterable
from typing import ClassVar

from .checker.layout import NONE
from .checker.model import Guarded, action, require
from .reclaim_state import (
    ADOPT,
    AFTER,
    ANNOUNCE,
    AT,
    CHECK_EVICTED,
    CHECK_HEAD,
    CHOOSE,
    CLOCK,
    COLLECT,
    COMMITS_LEFT,
    COMMITTER,
    COPY,
    EPOCH,
    EVICT,
    EVICTED,
    EVICTIONS,
    EXTEND,
    FOUND,
    FREED,
    FRESH,
    GOT,
    HEAD,
    IDLE,
    KEY,
    LAYOUT,
    LEFT,
    LINK,
    LINKED,
    LOOK,
    MINE,
    MY_READING,
    MY_SNAPSHOT,
    NEWER,
    NEXT_EPOCH,
    OP,
    OPS,
    OVER,
    PREV,
    PRUNE,
    PUBLISH,
    READERS,
    READING,
    REGISTER,
    REREAD,
    REREAD_CLOCK,
    SEEN,
    SNAPSHOT,
    STATE,
    STORES,
    SWEEPS,
    UNLOCK,
    USE_AFTER_FREE,
    VERSIONS,
    WALK,
    X,
    Y,
)
from .reclaim_sweep import Committer


class Reclaim(Committer):
    """Versions of two keys; subclasses say how much happens."""

    layout = LAYOUT
    readers: ClassVar[int]
    ops: ClassVar[int]
    """Operations in each of a reader's two transactions."""
    extends: ClassVar[bool]
    """Whether readers extend their snapshot and look at a version again."""

    def __init__(self, mutate: str = "") -> None:
        super().__init__(mutate)
        table: dict[int, list[Guarded]] = {
            IDLE: [self.slot_register__clock],
            REGISTER: [self.slot_register__store],
            REREAD_CLOCK: [self.slot_register__again],
            CHOOSE: [self.read_again, self.txn_extend, self.txn_end],
            ANNOUNCE: [self.slot_read_begin],
            WALK: [self.visible],
            CHECK_EVICTED: [self.slot_evicted],
            COPY: [self.txn_read_done],
            CHECK_HEAD: [self.txn_extend__check],
            ADOPT: [self.txn_extend__adopt],
            OVER: [],
            LINK: [self.history_sweep_all],
            PUBLISH: [self.publish],
            AFTER: [self.history_sweep_some, self.lock_release],
            LOOK: [],
            COLLECT: [self.collect],
            PRUNE: [self.prune],
            NEXT_EPOCH: [self.sweep__epoch],
            EVICT: [self.lock_release],
            UNLOCK: [self.lock_release],
        }
        program = [[action(apply) for apply in table[pc]] for pc in range(len(table))]
        for k in (X, Y):
            program[CHOOSE].append(action(self.txn_lookup, "xy"[k], k=k))
            program[LINK].append(action(self.link_version, "xy"[k], k=k))
        for r in READERS:
            program[LOOK].append(action(self.slots_look, r=r))
            program[LOOK].append(action(self.slots_look__reading, r=r))
            program[EVICT].append(action(self.slots_evict_oldest, r=r))
        self.program = program
        self.anywhere = [action(self.flush)]
        self.eager = frozenset({COLLECT})

    def initial(self) -> Iterable[bytes]:
        s = bytearray(LAYOUT.size)
        s[CLOCK] = 1
        s[EPOCH] = 1
        s[HEAD + X], s[HEAD + Y] = 0, 1
        for version in range(VERSIONS):
            s[PREV + version] = NONE
            s[KEY + version] = version if version < 2 else NONE
        s[STATE] = s[STATE + 1] = LINKED
        s[COMMITS_LEFT], s[SWEEPS], s[EVICTIONS] = self.commits, self.sweeps, self.evictions
        s[NEWER] = NONE
        for t in LAYOUT.bases:
            s[t + SNAPSHOT : t + LAYOUT.width] = bytes((NONE,)) * (LAYOUT.width - SNAPSHOT)
            s[t + READING] = 0
            s[t] = OVER
        for t in READERS[: self.readers]:
            s[t + LEFT] = self.transactions
            s[t] = IDLE
        s[COMMITTER] = LINK
        yield bytes(s)

    def canonical(self, state: bytes) -> bytes:
        return LAYOUT.sort_threads(state, after=1)

    def done(self, state: bytes) -> bool:
        return state[COMMITTER] == OVER and all(state[t] == OVER for t in READERS)

    def flush(self, s: bytearray, t: int) -> bool | None:
        return STORES.flush(s, t)

    def touch(self, s: bytearray, version: int) -> None:
        require(s[STATE + version] != FREED, USE_AFTER_FREE)

    # A reader: registering.

    def slot_register__clock(self, s: bytearray, t: int) -> None:
        s[t + GOT] = s[CLOCK]
        s[t] = REGISTER

    def slot_register__store(self, s: bytearray, t: int) -> bool | None:
        store = STORES.store if self.mutate == "snapshot_relaxed" else STORES.exchange
        if not store(s, t, MY_SNAPSHOT, s[t + GOT]):
            return False
        if self.mutate == "clock_not_reread":
            self.registered(s, t)
        else:
            s[t] = REREAD_CLOCK
        return None

    def slot_register__again(self, s: bytearray, t: int) -> None:
        if s[CLOCK] == s[t + GOT]:
            self.registered(s, t)
        else:
            s[t + GOT] = s[CLOCK]
            s[t] = REGISTER

    def registered(self, s: bytearray, t: int) -> None:
        if s[t + OP] == EXTEND:
            s[t] = ANNOUNCE
            return
        require(s[t + EVICTED] != s[t + GOT], FRESH)
        s[t + MINE] = s[t + GOT]
        s[t + GOT] = NONE
        s[t + OPS] = self.ops
        s[t] = CHOOSE

    # A reader: operations.

    def start(self, s: bytearray, t: int, op: int, pc: int) -> bool | None:
        if s[t + OPS] == 0:
            return False
        s[t + OPS] -= 1
        s[t + OP] = op
        s[t] = pc
        return None

    def txn_lookup(self, s: bytearray, t: int, k: int = 0) -> bool | None:
        return self.start(s, t, k, ANNOUNCE)

    def read_again(self, s: bytearray, t: int) -> bool | None:
        """txn_lookup of a key that was read before: the version is known."""
        return self.extends and s[t + SEEN] != NONE and self.start(s, t, REREAD, ANNOUNCE)

    def txn_extend(self, s: bytearray, t: int) -> bool | None:
        if not self.extends or s[t + SEEN] == NONE:
            return False
        if self.mutate == "extend_unregistered":
            s[t + GOT] = s[CLOCK]
            return self.start(s, t, EXTEND, ANNOUNCE)
        return self.start(s, t, EXTEND, IDLE)

    def slot_read_begin(self, s: bytearray, t: int) -> bool | None:
        """An epoch loaded earlier would only protect more."""
        store = STORES.store if self.mutate == "reading_relaxed" else STORES.exchange
        if not store(s, t, MY_READING, s[EPOCH]):
            return False
        op = s[t + OP]
        if op == EXTEND:
            s[t + AT] = s[HEAD + s[KEY + s[t + SEEN]]]
            s[t] = CHECK_HEAD
        elif op == REREAD:
            s[t + AT] = s[t + SEEN]
            s[t] = CHECK_EVICTED
        else:
            s[t + AT] = NONE
            s[t] = WALK
        return None

    def visible(self, s: bytearray, t: int) -> None:
        at = s[t + AT]
        if at == NONE:
            s[t + AT] = s[HEAD + s[t + OP]]
            return
        self.touch(s, at)
        if at > s[t + MINE]:
            at = s[t + AT] = s[PREV + at]
            if at != NONE:
                return
        s[t] = COPY if self.mutate == "evicted_unchecked" else CHECK_EVICTED

    def slot_evicted(self, s: bytearray, t: int) -> bool | None:
        if s[t + EVICTED] == s[t + MINE]:
            return STORES.put(s, t, MY_READING, 0) and self.txn_end(s, t)
        s[t] = COPY
        return None

    def txn_read_done(self, s: bytearray, t: int) -> bool | None:
        at, mine, op = s[t + AT], s[t + MINE], s[t + OP]
        if at != NONE:
            self.touch(s, at)
        k = s[KEY + s[t + SEEN]] if op == REREAD else op
        there = (v for v in range(VERSIONS) if v <= mine and s[KEY + v] == k)
        require(at == max(there, default=NONE), FOUND)
        if not STORES.put(s, t, MY_READING, 0):
            return False
        s[t + SEEN] = at if s[t + OPS] and self.extends else NONE
        s[t + AT] = s[t + OP] = NONE
        s[t] = CHOOSE
        return None

    def txn_extend__check(self, s: bytearray, t: int) -> bool | None:
        self.touch(s, s[t + AT])
        if not STORES.put(s, t, MY_READING, 0):
            return False
        if s[t + AT] > s[t + MINE]:
            return self.txn_end(s, t)
        s[t + AT] = NONE
        s[t] = ADOPT
        return None

    def txn_extend__adopt(self, s: bytearray, t: int) -> bool | None:
        if s[t + EVICTED] == s[t + MINE]:
            return self.txn_end(s, t)
        s[t + MINE] = s[t + GOT]
        s[t + GOT] = s[t + OP] = NONE
        s[t] = CHOOSE
        return None

    def txn_end(self, s: bytearray, t: int) -> bool | None:
        """slot_unregister."""
        for field in (MINE, GOT, OP, AT, SEEN):
            s[t + field] = NONE
        s[t + OPS] = 0
        s[t + LEFT] -= 1
        s[t] = IDLE if s[t + LEFT] else OVER
        return STORES.put(s, t, MY_SNAPSHOT, NONE)
