"""Waiters in their buckets: records, lists of one direction, death between any two stores.

All keys share one bucket.  Only the owner of the commit lock edits it, each time by one store, so
what matters is where an owner dies, and what `slot_reap` makes of that.  A waiter is on record in
its slot (`waits`) before its nodes are linked, and until they are unlinked.  Getting the lock and
taking it from the dead is shown by `recovery` and `serial`, that a mark wakes by `park`.
"""

from collections.abc import Iterable, Iterator

from .checker.layout import NONE, Layout
from .checker.model import Action, Model, action, require

EACH = 2
NODES = 3 * EACH
"""Thread i owns the nodes from EACH * i on: one for each key that it reads."""

LAYOUT = Layout(
    f"lock waiting bucket next[{NODES}] deaths", "pc left block waits counted at reaps", 3
)
LOCK, WAITING, BUCKET, NEXT, DEATHS = LAYOUT.shared
PC, LEFT, BLOCK, WAITS, COUNTED, AT, REAPS = LAYOUT.record
SLOTS = LAYOUT.bases
FREE, HELD, ABANDONED = range(3)

BEGIN, REGISTER, RECORD, COUNT, NODE, LINK, LEAVE, SLEEP, UNREGISTER, ENTERED = range(10)
UNLINK, UNCOUNT, DISCOUNT, POP, GIVE_BACK, FORGET, OVER, DEAD = range(10, 18)
LOCKED = frozenset((RECORD, COUNT, NODE, LINK, LEAVE, ENTERED, UNLINK, UNCOUNT, DISCOUNT))
"""Without the lock from POP on, unless a dead slot is emptied."""

FOUND = "a commit finds every thread that waits"
USE_AFTER_FREE = "a bucket holds no node that was freed"
TWICE = "nothing is freed twice"
GONE = "nobody waits in a slot that was given back"


class Waiters(Model):
    """Threads register for two keys and unregister; two of them die anywhere."""

    name = "waiters"
    bounds = "3 threads, 2 keys, 2 transactions each, 2 deaths at any step"
    layout = LAYOUT

    def __init__(self, mutate: str = "") -> None:
        super().__init__(mutate)
        program: list[list[Action]] = [[] for _ in range(DEAD + 1)]
        program[BEGIN] = [action(self.arena_alloc)]
        program[REGISTER] = program[UNREGISTER] = [action(self.lock_acquire)]
        program[RECORD] = [action(self.publish__record)]
        program[COUNT] = [action(self.publish__count)]
        program[NODE] = [action(self.link_node)]
        program[LINK] = [action(self.link_node__bucket)]
        program[LEAVE] = [action(self.lock_release)]
        program[SLEEP] = [action(self.wait_sleep)]
        program[ENTERED] = [action(self.slot_reap)]
        program[UNLINK] = [action(self.unlink_node)]
        program[UNCOUNT] = [action(self.unlink_nodes__counted)]
        program[DISCOUNT] = [action(self.unlink_nodes__waiting)]
        program[POP] = [action(self.wait_free__pop)]
        program[GIVE_BACK] = [action(self.wait_free)]
        self.program = program
        self.anywhere = [action(self.die)]

    def initial(self) -> Iterable[bytes]:
        s = bytearray(LAYOUT.size)
        s[DEATHS] = 2
        s[BUCKET:DEATHS] = bytes((NONE,)) * (DEATHS - BUCKET)
        for t in SLOTS:
            s[t + LEFT] = self.transactions
            s[t + REAPS] = NONE
        yield bytes(s)

    def done(self, state: bytes) -> bool:
        return all(state[t] in (OVER, DEAD) for t in SLOTS)

    def broken(self, state: bytes) -> str | None:
        linked = set(reach(state))
        if any(not state[SLOTS[node // EACH] + BLOCK] for node in linked):
            return USE_AFTER_FREE
        asleep = [t for t in SLOTS if state[t] in (SLEEP, UNREGISTER)]
        if any(node not in linked for t in asleep for node in own(t)):
            return FOUND
        if asleep and not state[WAITING]:
            return FOUND
        dead = (SLOTS[node // EACH] for node in linked)
        return GONE if any(state[t] == DEAD and not state[t + WAITS] for t in dead) else None

    # A thread that waits.

    def arena_alloc(self, s: bytearray, t: int) -> None:
        """The waiter is the thread's own until it is published."""
        s[t + BLOCK] = 1
        s[t] = REGISTER

    def lock_acquire(self, s: bytearray, t: int) -> bool | None:
        if s[LOCK] == HELD:
            return False
        s[LOCK] = HELD
        s[t + AT] = s[t]
        s[t] = ENTERED
        return None

    def slot_reap(self, s: bytearray, t: int) -> None:
        """The slot of one that has died with a waiter, if there is one; then what we came for."""
        came, s[t + AT] = s[t + AT], 0
        for slot in SLOTS:
            if s[slot] == DEAD and s[slot + WAITS]:
                s[t + REAPS] = SLOTS.index(slot)
                s[t + AT] = 0
                s[t + LEFT] |= came << 4
                s[t] = POP if self.mutate == "reap_unforgotten" else UNLINK
                return
        s[t] = came + 1 if came == REGISTER else UNLINK
        if self.mutate == "record_late" and came == REGISTER:
            s[t] = COUNT

    def publish__record(self, s: bytearray, t: int) -> None:
        s[t + WAITS] = 1
        s[t] = LEAVE if self.mutate == "record_late" else COUNT

    def publish__count(self, s: bytearray, t: int) -> None:
        """Too high after a death here, which costs others little."""
        s[WAITING] = (s[WAITING] + EACH) % 256
        s[t + COUNTED] = 1
        s[t] = NODE

    def link_node(self, s: bytearray, t: int) -> None:
        node = own(t)[s[t + AT]]
        s[NEXT + node] = s[BUCKET]
        s[t] = LINK

    def link_node__bucket(self, s: bytearray, t: int) -> None:
        s[BUCKET] = own(t)[s[t + AT]]
        s[t + AT] += 1
        s[t] = NODE
        if s[t + AT] == EACH:
            s[t + AT] = 0
            s[t] = RECORD if self.mutate == "record_late" else LEAVE

    def lock_release(self, s: bytearray, t: int) -> None:
        s[LOCK] = FREE
        s[t] = SLEEP

    def wait_sleep(self, s: bytearray, t: int) -> None:
        s[t] = UNREGISTER

    # Taking a waiter back: one's own, or that of a dead slot.

    def subject(self, s: bytearray, t: int) -> int:
        return t if s[t + REAPS] == NONE else SLOTS[s[t + REAPS]]

    def unlink_node(self, s: bytearray, t: int) -> None:
        """Looked for, so that it does not matter whether somebody who died got to it."""
        node = own(self.subject(s, t))[s[t + AT]]
        links = [BUCKET] + [NEXT + other for other in reach(s)]
        found = [link for link in links if s[link] == node]
        if found:
            s[found[0]] = s[NEXT + node]
        elif self.mutate == "unlink_unsought":
            s[BUCKET] = s[NEXT + node]
        s[t + AT] += 1
        if s[t + AT] == EACH or (self.mutate == "unlink_one" and s[t + REAPS] != NONE):
            s[t + AT] = 0
            s[t] = DISCOUNT if self.mutate == "discount_first" else UNCOUNT

    def unlink_nodes__counted(self, s: bytearray, t: int) -> None:
        """Before `waiting`: it may be too high, and not too low."""
        slot = self.subject(s, t)
        s[t + AT] = s[slot + COUNTED]
        s[slot + COUNTED] = 0
        s[t] = self.unlinked(s, t) if self.mutate == "discount_first" else DISCOUNT

    def unlink_nodes__waiting(self, s: bytearray, t: int) -> None:
        first = self.mutate == "discount_first"
        counted = s[self.subject(s, t) + COUNTED] if first else s[t + AT]
        s[WAITING] = (s[WAITING] - EACH * counted) % 256
        s[t + AT] = 0
        s[t] = UNCOUNT if first else self.unlinked(s, t)

    def unlinked(self, s: bytearray, t: int) -> int:
        s[t + AT] = 0
        if s[t + REAPS] == NONE:
            s[LOCK] = FREE
        return GIVE_BACK if self.mutate == "free_before_pop" else POP

    def wait_free__pop(self, s: bytearray, t: int) -> None:
        """Off the record before it is freed."""
        s[self.subject(s, t) + WAITS] = 0
        if self.mutate == "free_before_pop":
            self.taken_back(s, t)
        else:
            s[t] = GIVE_BACK

    def wait_free(self, s: bytearray, t: int) -> None:
        slot = self.subject(s, t)
        require(s[slot + BLOCK] == 1, TWICE)
        s[slot + BLOCK] = 0
        if self.mutate == "free_before_pop":
            s[t] = POP
        else:
            self.taken_back(s, t)

    def taken_back(self, s: bytearray, t: int) -> None:
        if s[t + REAPS] == NONE:
            s[t + LEFT] -= 1
            s[t] = BEGIN if s[t + LEFT] else OVER
        else:
            s[t + REAPS] = NONE
            s[t + AT], s[t + LEFT] = s[t + LEFT] >> 4, s[t + LEFT] & 15
            s[t] = ENTERED

    def die(self, s: bytearray, t: int) -> bool | None:
        if not s[DEATHS] or s[t] in (BEGIN, OVER, DEAD):
            return False
        s[DEATHS] -= 1
        if s[t] in LOCKED or s[t + REAPS] != NONE:
            s[LOCK] = ABANDONED
        s[t + LEFT] = s[t + AT] = 0
        s[t + REAPS] = NONE
        s[t] = DEAD
        return None


def own(t: int) -> range:
    """The nodes of a thread."""
    first = EACH * SLOTS.index(t)
    return range(first, first + EACH)


def reach(s: bytes | bytearray) -> Iterator[int]:
    """The nodes that a commit walks over; a ring would be walked for ever."""
    node, seen = s[BUCKET], set[int]()
    while node != NONE and node not in seen:
        seen.add(node)
        yield node
        node = s[NEXT + node]


MODELS = (Waiters,)
