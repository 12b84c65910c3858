"""The commit log and durable acknowledgement: a commit, the keeper, a sync, who is told.

Threads put or read; the first record is the keeper.  A commit appends its record under the lock
after the clock has moved; the keeper takes all that is there, writes and syncs it, says how far it
has got (`durable`), and passes it.  A block is acknowledged when what it wrote and what it read is
durable.  Threads die at any step, the keeper too, and is replaced.  A power cut keeps what was
synced, and perhaps more of what was written, in order: so the properties speak of every state.
The log and its followers are those of `log.c`; the acknowledgement is modelled as it is designed.
"""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from .checker.layout import Layout
from .checker.model import Action, Eventually, Model, action

X, Y = range(2)
COMMITS = 4

LAYOUT = Layout(
    f"clock lock linking durable poisoned acked last[x y] log[{COMMITS}] end kept"
    f" author[{COMMITS + 1}] disk[{COMMITS + 1}] synced lost deaths faults",
    "pc left key ts resume",
    threads=3,
)
CLOCK, LOCK, LINKING, DURABLE, POISONED, ACKED, LAST, LOG, END, KEPT, *DISKS = LAYOUT.shared
AUTHOR, DISK, SYNCED, SPOILT, DEATHS, FAULTS = DISKS
PC, LEFT, KEY, TS, RESUME = LAYOUT.record
KEEPER, *SLOTS = LAYOUT.bases
FREE, HELD, ABANDONED = range(3)

CHOOSE, COMMIT, STAMP, PUBLISH, APPEND, CLEAR, UNLOCK, LOOK, FUTEX, SLEEP = range(10)
RECOVER, TAKE, WRITE, SYNC, TELL, WAKE, PASS, STOPPED, OVER, DEAD = range(10, 20)
LOCKED = frozenset((STAMP, PUBLISH, APPEND, CLEAR, UNLOCK, RECOVER))
WAITS = frozenset((LOOK, FUTEX, SLEEP))

ACKNOWLEDGED = "what was acknowledged outlives a power cut"
COMMITTED = "what is on disk was committed, and nothing is missing before it"
TOLD = "who waits is told in the end"


class Durable(Model):
    """A thread and the keeper may die."""

    name = "durable"
    bounds = "2 threads and the keeper, 2 keys, 1 transaction each, 2 deaths, a sync that fails"
    layout = LAYOUT
    transactions = 1
    unfair = frozenset(("die", "keeper.sync fails"))
    deaths: ClassVar[int] = 2
    faults: ClassVar[int] = 1

    def __init__(self, mutate: str = "") -> None:
        super().__init__(mutate)
        program: list[list[Action]] = [[] for _ in range(DEAD + 1)]
        program[CHOOSE] = [
            action(self.txn_lookup, "x"),
            action(self.txn_put, "x", key=X),
            action(self.txn_put, "y", key=Y),
        ]
        program[COMMIT] = [action(self.lock_acquire)]
        program[RECOVER] = [action(self.log_recover)]
        program[STAMP] = [action(self.log_stamp)]
        program[PUBLISH] = [action(self.publish)]
        program[APPEND] = [action(self.log_append)]
        program[CLEAR] = [action(self.publish__clear)]
        program[UNLOCK] = [action(self.lock_release)]
        program[LOOK] = [action(self.durable_wait__look)]
        program[FUTEX] = [action(self.platform_futex_wait)]
        program[TAKE] = [action(self.keeper__take), action(self.log_sleep__help)]
        program[WRITE] = [action(self.keeper__write)]
        program[SYNC] = [action(self.keeper__sync), action(self.keeper__sync_fails)]
        program[TELL] = [action(self.keeper__tell)]
        program[WAKE] = [action(self.keeper__wake)]
        program[PASS] = [action(self.log_pass)]
        program[DEAD] = [action(self.log_follow)]
        self.program = program
        self.anywhere = [action(self.die)]

    def initial(self) -> Iterable[bytes]:
        s = bytearray(LAYOUT.size)
        s[DEATHS], s[FAULTS] = self.deaths, self.faults
        s[KEEPER] = TAKE
        for t in SLOTS:
            s[t + LEFT] = self.transactions
        yield bytes(s)

    def done(self, state: bytes) -> bool:
        """Who sleeps for ever is found by `TOLD`."""
        return all(state[t] in (OVER, DEAD, SLEEP) for t in SLOTS)

    def broken(self, state: bytes) -> str | None:
        disk = state[DISK : DISK + COMMITS + 1]
        written = max((ts for ts in range(COMMITS + 1) if disk[ts]), default=0)
        if disk[1 : written + 1] != state[AUTHOR + 1 : AUTHOR + written + 1]:
            return COMMITTED
        return ACKNOWLEDGED if state[ACKED] > state[SYNCED] else None

    def eventually(self) -> Sequence[Eventually]:
        """For one thread, as all run the same program."""
        t = SLOTS[0]
        return (Eventually(TOLD, lambda s: s[t] in WAITS, lambda s: s[t] not in WAITS),)

    # A block.

    def finish(self, s: bytearray, t: int) -> None:
        s[t + LEFT] -= 1
        s[t + KEY] = s[t + TS] = s[t + RESUME] = 0
        s[t] = CHOOSE if s[t + LEFT] else OVER

    def txn_lookup(self, s: bytearray, t: int) -> bool | None:
        """A block that only reads waits for what it has read."""
        if t == KEEPER:
            return False
        s[t + TS] = s[LAST + X]
        s[t] = LOOK
        if self.mutate == "reads_at_once":
            s[ACKED] = max(s[ACKED], s[t + TS])
            self.finish(s, t)
        return None

    def txn_put(self, s: bytearray, t: int, key: int = X) -> bool | None:
        """log_prepare; nothing is written to a store that is poisoned."""
        if t == KEEPER or s[POISONED]:
            return False
        s[t + KEY] = key
        s[t] = COMMIT
        return None

    def lock_acquire(self, s: bytearray, t: int) -> bool | None:
        if s[LOCK] == HELD:
            return False
        s[LOCK] = HELD
        s[t] = RECOVER if s[LINKING] else STAMP
        return None

    def log_recover(self, s: bytearray, t: int) -> None:
        """The record of a dead owner joins the log if its commit was published."""
        self.recover(s)
        s[t] = STAMP

    def recover(self, s: bytearray) -> None:
        dead = LAYOUT.bases[s[LINKING]]
        published = s[dead + TS] <= s[CLOCK] or self.mutate == "log_unpublished"
        there = any(s[LOG + i] and s[LOG + i] >> 4 == s[dead + TS] for i in range(s[END]))
        if published and not there and self.mutate != "log_forget":
            self.append(s, s[LINKING], s[dead + TS])
        s[LINKING] = 0

    def append(self, s: bytearray, author: int, ts: int) -> None:
        s[LOG + s[END]] = ts << 4 | author
        s[END] += 1

    def log_stamp(self, s: bytearray, t: int) -> None:
        s[t + TS] = s[CLOCK] + 1
        s[LINKING] = LAYOUT.bases.index(t)
        s[t] = APPEND if self.mutate == "log_before_clock" else PUBLISH

    def publish(self, s: bytearray, t: int) -> None:
        """THE commit point."""
        s[CLOCK] += 1
        s[AUTHOR + s[CLOCK]] = LAYOUT.bases.index(t)
        s[LAST + s[t + KEY]] = s[CLOCK]
        s[t] = CLEAR if self.mutate in ("log_before_clock", "log_unlocked") else APPEND

    def log_append(self, s: bytearray, t: int) -> None:
        self.append(s, LAYOUT.bases.index(t), s[t + TS])
        s[t] = {"log_before_clock": PUBLISH, "log_unlocked": LOOK}.get(self.mutate, CLEAR)

    def publish__clear(self, s: bytearray, t: int) -> None:
        s[LINKING] = 0
        s[t] = UNLOCK

    def lock_release(self, s: bytearray, t: int) -> None:
        s[LOCK] = FREE
        s[t] = APPEND if self.mutate == "log_unlocked" else LOOK

    def durable_wait__look(self, s: bytearray, t: int) -> None:
        if s[DURABLE] >= s[t + TS]:
            s[ACKED] = max(s[ACKED], s[t + TS])
            self.finish(s, t)
        elif s[POISONED] and self.mutate != "poison_unseen":
            self.finish(s, t)  # CommitUnknown
        else:
            s[t + RESUME] = s[DURABLE] << 1 | s[POISONED]
            s[t] = FUTEX

    def platform_futex_wait(self, s: bytearray, t: int) -> None:
        """The word changes with `durable` and with `poisoned`."""
        same = s[t + RESUME] == s[DURABLE] << 1 | s[POISONED]
        s[t] = SLEEP if same or self.mutate == "sleep_uncompared" else LOOK
        s[t + RESUME] = 0

    # The keeper; `ts` is the end of its group, `key` where in the log it began.

    def keeper__take(self, s: bytearray, t: int) -> bool | None:
        """All that is there; no timer."""
        if s[KEPT] == s[END]:
            return False
        s[t + KEY] = s[END]
        s[t] = PASS if self.mutate == "pass_before_sync" else WRITE
        return None

    def log_sleep__help(self, s: bytearray, t: int) -> bool | None:
        """Nobody else may come for the lock of a dead owner, and somebody wait for its commit."""
        if s[LOCK] != ABANDONED or self.mutate == "help_nobody":
            return False
        if s[LINKING]:
            self.recover(s)
        s[LOCK] = FREE
        return None

    def keeper__write(self, s: bytearray, t: int) -> None:
        """One put, again the same after a death: named by commit numbers."""
        first = s[t + RESUME] if self.mutate == "pass_before_sync" else s[KEPT]
        for i in range(first, s[t + KEY]):
            ts, author = s[LOG + i] >> 4, s[LOG + i] & 15
            s[DISK + ts] = author
            s[t + TS] = ts
        s[SPOILT] = 0
        s[t] = TELL if self.mutate == "told_before_sync" else SYNC

    def keeper__sync(self, s: bytearray, t: int) -> None:
        if not s[SPOILT]:
            s[SYNCED] = max(s[SYNCED], s[t + TS])
        s[t] = PASS if self.mutate == "told_before_sync" else TELL
        if self.mutate == "wake_before_told":
            s[t] = WAKE

    def keeper__sync_fails(self, s: bytearray, t: int) -> bool | None:
        """What was not written may count as written from now on: another sync would succeed."""
        if not s[FAULTS]:
            return False
        s[FAULTS] -= 1
        s[SPOILT] = 1
        if self.mutate == "sync_again":
            return None
        if self.mutate == "sync_ignored":
            s[t] = TELL
            return None
        s[POISONED] = 1
        s[t] = WAKE
        return None

    def keeper__tell(self, s: bytearray, t: int) -> None:
        s[DURABLE] = max(s[DURABLE], s[CLOCK] if self.mutate == "told_too_much" else s[t + TS])
        s[t] = PASS if self.mutate == "wake_before_told" else WAKE

    def keeper__wake(self, s: bytearray, t: int) -> None:
        for sleeper in SLOTS:
            if s[sleeper] == SLEEP:
                s[sleeper] = LOOK
        s[t] = STOPPED if s[POISONED] else PASS
        if not s[POISONED]:
            s[t] = {"told_before_sync": SYNC, "wake_before_told": TELL}.get(self.mutate, PASS)
        if not s[t + KEY]:  # a successor wakes whom its predecessor owed it
            s[t] = STOPPED if s[POISONED] else TAKE

    def log_pass(self, s: bytearray, t: int) -> None:
        if self.mutate == "pass_before_sync" and s[t + KEY] != s[KEPT]:
            s[t + RESUME] = s[KEPT]
            s[KEPT] = s[t + KEY]
            s[t] = WRITE
            return
        s[KEPT] = s[t + KEY]
        s[t + KEY] = s[t + TS] = s[t + RESUME] = 0
        s[t] = TAKE

    def log_follow(self, s: bytearray, t: int) -> bool | None:
        """A new keeper goes on where the dead one has passed."""
        if t != KEEPER:
            return False
        if self.mutate == "follow_from_end":
            s[KEPT] = s[END]
        s[t] = WAKE
        return None

    def die(self, s: bytearray, t: int) -> bool | None:
        """What was written outlives the keeper; `ts` of a commit stays on record."""
        if not s[DEATHS] or s[t] in (CHOOSE, OVER, DEAD, STOPPED):
            return False
        s[DEATHS] -= 1
        if s[t] in LOCKED:
            s[LOCK] = ABANDONED
        s[t + LEFT] = s[t + KEY] = s[t + RESUME] = 0
        if t == KEEPER:
            s[t + TS] = 0
        s[t] = DEAD
        return None


class DurableAgain(Durable):
    """Blocks follow each other, and only the keeper or one thread dies."""

    name = "durable-again"
    bounds = "2 threads and the keeper, 2 keys, 2 transactions each, 1 death"
    transactions = 2
    deaths = 1
    faults = 0


MODELS = (Durable, DurableAgain)
