"""Slots of the dead: claimed by a reaper, emptied, given back, claimed anew."""

from .checker.layout import NONE
from .checker.model import Model, require
from .recovery_state import (
    AT,
    BEGIN,
    CLAIMS,
    COUNT,
    DEAD,
    DISCARD,
    ENTERED,
    FREE,
    GENERATION,
    LAYOUT,
    LEFT,
    LINKING,
    LOCK,
    OVER,
    OWNED,
    OWNER,
    PENDING,
    PREV,
    RELEASE,
    SEEN,
    SEEN_GENERATION,
    SLOTS,
    STATE,
    SWAP,
    TS,
    TWICE,
    UNUSED,
    X,
    is_dead,
    own_name,
)


class Reaping(Model):
    """What `slot.c` does; the rest of the model is in recovery.py."""

    def forget(self, s: bytearray, t: int) -> None:
        s[t + COUNT] = 0
        s[t + PENDING : t + LAYOUT.width] = bytes((NONE,)) * (LAYOUT.width - PENDING)
        s[t] = BEGIN if s[t + LEFT] else OVER

    def free(self, s: bytearray, version: int) -> None:
        require(s[STATE + version] == OWNED, TWICE)
        s[STATE + version] = UNUSED
        s[PREV + version] = s[TS + version] = NONE

    def slot_reap__claim(self, s: bytearray, t: int) -> bool | None:
        """One dead slot that is not waiting to be recovered; from BEGIN without the lock."""
        for slot in SLOTS:
            number = SLOTS.index(slot)
            unfinished = number in (s[LOCK], s[LINKING]) and self.mutate != "reap_unfinished"
            if s[slot] == DEAD and is_dead(s, slot) and not unfinished:
                s[t + SEEN] = number
                s[t + SEEN_GENERATION] = s[slot + OWNER]
                s[t + AT] = s[t]
                s[t] = SWAP
                return None
        return False

    def slot_reap__swap(self, s: bytearray, t: int) -> None:
        """In the name of the reaper from here on, if it is still that of who died."""
        slot = SLOTS[s[t + SEEN]]
        if s[slot + OWNER] == s[t + SEEN_GENERATION] or self.mutate == "reap_uncompared":
            s[slot + OWNER] = own_name(s, t)
            s[t] = DISCARD
        else:
            s[t], s[t + AT] = s[t + AT], NONE
            s[t + SEEN] = NONE
        s[t + SEEN_GENERATION] = NONE

    def slot_reap__end(self, s: bytearray, t: int) -> bool | None:
        s[t + AT] = X
        s[t] = ENTERED
        return None

    def slot_discard_pending__count(self, s: bytearray, t: int) -> None:
        """Counting down before freeing: a death between loses one block and frees none twice."""
        slot = SLOTS[s[t + SEEN]]
        s[t + SEEN_GENERATION] = NONE
        if s[slot + COUNT] == 0:
            s[t] = RELEASE
            return
        last = s[slot + COUNT] - 1
        s[t + SEEN_GENERATION] = s[slot + PENDING + last]
        if self.mutate == "free_before_counting":
            self.discard(s, s[t + SEEN_GENERATION])
        else:
            s[slot + COUNT] = last
        s[t] = FREE

    def slot_discard_pending__free(self, s: bytearray, t: int) -> None:
        if self.mutate == "free_before_counting":
            s[SLOTS[s[t + SEEN]] + COUNT] -= 1
        else:
            self.discard(s, s[t + SEEN_GENERATION])
        s[t] = DISCARD

    def discard(self, s: bytearray, version: int) -> None:
        if version != NONE:
            self.free(s, version)

    def slot_release(self, s: bytearray, t: int) -> None:
        slot = SLOTS[s[t + SEEN]]
        s[slot + OWNER] = NONE
        s[slot + PENDING : slot + LAYOUT.width] = bytes((NONE,)) * (LAYOUT.width - PENDING)
        s[t + SEEN] = NONE
        s[t], s[t + AT] = s[t + AT], NONE

    def slot_claim(self, s: bytearray, t: int) -> bool | None:
        """A new thread in a slot that was given back."""
        if s[t + OWNER] != NONE or not s[CLAIMS]:
            return False
        s[CLAIMS] -= 1
        s[t + GENERATION] += 1
        s[t + OWNER] = own_name(s, t)
        s[t + LEFT] = 1
        self.forget(s, t)
        return None
