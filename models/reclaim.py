"""Snapshots in slots against freeing: no read touches freed memory, every read finds its version.

One committer stands for all commit sections, which the commit lock puts in a row; two readers run
read operations.  Chains are made of links, and every store goes through the store buffers of x86,
so a store that has to be seq_cst and is not shows up.  A version's number is its `ts`; versions
are never used again, so that touching a freed one is seen.
"""

from collections.abc import Iterable
from typing import ClassVar

from .checker.layout import NONE, Layout
from .checker.memory import StoreBuffer
from .checker.model import Model, action, require

X, Y = range(2)
COMMITS = 3
VERSIONS = 2 + COMMITS
UNUSED, LINKED, FREED, LIMBO = range(4)
"""State of a version; LIMBO + e is limbo with tag e."""

LAYOUT = Layout(
    f"clock epoch head[x y] prev[{VERSIONS}] state[{VERSIONS}] key[{VERSIONS}]"
    " commits sweeps evictions oldest needed safe cell newer",
    "pc left ops looked snapshot reading evicted mine got op at seen buffer[6]",
    threads=3,
)
CLOCK, EPOCH, HEAD, PREV, STATE, KEY, *COMMITTERS = LAYOUT.shared
COMMITS_LEFT, SWEEPS, EVICTIONS, OLDEST, NEEDED, SAFE, CELL, NEWER = COMMITTERS
PC, LEFT, OPS, LOOKED, SNAPSHOT, READING, EVICTED, MINE, GOT, OP, AT, SEEN, BUFFER = LAYOUT.record
COMMITTER, *READERS = LAYOUT.bases
STORES = StoreBuffer(BUFFER, capacity=3)
MY_SNAPSHOT = StoreBuffer.own(SNAPSHOT)
MY_READING = StoreBuffer.own(READING)

(
    IDLE,
    REGISTER,
    REREAD_CLOCK,
    CHOOSE,
    ANNOUNCE,
    WALK,
    CHECK_EVICTED,
    COPY,
    CHECK_HEAD,
    ADOPT,
    OVER,
    LINK,
    PUBLISH,
    AFTER,
    LOOK,
    COLLECT,
    PRUNE,
    NEXT_EPOCH,
    EVICT,
    UNLOCK,
) = range(20)
NOT_YET, HALF, WHOLE = range(3)
"""Whether this sweep has looked at a slot: not, at its snapshot, at `reading` as well."""
REREAD, EXTEND = 2, 3
"""Operations beside reading x (0) and y (1)."""

USE_AFTER_FREE = "no read touches freed memory"
FOUND = "a registered reader finds its version"
FRESH = "a block that begins has not been given up"


class Reclaim(Model):
    """Versions of two keys; subclasses say how much happens."""

    layout = LAYOUT
    readers: ClassVar[int]
    ops: ClassVar[int]
    """Operations in each of a reader's two transactions."""
    commits: ClassVar[int]
    sweeps: ClassVar[int] = 2
    evictions: ClassVar[int]
    extends: ClassVar[bool]
    """Whether readers extend their snapshot and look at a version again."""
    look_at_once: ClassVar[bool]
    """Whether slots_look loads the two words of a slot in one step."""

    def __init__(self, mutate: str = "") -> None:
        super().__init__(mutate)
        table = {
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
        self.program = [[action(apply) for apply in table[pc]] for pc in range(len(table))]
        for k in (X, Y):
            self.program[CHOOSE].append(action(self.txn_lookup, "xy"[k], k=k))
            self.program[LINK].append(action(self.link_version, "xy"[k], k=k))
        for r in READERS:
            self.program[LOOK].append(action(self.slots_look, r=r))
            self.program[LOOK].append(action(self.slots_look__reading, r=r))
            self.program[EVICT].append(action(self.slots_evict_oldest, r=r))
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
            s[t + LEFT] = 2
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

    # The committer.

    def link_version(self, s: bytearray, t: int, k: int = 0) -> bool | None:
        if s[COMMITS_LEFT] == 0 or (k == Y and s[COMMITS_LEFT] == self.commits):
            return False  # the keys are interchangeable, so the first commit is to x
        version = STORES.load(s, t, CLOCK) + 1
        s[PREV + version] = s[HEAD + k]
        s[STATE + version] = LINKED
        s[KEY + version] = k
        s[COMMITS_LEFT] -= 1
        s[t] = PUBLISH
        return STORES.put(s, t, HEAD + k, version)

    def publish(self, s: bytearray, t: int) -> bool | None:
        """With release only; slots_look stores the clock anew."""
        s[t] = AFTER
        store = STORES.store if self.mutate == "clock_release_only" else STORES.put
        return store(s, t, CLOCK, s[CLOCK] + 1)

    def lock_release(self, s: bytearray, t: int) -> bool | None:
        if not STORES.drained(s, t):
            return False
        s[t] = LINK if s[COMMITS_LEFT] or s[SWEEPS] else OVER
        return None

    def history_sweep_all(self, s: bytearray, t: int) -> bool | None:
        return not s[COMMITS_LEFT] and self.history_sweep_some(s, t)

    def history_sweep_some(self, s: bytearray, t: int) -> bool | None:
        """A sweep begins with slots_look, which stores the clock anew."""
        if not s[SWEEPS]:
            return False
        if self.mutate != "clock_release_only" and not STORES.drained(s, t):
            return False
        s[SWEEPS] -= 1
        s[OLDEST] = STORES.load(s, t, CLOCK)
        s[SAFE] = NONE
        s[t] = LOOK
        return None

    def slots_look(self, s: bytearray, t: int, r: int = 0) -> bool | None:
        """Load a slot's snapshot and `reading`, together or one after the other."""
        if s[r + LOOKED] or any(s[q + LOOKED] == HALF for q in READERS):
            return False
        s[r + LOOKED] = HALF
        self.note_snapshot(s, r)
        if self.look_at_once:
            self.slots_look__reading(s, t, r)
        return None

    def note_snapshot(self, s: bytearray, r: int) -> None:
        snapshot = s[r + SNAPSHOT]
        if snapshot == NONE:
            return
        evicted = s[r + EVICTED] == snapshot
        if not evicted:
            s[NEEDED] |= 1 << snapshot
        if not evicted or self.mutate != "evicted_not_oldest":
            s[OLDEST] = min(s[OLDEST], snapshot)

    def slots_look__reading(self, s: bytearray, t: int, r: int = 0) -> bool | None:
        if s[r + LOOKED] != HALF:
            return False
        s[r + LOOKED] = WHOLE
        s[SAFE] = min(s[SAFE], s[r + READING] or NONE)
        if all(s[q + LOOKED] == WHOLE for q in READERS):
            for q in READERS:
                s[q + LOOKED] = NOT_YET
            s[t] = COLLECT
        return None

    def collect(self, s: bytearray, t: int) -> None:
        """Free what was unlinked before every read operation that was seen."""
        safe = s[SAFE] + (self.mutate == "safe_too_late")
        s[SAFE] = 0
        for version in range(VERSIONS):
            if LIMBO <= s[STATE + version] < LIMBO + safe:
                s[STATE + version] = FREED
        s[CELL] = X
        if self.mutate == "epoch_before_unlink":
            s[EPOCH] += 1
        s[t] = PRUNE

    def needed(self, s: bytearray, version: int, newer: int) -> bool:
        """slots_need: some snapshot that was not given up shows the version."""
        needed = s[NEEDED]
        if self.mutate == "only_oldest_needed":
            needed &= -needed
        return bool(needed & ((1 << newer) - (1 << version)))

    def prune(self, s: bytearray, t: int) -> bool | None:
        """Go on until one link has changed."""
        oldest = s[OLDEST] + (self.mutate == "free_one_early")
        while s[CELL] <= Y:
            newer = s[NEWER]
            if newer == NONE:
                newer = STORES.load(s, t, HEAD + s[CELL])
            version = STORES.load(s, t, PREV + newer)
            if version == NONE:
                s[CELL] += 1
                s[NEWER] = NONE
            elif newer <= oldest:
                return self.free_tail(s, t, newer)
            elif self.needed(s, version, newer):
                s[NEWER] = version
            else:
                s[NEWER] = newer
                return self.unlink(s, t, version, newer)
        s[t] = NEXT_EPOCH
        return None

    def free_tail(self, s: bytearray, t: int, newer: int) -> bool:
        version = STORES.load(s, t, PREV + newer)
        while version != NONE:
            s[STATE + version] = FREED
            version = STORES.load(s, t, PREV + version)
        s[CELL] += 1
        s[NEWER] = NONE
        return STORES.put(s, t, PREV + newer, NONE)

    def unlink(self, s: bytearray, t: int, version: int, newer: int) -> bool:
        tag = s[EPOCH] - (self.mutate == "epoch_before_unlink")
        s[STATE + version] = FREED if self.mutate == "no_limbo" else LIMBO + tag
        return STORES.put(s, t, PREV + newer, STORES.load(s, t, PREV + version))

    def sweep__epoch(self, s: bytearray, t: int) -> None:
        if self.mutate != "epoch_before_unlink":
            s[EPOCH] += 1
        s[OLDEST] = s[NEEDED] = s[CELL] = 0
        s[t] = EVICT

    def slots_evict_oldest(self, s: bytearray, t: int, r: int = 0) -> bool | None:
        """Only a snapshot older than the clock: a new block could register the clock again."""
        its = s[r + SNAPSHOT]
        newest = s[CLOCK] + (self.mutate == "evict_newest")
        if not s[EVICTIONS] or its >= newest or not STORES.drained(s, t):
            return False
        s[EVICTIONS] -= 1
        s[r + EVICTED] = its
        s[t] = UNLOCK
        return None


class ReclaimWide(Reclaim):
    """Two readers that read; slots are looked at in one step.

    A snapshot registered after the look began is not older than the clock, so nothing is kept for
    it, and loading both words of a slot later than the first was loaded protects no more.
    """

    name = "reclaim-wide"
    bounds = "2 readers and a committer, 2 keys, 2 transactions of 1 read, 2 commits, 2 sweeps"
    readers = 2
    ops = 1
    commits = 2
    evictions = 0
    extends = False
    look_at_once = True


class ReclaimDeep(Reclaim):
    """One reader with everything: extension, versions read again, a snapshot that is given up."""

    name = "reclaim-deep"
    bounds = "1 reader and a committer, 2 keys, 2 transactions of 3 operations, 3 commits, 2 sweeps"
    readers = 1
    ops = 3
    commits = COMMITS
    evictions = 1
    extends = True
    look_at_once = False


MODELS = (ReclaimWide, ReclaimDeep)
