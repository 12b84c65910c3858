"""Begin, look up, write, check, link, publish: the clock is the commit point.

Threads run transactions drawn from a menu, each as often as `left` says; after a conflict a thread
draws again, which allows every run that repeating the same block would.  Two keys x and y and the
structure cell n, whose value is the count of live keys.  A version is known by its `ts`, and a
chain is the set of its versions, as bits: that the order in a chain is the order of `ts` is shown
by `recovery` and `reclaim`, where chains are made of links.

Every action does at most one access to memory that others may change meanwhile.
"""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from .checker.layout import NONE
from .checker.model import Action, Model, action, require
from .commit_state import (
    ABSENT,
    AT,
    BEFORE,
    BIRTH,
    BLANK,
    CELLS,
    CHOOSE,
    CLOCK,
    COUNT,
    DEAD,
    DELETE,
    EXTEND,
    EXTEND_CHECK,
    FINISHED,
    FLAGS,
    LAYOUT,
    LEFT,
    LINK,
    LOCK,
    LOCKED,
    LOCKING,
    MENU,
    NAMES,
    NOTE,
    NOTED,
    NOTHING,
    OPACITY,
    OUTSIDE,
    OUTSIDE_CHECK,
    OUTSIDE_WANT,
    PENDING,
    PUBLISH,
    PUT,
    RECENT,
    RESUME,
    SEEN,
    SERIALISABLE,
    SNAPSHOT,
    STALE,
    STRUCTURE,
    TRIED,
    UNLOCK,
    UPDATE,
    WANTED,
    WRITTEN,
    N,
    Op,
    X,
    Y,
    extend,
    forget,
    has_read,
    holds_at,
    is_absent,
    newest,
    next_entry,
    require_one_moment,
    targets_hold,
    visible,
    writes,
)


class Commit(Model):
    """Transactions from one menu; subclasses give the menu."""

    layout = LAYOUT
    bounds = "3 threads, 2 keys, 2 transactions each"
    menu: ClassVar[Sequence[Sequence[Op]]] = ()
    present: ClassVar[Sequence[tuple[bool, bool]]] = ((True, True),)
    """Which of x and y are there at the start; one initial state for each pair."""
    outside: ClassVar[bool] = True
    """Whether the read set is checked before the lock is taken."""
    snapshot_isolation: ClassVar[bool] = False

    def __init__(self, mutate: str = "") -> None:
        super().__init__(mutate)
        program: list[list[Action]] = [[] for _ in range(MENU)]
        eager = {LOCKED, UNLOCK}
        for i, ops in enumerate(self.menu):
            begin = action(self.txn_begin, f"#{i}", first=len(program))
            program[CHOOSE].append(begin)
            program += [[self._operation(*op)] for op in ops]
            eager.add(len(program))
            program.append([action(self.txn_commit)])
        program[EXTEND] = [action(self.txn_extend__register)]
        program[EXTEND_CHECK] = [action(self.txn_extend__check)]
        program[OUTSIDE] = [action(self.check_outside__count)]
        program[OUTSIDE_WANT] = [action(self.check_outside__want)]
        program[OUTSIDE_CHECK] = [action(self.check_outside__check)]
        program[LOCKING] = [action(self.lock_acquire)]
        program[LOCKED] = [action(self.commit_locked)]
        program[LINK] = [action(self.link_version)]
        program[NOTE] = [action(self.note_recent)]
        program[PUBLISH] = [action(self.publish)]
        program[UNLOCK] = [action(self.lock_release)]
        self.program = program
        self.eager = frozenset(eager)

    def _operation(self, kind: str, k: int) -> Action:
        function = {
            "view": self.txn_view,
            "read": self.txn_lookup,
            "put": self.txn_put,
            "same": self.txn_put_same,
            "delete": self.txn_delete,
            "undo": self.txn_rollback,
        }[kind]
        return action(function, NAMES[k], k=k)

    def initial(self) -> Iterable[bytes]:
        for present in self.present:
            s = bytearray(LAYOUT.size)
            for k in (X, Y):
                s[WRITTEN + k] = int(present[k])
            s[WRITTEN + N] = 1
            s[COUNT] = sum(present)
            for t in LAYOUT.bases:
                s[t + LEFT] = self.transactions
                forget(s, t)
            yield bytes(s)

    def canonical(self, state: bytes) -> bytes:
        return LAYOUT.sort_threads(state)

    def done(self, state: bytes) -> bool:
        return all(state[t] == FINISHED for t in LAYOUT.bases)

    def broken(self, state: bytes) -> str | None:
        clock = state[CLOCK]
        live = sum(not is_absent(state, k, visible(state, k, clock)) for k in (X, Y))
        return None if state[COUNT + visible(state, N, clock)] == live else STRUCTURE

    # What the actions share.

    def unchanged(self, s: bytearray, t: int, k: int) -> bool:
        """txn_entry_unchanged: nothing newer than the snapshot stands in the cell."""
        if self.mutate == "absent_by_value" and is_absent(s, k, s[t + SEEN + k]):
            return is_absent(s, k, newest(s[WRITTEN + k]) if s[WRITTEN + k] else ABSENT)
        return newest(s[WRITTEN + k]) <= s[t + SNAPSHOT]

    def find_visible(self, s: bytearray, t: int, k: int) -> bool:
        """Make an entry for the cell; False if the snapshot has to be extended first."""
        snapshot = s[t + SNAPSHOT]
        if newest(s[WRITTEN + k]) > snapshot:
            entries = any(s[t + SEEN + j] != NONE for j in CELLS)
            fixed = k == N or self.snapshot_isolation or s[t + FLAGS] & TRIED
            if not fixed and (writes(s, t) or not entries):
                s[t + FLAGS] |= TRIED
                extend(s, t)
                return False
            s[t + FLAGS] |= STALE
        s[t + FLAGS] &= ~TRIED
        s[t + SEEN + k] = self.walk(s, k, snapshot)
        return True

    def walk(self, s: bytearray, k: int, snapshot: int) -> int:
        """Go down the chain to the version that the snapshot shows."""
        if self.mutate == "read_newest":
            snapshot = newest(s[WRITTEN + k])
        return visible(s, k, snapshot)

    # The transaction, up to its commit.

    def txn_begin(self, s: bytearray, t: int, first: int = 0) -> None:
        s[t + SNAPSHOT] = s[t + BIRTH] = s[CLOCK]
        s[t] = first

    def txn_view(self, s: bytearray, t: int, k: int = 0) -> None:
        """txn_lookup in a block that only reads: the snapshot stays what it is."""
        s[t + SEEN + k] = self.walk(s, k, s[t + SNAPSHOT])
        s[t + FLAGS] |= 1 << k
        require_one_moment(s, t, OPACITY)
        s[t] += 1

    def txn_lookup(self, s: bytearray, t: int, k: int = 0) -> None:
        if s[t + SEEN + k] == NONE and not self.find_visible(s, t, k):
            return
        if not s[t + PENDING + k]:
            s[t + FLAGS] |= 1 << k
        require_one_moment(s, t, OPACITY)
        s[t] += 1

    def looked_up(self, s: bytearray, t: int, k: int) -> bool:
        """The look-up that precedes a write."""
        return s[t + SEEN + k] != NONE or self.find_visible(s, t, k)

    def can_write(self, s: bytearray, t: int) -> bool:
        """check_writable: a first write after a stale read first extends the snapshot."""
        if s[t + FLAGS] & STALE and not self.snapshot_isolation:
            extend(s, t)
            return False
        return True

    def txn_put(self, s: bytearray, t: int, k: int = 0) -> None:
        if self.looked_up(s, t, k) and self.can_write(s, t):
            s[t + PENDING + k] = PUT
            s[t] += 1

    def txn_put_same(self, s: bytearray, t: int, k: int = 0) -> None:
        """Writing the value that is there already is a read."""
        if self.looked_up(s, t, k):
            s[t + FLAGS] |= 1 << k
            s[t] += 1

    def txn_rollback(self, s: bytearray, t: int, k: int = 0) -> None:
        """A nested block that wrote the key was left by an exception."""
        s[t + PENDING + k] = NOTHING
        s[t] += 1

    def txn_delete(self, s: bytearray, t: int, k: int = 0) -> None:
        """Deleting what is not there is a read."""
        if not self.looked_up(s, t, k):
            return
        if is_absent(s, k, s[t + SEEN + k]):
            s[t + FLAGS] |= 1 << k
        elif self.can_write(s, t):
            s[t + PENDING + k] = DELETE
        else:
            return
        s[t] += 1

    def txn_extend__register(self, s: bytearray, t: int) -> None:
        if self.mutate != "register_after_check":
            s[t + BEFORE] = s[CLOCK]
        s[t + AT] = X
        s[t] = EXTEND_CHECK
        if next_entry(s, t) > N:
            self.adopt(s, t)

    def txn_extend__check(self, s: bytearray, t: int) -> None:
        k = s[t + AT]
        if k <= N:
            if not self.unchanged(s, t, k) and self.mutate != "extend_unchecked":
                forget(s, t)
                return
            s[t + AT] += 1
            if next_entry(s, t) <= N or s[t + BEFORE] == NONE:
                return
        self.adopt(s, t)

    def adopt(self, s: bytearray, t: int) -> None:
        """The new snapshot counts; what was looked up but not read is looked up again."""
        if s[t + BEFORE] == NONE:  # only in the mutant that registers after the check
            s[t + BEFORE] = s[CLOCK]
        old, snapshot = s[t + SNAPSHOT], s[t + BEFORE]
        s[t + SNAPSHOT] = snapshot
        if self.mutate != "keep_unread_entries":
            for k in CELLS:
                if s[t + SEEN + k] != NONE and not has_read(s, t, k):
                    s[t + SEEN + k] = visible(s, k, snapshot)
        if not s[t + FLAGS] & TRIED:
            s[t + FLAGS] &= ~STALE
        elif snapshot != old:
            s[t + FLAGS] &= ~TRIED
        require_one_moment(s, t, OPACITY)
        s[t] = s[t + RESUME]
        s[t + BEFORE] = s[t + AT] = s[t + RESUME] = NONE

    # The commit section.

    def txn_commit(self, s: bytearray, t: int) -> None:
        if writes(s, t):
            s[t] = OUTSIDE if self.outside and s[CLOCK] != s[t + SNAPSHOT] else LOCKING
            return
        require_one_moment(s, t, SERIALISABLE)
        s[t + LEFT] -= 1
        forget(s, t)

    def check_outside__count(self, s: bytearray, t: int) -> None:
        if self.mutate != "count_after_check":
            s[t + BEFORE] = s[NOTED]
        s[t + AT] = X
        next_entry(s, t)
        s[t] = OUTSIDE_WANT

    def check_outside__want(self, s: bytearray, t: int) -> None:
        """The next cell is to be written down; a commit that is under way may not see it."""
        s[WANTED] = s[NOTED if s[t + BEFORE] == NONE else t + BEFORE] + 1
        s[t] = OUTSIDE_CHECK if s[t + AT] <= N else LOCKING

    def check_outside__check(self, s: bytearray, t: int) -> None:
        k = s[t + AT]
        if k <= N:
            if not self.unchanged(s, t, k):
                forget(s, t)
                return
            s[t + AT] += 1
            if next_entry(s, t) <= N or s[t + BEFORE] == NONE:
                return
        if s[t + BEFORE] == NONE:
            s[t + BEFORE] = s[NOTED]
        s[t] = LOCKING

    def lock_acquire(self, s: bytearray, t: int) -> bool | None:
        if s[LOCK] and self.mutate != "no_lock":
            return False
        s[LOCK] = 1
        s[t] = LOCKED
        return None

    def commit_locked(self, s: bytearray, t: int) -> None:
        if not (self.reads_valid(s, t) and self.targets_valid(s, t)):
            s[LOCK] = 0
            forget(s, t)
            return
        self.settle_count(s, t)
        s[t + AT] = next(k for k in CELLS if s[t + PENDING + k])
        first = {"publish_before_link": PUBLISH, "note_before_link": NOTE}
        s[t] = first.get(self.mutate, LINK)

    def reads_valid(self, s: bytearray, t: int) -> bool:
        """check_reads, or check_recent: only the cells noted since the check outside."""
        alone, before = s[CLOCK] == s[t + SNAPSHOT], s[t + BEFORE]
        if alone or self.snapshot_isolation or self.mutate == "skip_check":
            return True
        blank = s[BLANK] > before and self.mutate != "blank_ignored"
        return all(
            self.unchanged(s, t, k)
            for k in CELLS
            if has_read(s, t, k)
            and (before == NONE or blank or s[RECENT + k] > before)
            and (k != N or self.mutate != "count_unchecked")
        )

    def targets_valid(self, s: bytearray, t: int) -> bool:
        """check_writes: the keys written are as present or absent as the block assumed."""
        mutant = self.mutate == "skip_check_writes"
        return mutant or targets_hold(s, t, isolated=self.snapshot_isolation)

    def settle_count(self, s: bytearray, t: int) -> None:
        """Add what the block assumed to change to the count of now."""
        if self.mutate == "skip_structure":
            return
        change = 0
        for k in (X, Y):
            if s[t + PENDING + k]:
                was = not is_absent(s, k, s[t + SEEN + k])
                change += (s[t + PENDING + k] == PUT) - was
        if change:
            at = s[t + SNAPSHOT] if self.mutate == "count_at_snapshot" else s[CLOCK]
            s[t + PENDING + N] = PUT
            s[COUNT + s[CLOCK] + 1] = (s[COUNT + visible(s, N, at)] + change) % 8

    def link_version(self, s: bytearray, t: int) -> None:
        k = s[t + AT]
        late = self.mutate == "publish_before_link"
        ts = s[CLOCK] + (not late)
        s[WRITTEN + k] |= 1 << ts
        if s[t + PENDING + k] == DELETE:
            s[DEAD + k] |= 1 << ts
        noted = not self.outside or self.mutate == "note_before_link"
        s[t] = self.after_link(s, t) if noted else NOTE

    def after_link(self, s: bytearray, t: int) -> int:
        """Where to go when a version is linked: to the next, or to the commit point."""
        rest = [k for k in CELLS if k > s[t + AT] and s[t + PENDING + k]]
        if rest:
            s[t + AT] = rest[0]
            return NOTE if self.mutate == "note_before_link" else LINK
        return UNLOCK if self.mutate == "publish_before_link" else PUBLISH

    def note_recent(self, s: bytearray, t: int) -> None:
        """Count the cell, and write it down if a check outside wants it."""
        wanted = s[NOTED] < s[WANTED]
        s[NOTED] += 1
        s[RECENT + s[t + AT] if wanted else BLANK] = s[NOTED]
        s[t] = LINK if self.mutate == "note_before_link" else self.after_link(s, t)

    def publish(self, s: bytearray, t: int) -> None:
        before = s[CLOCK]
        for k in (X, Y):
            if s[t + PENDING + k] and (has_read(s, t, k) or self.snapshot_isolation):
                require(visible(s, k, before) == s[t + SEEN + k], UPDATE)
        require(self.snapshot_isolation or holds_at(s, t, before), SERIALISABLE)
        s[CLOCK] += 1
        s[t] = LINK if self.mutate == "publish_before_link" else UNLOCK

    def lock_release(self, s: bytearray, t: int) -> None:
        s[LOCK] = 0
        s[t + LEFT] -= 1
        forget(s, t)
