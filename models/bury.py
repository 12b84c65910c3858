"""Dead cells: a key that is absent for all loses its cell while transactions remember it.

Three threads put and delete keys; whoever commits may sweep, marks cells DEAD that are absent at
every registered snapshot, takes them out of the index, and frees them when no transaction of that
time is left.  Chains are sets of `ts`, as in `commit`; that registering is safe, and
that `reading` protects blocks which only read, is shown by `reclaim`; here to register is one
action.  Cells are never used again, so that touching a freed one is
seen.
"""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from .checker.layout import NONE, Layout
from .checker.model import Action, Model, action, require

X, Y = KEYS = range(2)
CELLS = 5
ABSENT = 254
NOTHING, PUT, DELETE = range(3)
UNUSED, LINKED, DEAD, FREED, LIMBO = range(5)
"""State of a cell; LIMBO + e is limbo with tag e (and DEAD)."""

LAYOUT = Layout(
    f"clock epoch lock index[x y] written[{CELLS}] tomb[{CELLS}] state[{CELLS}]"
    " history[x y] gone[x y] needed safe victim",
    "pc left looked snapshot txn_epoch cell[x y] live read pending[x y] at",
    threads=3,
)
CLOCK, EPOCH, LOCK, INDEX, WRITTEN, TOMB, STATE, HISTORY, GONE, *SWEEP = LAYOUT.shared
NEEDED, SAFE, VICTIM = SWEEP
PC, LEFT, LOOKED, SNAPSHOT, TXN_EPOCH, CELL, LIVE, READ, PENDING, AT = LAYOUT.record

(
    CHOOSE,
    LOCKING,
    LOCKED,
    LINK,
    PUBLISH,
    AFTER,
    LOOK,
    COLLECT,
    MARK,
    REMOVE,
    NEXT_EPOCH,
    UNLOCK,
    OVER,
    MENU,
) = range(14)

USE_AFTER_FREE = "no transaction touches a freed cell"
FOUND = "a look-up shows what the snapshot holds"
SERIALISABLE = "strict serialisability"
LOST = "what was committed can be found"

type Op = tuple[str, int]


def live_at(written: int, tomb: int, snapshot: int) -> bool:
    """Whether the newest version up to the snapshot is there and no tombstone."""
    ts = (written & ((2 << snapshot) - 1)).bit_length() - 1
    return ts >= 0 and not tomb >> ts & 1


class Bury(Model):
    """Two keys: x comes and goes, y is written by those that looked at x."""

    name = "bury"
    bounds = "3 threads, 2 keys, 2 transactions each, a sweep after any commit"
    layout = LAYOUT
    menu: ClassVar[Sequence[Sequence[Op]]] = (
        (("write", X), ("put", X)),
        (("write", X), ("delete", X)),
        (("read", X), ("put", Y)),
    )

    def __init__(self, mutate: str = "") -> None:
        super().__init__(mutate)
        program: list[list[Action]] = [[] for _ in range(MENU)]
        eager = {LOCKED, COLLECT, MARK, NEXT_EPOCH, UNLOCK}
        for i, ops in enumerate(self.menu):
            program[CHOOSE].append(action(self.txn_begin, f"#{i}", first=len(program)))
            for kind, k in ops:
                if kind in ("put", "delete"):
                    eager.add(len(program))
                    program.append([action(getattr(self, f"txn_{kind}"), "xy"[k], k=k)])
                else:
                    program.append([action(self.index_find, "xy"[k], k=k)])
                    program.append([action(self.visible, "xy"[k], k=k, read=kind == "read")])
            eager.add(len(program))
            program.append([action(self.txn_commit)])
        program[LOCKING] = [action(self.lock_acquire)]
        program[LOCKED] = [action(self.commit_locked)]
        program[LINK] = [action(self.link_version)]
        program[PUBLISH] = [action(self.publish)]
        program[AFTER] = [action(self.lock_release), action(self.sweep)]
        program[LOOK] = [action(self.slots_look, r=r) for r in LAYOUT.bases]
        program[COLLECT] = [action(self.collect)]
        program[MARK] = [action(self.bury__mark)]
        program[REMOVE] = [action(self.bury__index_remove)]
        program[NEXT_EPOCH] = [action(self.sweep__epoch)]
        program[UNLOCK] = [action(self.lock_release)]
        self.program = program
        self.eager = frozenset(eager)

    def initial(self) -> Iterable[bytes]:
        s = bytearray(LAYOUT.size)
        s[EPOCH] = 1
        s[INDEX + X], s[INDEX + Y] = 0, 1
        for k in KEYS:
            s[WRITTEN + k] = s[HISTORY + k] = 1
            s[STATE + k] = LINKED
        s[VICTIM] = NONE
        for t in LAYOUT.bases:
            s[t + LEFT] = self.transactions
            self.forget(s, t)
        yield bytes(s)

    def canonical(self, state: bytes) -> bytes:
        return LAYOUT.sort_threads(state)

    def done(self, state: bytes) -> bool:
        return all(state[t] == OVER for t in LAYOUT.bases)

    def broken(self, state: bytes) -> str | None:
        clock = state[CLOCK]
        for k in KEYS:
            cell = state[INDEX + k]
            found = cell != NONE and live_at(state[WRITTEN + cell], state[TOMB + cell], clock)
            if found != live_at(state[HISTORY + k], state[GONE + k], clock):
                return LOST
        return None

    # What the actions share.

    def forget(self, s: bytearray, t: int) -> None:
        """slot_unregister, and the end of the attempt."""
        s[t + SNAPSHOT : t + LAYOUT.width] = bytes(LAYOUT.width - SNAPSHOT)
        for field in (SNAPSHOT, CELL, CELL + 1, AT):
            s[t + field] = NONE
        s[t] = CHOOSE if s[t + LEFT] else OVER

    def touch(self, s: bytearray, cell: int) -> None:
        require(s[STATE + cell] != FREED, USE_AFTER_FREE)

    def is_dead(self, s: bytearray, cell: int) -> bool:
        return s[STATE + cell] == DEAD or s[STATE + cell] >= LIMBO

    # The transaction.

    def txn_begin(self, s: bytearray, t: int, first: int = 0) -> None:
        """Announce the epoch, then register; an epoch loaded earlier would only protect more."""
        if self.mutate != "no_txn_epoch":
            s[t + TXN_EPOCH] = s[EPOCH]
        s[t + SNAPSHOT] = s[CLOCK]
        s[t] = first

    def index_find(self, s: bytearray, t: int, k: int = 0) -> None:
        cell = s[INDEX + k]
        s[t + CELL + k] = ABSENT if cell == NONE else cell
        s[t] += 1

    def visible(self, s: bytearray, t: int, k: int = 0, read: int = 0) -> None:
        cell, snapshot = s[t + CELL + k], s[t + SNAPSHOT]
        live = False
        if cell != ABSENT:
            self.touch(s, cell)
            live = live_at(s[WRITTEN + cell], s[TOMB + cell], snapshot)
        require(live == live_at(s[HISTORY + k], s[GONE + k], snapshot), FOUND)
        s[t + LIVE] |= live << k
        s[t + READ] |= read << k
        s[t] += 1

    def txn_put(self, s: bytearray, t: int, k: int = 0) -> None:
        if k == Y:  # is never deleted: when it is looked up makes no difference
            s[t + CELL + Y] = s[INDEX + Y]
            s[t + LIVE] |= 1 << Y
        s[t + PENDING + k] = PUT
        s[t] += 1

    def txn_delete(self, s: bytearray, t: int, k: int = 0) -> None:
        if s[t + LIVE] >> k & 1:
            s[t + PENDING + k] = DELETE
        s[t] += 1

    def txn_commit(self, s: bytearray, t: int) -> None:
        if any(s[t + PENDING : t + PENDING + 2]):
            s[t] = LOCKING
        else:
            s[t + LEFT] -= 1
            self.forget(s, t)

    # The commit section.

    def lock_acquire(self, s: bytearray, t: int) -> bool | None:
        if s[LOCK]:
            return False
        s[LOCK] = 1
        s[t] = LOCKED
        return None

    def commit_locked(self, s: bytearray, t: int) -> None:
        if not all(self.entry_valid(s, t, k) for k in KEYS if s[t + CELL + k] != NONE):
            s[LOCK] = 0
            self.forget(s, t)
            return
        s[t + AT] = next(k for k in KEYS if s[t + PENDING + k])
        s[t] = LINK

    def entry_valid(self, s: bytearray, t: int, k: int) -> bool:
        """check_reads and check_writes for one entry."""
        cell = s[t + CELL + k]
        if cell == ABSENT:
            cell = s[INDEX + k]
            if cell == NONE or self.mutate == "fresh_unchecked":
                return True
        self.touch(s, cell)
        if self.is_dead(s, cell) and self.mutate != "dead_unchecked":
            return False
        if s[t + READ] >> k & 1:
            return s[WRITTEN + cell].bit_length() - 1 <= s[t + SNAPSHOT]
        live = live_at(s[WRITTEN + cell], s[TOMB + cell], s[CLOCK])
        return live == bool(s[t + LIVE] >> k & 1)

    def link_version(self, s: bytearray, t: int) -> None:
        k, ts = s[t + AT], s[CLOCK] + 1
        cell = s[t + CELL + k]
        if cell == ABSENT:
            cell = s[INDEX + k]
            if cell == NONE or self.mutate == "fresh_unchecked":
                cell = s.index(UNUSED, STATE, STATE + CELLS) - STATE
                s[STATE + cell] = LINKED
                s[INDEX + k] = cell
        s[WRITTEN + cell] |= 1 << ts
        s[HISTORY + k] |= 1 << ts
        if s[t + PENDING + k] == DELETE:
            s[TOMB + cell] |= 1 << ts
            s[GONE + k] |= 1 << ts
        s[t] = PUBLISH

    def publish(self, s: bytearray, t: int) -> None:
        """The clock moves; then the owner unregisters."""
        before = s[CLOCK]
        for k in KEYS:
            if s[t + READ] >> k & 1:
                now = live_at(s[HISTORY + k], s[GONE + k], before)
                require(now == bool(s[t + LIVE] >> k & 1), SERIALISABLE)
        s[CLOCK] += 1
        s[t + LEFT] -= 1
        self.forget(s, t)
        s[t] = AFTER

    def lock_release(self, s: bytearray, t: int) -> None:
        s[LOCK] = 0
        s[t] = CHOOSE if s[t + LEFT] else OVER

    # The sweep.

    def sweep(self, s: bytearray, t: int) -> bool | None:
        if not self.worth_sweeping(s):
            return False
        s[SAFE] = NONE
        s[t + LOOKED] = 1
        s[t] = LOOK
        return None

    def worth_sweeping(self, s: bytearray) -> bool:
        """Other sweeps change nothing."""
        if any(state >= LIMBO for state in s[STATE : STATE + CELLS]):
            return True
        cells = [s[INDEX + k] for k in KEYS if s[INDEX + k] != NONE]
        return not all(live_at(s[WRITTEN + cell], s[TOMB + cell], s[CLOCK]) for cell in cells)

    def slots_look(self, s: bytearray, t: int, r: int = 0) -> bool | None:
        if s[r + LOOKED]:
            return False
        s[r + LOOKED] = 1
        if s[r + SNAPSHOT] != NONE:
            s[NEEDED] |= 1 << s[r + SNAPSHOT]
        s[SAFE] = min(s[SAFE], s[r + TXN_EPOCH] or NONE)
        if all(s[q + LOOKED] for q in LAYOUT.bases):
            for q in LAYOUT.bases:
                s[q + LOOKED] = 0
            s[t] = COLLECT
        return None

    def collect(self, s: bytearray, t: int) -> None:
        """Free what is safe, then choose the cell to bury, if there is one."""
        for cell in range(CELLS):
            if LIMBO <= s[STATE + cell] < LIMBO + s[SAFE]:
                s[STATE + cell] = FREED
        needed = [ts for ts in range(8) if s[NEEDED] >> ts & 1] + [s[CLOCK]]
        if self.mutate == "absent_now":
            needed = [s[CLOCK]]
        s[NEEDED] = s[SAFE] = 0
        s[t] = UNLOCK
        for k in KEYS:
            cell = s[INDEX + k]
            if cell != NONE and not any(
                live_at(s[WRITTEN + cell], s[TOMB + cell], ts) for ts in needed
            ):
                s[VICTIM] = k
                s[t] = MARK

    def bury__mark(self, s: bytearray, t: int) -> None:
        s[STATE + s[INDEX + s[VICTIM]]] = DEAD
        s[t] = REMOVE

    def bury__index_remove(self, s: bytearray, t: int) -> None:
        cell = s[INDEX + s[VICTIM]]
        s[INDEX + s[VICTIM]] = NONE
        s[STATE + cell] = FREED if self.mutate == "no_limbo" else LIMBO + s[EPOCH]
        s[VICTIM] = NONE
        s[t] = NEXT_EPOCH

    def sweep__epoch(self, s: bytearray, t: int) -> None:
        s[EPOCH] += 1
        s[t] = UNLOCK


MODELS = (Bury,)
