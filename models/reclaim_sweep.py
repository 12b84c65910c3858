"""The committer of the models of reclamation: commits in a row, and sweeps between them."""

from typing import ClassVar

from .checker.layout import NONE
from .checker.model import Model
from .reclaim_state import (
    AFTER,
    CELL,
    CLOCK,
    COLLECT,
    COMMITS_LEFT,
    EPOCH,
    EVICT,
    EVICTED,
    EVICTIONS,
    FREED,
    HALF,
    HEAD,
    KEY,
    LIMBO,
    LINK,
    LINKED,
    LOOK,
    LOOKED,
    NEEDED,
    NEWER,
    NEXT_EPOCH,
    NOT_YET,
    OLDEST,
    OVER,
    PREV,
    PRUNE,
    PUBLISH,
    READERS,
    READING,
    SAFE,
    SNAPSHOT,
    STATE,
    STORES,
    SWEEPS,
    UNLOCK,
    VERSIONS,
    WHOLE,
    X,
    Y,
)


class Committer(Model):
    """Links versions, moves the clock, frees what nobody can reach."""

    commits: ClassVar[int]
    sweeps: ClassVar[int] = 2
    evictions: ClassVar[int]
    look_at_once: ClassVar[bool]
    """Whether slots_look loads the two words of a slot in one step."""

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
