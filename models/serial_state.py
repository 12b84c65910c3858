"""What a state of the lock is made of, and which states are the same but for names."""

from collections.abc import Sequence

from .checker.layout import Layout
from .checker.symmetry import Named

LAYOUT = Layout("lock urgent deaths give_ups", "pc left kind serial slept seen stale grace wake", 3)
LOCK, URGENT, DEATHS, GIVE_UPS = LAYOUT.shared
PC, LEFT, KIND, SERIAL, SLEPT, SEEN, STALE, GRACE, WAKE = LAYOUT.record
SLOTS = LAYOUT.bases
WAITERS = 1
"""Bit of the lock word; the rest is twice the number of the owner's slot, counted from 1."""
ORDINARY, SERIALLY, AWAIT = range(3)
SOMEONE, EVERYONE = 1, 2
"""Who is woken, of those who sleep on the lock."""

CHOOSE, RUN, ANNOUNCE, PASS, TO_PASS, TAKE, FOR_OWNER, SET_BIT, FUTEX, ON_LOCK = range(10)
ON_URGENT, GIVE_UP, LEAVE, TIME_OUT, GOT, GOT_WAKE, BODY, LOCKED, UNLOCK = range(10, 19)
UNLOCK_WAKE, REGISTER, PARK, PARK_WAKE, SLEEP, OVER, DEAD = range(19, 26)
ACQUIRES = frozenset(range(ANNOUNCE, GOT)) - {TIME_OUT}
SAW = frozenset((SET_BIT, FUTEX))
"""Where `seen` is what the thread saw in the lock word."""
OWNS = frozenset((GOT, GOT_WAKE, BODY, LOCKED, UNLOCK, PARK))

ARRIVES = "who waits for the lock gets it, or gives up"
LOST = "no wake-up is lost"
WINS = "a serial block cannot conflict"
UPDATE = "no commit on what has changed"
AWAKE = "nobody sleeps with the lock"
ONCE = "others go ahead of an urgent block at most once each"
ALONE = "the lock has one owner"


def number(t: int) -> int:
    return SLOTS.index(t) + 1


def owns(s: bytes, t: int) -> bool:
    return s[t] in OWNS and (s[t] != GOT_WAKE or s[t + SEEN] == GOT)


def described(s: bytes, t: int, index: int) -> tuple[bool, bool, bytes]:
    """A thread without the names of others: the lock word, where it has seen it, is one."""
    seen = b"" if s[t] in SAW else s[t + SEEN : t + SEEN + 1]
    rest = s[t : t + SEEN] + s[t + STALE : t + LAYOUT.width]
    return s[LOCK] >> 1 == index + 1, s[URGENT] == index + 1, rest + seen


def rename(s: bytearray, new: Sequence[int]) -> None:
    """Names owners anew in all words that name one."""
    for word in (LOCK, *(t + SEEN for t in SLOTS if s[t] in SAW)):
        if owner := s[word] >> 1:
            s[word] = (new[owner - 1] + 1) << 1 | s[word] & WAITERS
    if s[URGENT]:
        s[URGENT] = new[s[URGENT] - 1] + 1


SYMMETRY = Named(LAYOUT, described, rename)
