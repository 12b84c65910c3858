"""The state of the models of recovery, and what can be read off it."""

from .checker.layout import NONE, Layout

X, Y = KEYS = range(2)
EACH = 6
VERSIONS = 2 + 3 * EACH
"""Two to begin with, and those that each thread has in its magazine."""
NEVER = 254
"""`ts` of a version that is not published: newer than every clock."""
UNUSED, OWNED, LIMBO = range(3)
"""State of a version; OWNED by a slot or a chain."""

LAYOUT = Layout(
    f"clock lock generation linking deaths claims head[x y] shown[x y]"
    f" prev[{VERSIONS}] ts[{VERSIONS}] state[{VERSIONS}]",
    "pc left owner generation count pending[x y] seen seen_generation at",
    threads=3,
)
CLOCK, LOCK, LOCK_GENERATION, LINKING, DEATHS, CLAIMS, HEAD, SHOWN, PREV, TS, STATE = LAYOUT.shared
PC, LEFT, OWNER, GENERATION, COUNT, PENDING, SEEN, SEEN_GENERATION, AT = LAYOUT.record
SLOTS = LAYOUT.bases

BEGIN, LOCKING, TAKING, ENTERED, LINK, LINK_HEAD, PUBLISH, COUNTED, CLEAR, UNLOCK = range(10)
FINISH, BACK, FORGET, RETIRE, REPAIRED, REAP, SWAP, DISCARD, FREE, RELEASE, OVER, DEAD = range(
    10, 22
)
OWNING = frozenset(range(ENTERED, REAP))

ATOMIC = "what is shown is what was committed, whole"
TWICE = "nothing is freed twice, or while it is linked"
ALONE = "the lock has one living owner"


def own_name(s: bytes | bytearray, t: int) -> int:
    """The process of a thread: another one each time that its slot is claimed."""
    return SLOTS.index(t) + len(SLOTS) * s[t + GENERATION]


def is_dead(s: bytes | bytearray, slot: int) -> bool:
    """slot_dead: the process that owns the slot, its first one or a reaper, has ended."""
    owner = s[slot + OWNER]
    if owner == NONE:
        return False
    generation, number = divmod(owner, len(SLOTS))
    process = SLOTS[number]
    return s[process] == DEAD or s[process + GENERATION] != generation


def reaps_locked(s: bytes, t: int) -> bool:
    """Whether the thread holds the lock while it reaps."""
    return s[t] == REAP or (SWAP <= s[t] <= RELEASE and s[t + AT] == REAP)
