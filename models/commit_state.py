"""The state of the commit's models, and what can be read off it."""

from .checker.layout import NONE, Layout
from .checker.model import require

ABSENT = 254
"""What a look-up saw where there was no version, or none old enough."""
X, Y, N = CELLS = range(3)
NAMES = ("x", "y", "n")
NOTHING, PUT, DELETE = range(3)
STALE = 8
"""Bit of `flags`: a newer version was passed over. The bits below say which cells were read."""
TRIED = 16
"""Bit of `flags`: the look-up has extended the snapshot, and it has not moved."""

LAYOUT = Layout(
    "clock lock written[x y n] dead[x y] noted wanted blank recent[x y n] count[8]",
    "pc left snapshot birth seen[x y n] before at resume flags pending[x y n]",
    threads=3,
)
CLOCK, LOCK, WRITTEN, DEAD, NOTED, WANTED, BLANK, RECENT, COUNT = LAYOUT.shared
PC, LEFT, SNAPSHOT, BIRTH, SEEN, BEFORE, AT, RESUME, FLAGS, PENDING = LAYOUT.record

CHOOSE, EXTEND, EXTEND_CHECK, OUTSIDE, OUTSIDE_CHECK, LOCKING, LOCKED = range(7)
LINK, NOTE, PUBLISH, UNLOCK, FINISHED, OUTSIDE_WANT, MENU = range(7, 14)

OPACITY = "opacity"
SERIALISABLE = "strict serialisability"
UPDATE = "no lost update"
STRUCTURE = "the structure cell counts the live keys"

type Op = tuple[str, int]


def newest(mask: int) -> int:
    """The `ts` of the newest version in a set of versions, or -1."""
    return mask.bit_length() - 1


def visible(s: bytes | bytearray, k: int, snapshot: int) -> int:
    """What a look-up of cell k at a snapshot finds: a `ts` or ABSENT."""
    ts = newest(s[WRITTEN + k] & ((2 << snapshot) - 1))
    return ABSENT if ts < 0 else ts


def is_absent(s: bytes | bytearray, k: int, seen: int) -> bool:
    """Whether that version means that the key is not there."""
    return seen == ABSENT or (k != N and bool(s[DEAD + k] >> seen & 1))


def targets_hold(s: bytearray, t: int, *, isolated: bool) -> bool:
    """Whether each key written is as present or absent as it was; `isolated`: and as old."""
    for k in (X, Y):
        if s[t + PENDING + k]:
            if isolated and newest(s[WRITTEN + k]) > s[t + SNAPSHOT]:
                return False
            now = visible(s, k, s[CLOCK])
            if is_absent(s, k, now) != is_absent(s, k, s[t + SEEN + k]):
                return False
    return True


def has_read(s: bytearray, t: int, k: int) -> bool:
    return bool(s[t + FLAGS] >> k & 1)


def writes(s: bytearray, t: int) -> bool:
    return bool(s[t + PENDING] or s[t + PENDING + 1])


def forget(s: bytearray, t: int) -> None:
    """End of an attempt: nothing seen, nothing written."""
    s[t + SNAPSHOT : t + FLAGS] = bytes((NONE,)) * (FLAGS - SNAPSHOT)
    s[t + FLAGS : t + LAYOUT.width] = bytes(LAYOUT.width - FLAGS)
    s[t] = CHOOSE if s[t + LEFT] else FINISHED


def extend(s: bytearray, t: int) -> None:
    """Call txn_extend and come back to the action we are in."""
    s[t + RESUME] = s[t]
    s[t] = EXTEND


def next_entry(s: bytearray, t: int) -> int:
    """Move `at` to the next cell that was read; 3 at the end."""
    k = s[t + AT]
    while k <= N and not has_read(s, t, k):
        k += 1
    s[t + AT] = k
    return k


def holds_at(s: bytearray, t: int, moment: int) -> bool:
    """Whether everything the transaction has read is what the state at `moment` says."""
    for k in CELLS:
        if has_read(s, t, k):
            seen, then = s[t + SEEN + k], visible(s, k, moment)
            if then != seen and not (is_absent(s, k, seen) and is_absent(s, k, then)):
                return False
    return True


def require_one_moment(s: bytearray, t: int, prop: str) -> None:
    """The reads of the attempt agree with one moment since it began."""
    moments = range(s[t + BIRTH], s[CLOCK] + 1)
    require(any(holds_at(s, t, moment) for moment in moments), prop)
