"""The state of the models of reclamation."""

from .checker.layout import Layout
from .checker.memory import StoreBuffer

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
