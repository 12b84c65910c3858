"""Sleep until something that was read changes: register, mark, wake, close, death of a waker.

Threads wait for keys, or put them, or close the store.  The wake word of a thread is the only thing
about it that is looked at without the commit lock.  Getting the lock is one action that is owed
strong fairness; how it is got is shown by `serial` and `recovery`, where the nodes are in their
bucket by `waiters`.  Of the versions only this matters: which keys were committed since a block
began (`stale`).
"""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from .checker.layout import NONE, Layout
from .checker.model import Action, Eventually, Model, action

X, Y = 1, 2

LAYOUT = Layout("lock linking closed deaths", "pc left keys stale nodes wake owed at resume", 3)
LOCK, LINKING, CLOSED, DEATHS = LAYOUT.shared
PC, LEFT, KEYS, STALE, NODES, WAKE, OWED, AT, RESUME = LAYOUT.record
FREE, HELD, ABANDONED = range(3)
"""The lock; abandoned if its owner has died."""

CHOOSE, REGISTER, CHECK, RESET, LINK, REGISTERED, LOOK, LOOK_CLOSED, WAIT, SLEEP = range(10)
HELP, HELPED, UNREGISTER, FORGET, COMMIT, LINKS, COLLECT, PUBLISH, CLEAR, UNLOCK = range(10, 20)
WAKE_LIST, CLOSE, ALL_MARK, ALL_WAKE, REPAIRED, OVER, DEAD = range(20, 27)
LOCKED = frozenset((CHECK, RESET, LINK, REGISTERED, HELPED, FORGET)) | set(range(LINKS, WAKE_LIST))
WAITS = frozenset((LOOK, LOOK_CLOSED, WAIT, SLEEP, HELP, HELPED))
WATCHED = WAITS | {LINK, REGISTERED}
"""Where the wake word means something: it is reset before, and read no more after."""

LOST = "no wake-up is lost"
NODE = "a node belongs to a thread that waits"


def place(s: bytes | bytearray, t: int) -> int:
    """Where the thread is, or goes on when it has repaired what a dead owner left."""
    return s[t] if s[t + RESUME] == NONE else s[t + RESUME]


class Park(Model):
    """Nobody dies, and no sleeper looks after itself: the wake-up alone must do."""

    name = "park"
    bounds = "3 threads, 2 keys, 2 transactions each, a close, deadlines at any moment"
    layout = LAYOUT
    strong = frozenset(("lock_acquire", "wait_sleep.heartbeat"))
    unfair = frozenset(
        ("die", "wait_sleep.deadline", "wait_sleep.interrupted", "store_close", "lock_help.leave")
    )
    menu: ClassVar[Sequence[tuple[str, int]]] = (
        ("await", X),
        ("await", X | Y),
        ("put", X),
        ("put", Y),
    )
    """What threads do, and with which keys."""
    deaths: ClassVar[int] = 0

    def __init__(self, mutate: str = "") -> None:
        super().__init__(mutate)
        program: list[list[Action]] = [[] for _ in range(DEAD + 1)]
        for kind, keys in self.menu:
            detail = f"{kind} {('x', 'y', 'xy')[keys - 1]}"
            first = REGISTER if kind == "await" else COMMIT
            program[CHOOSE].append(action(self.txn_begin, detail, first=first, keys=keys))
        program[CHOOSE].append(action(self.store_close))
        for place in (REGISTER, UNREGISTER, COMMIT, HELP):
            program[place] = [action(self.lock_acquire)]
        program[CHECK] = [action(self.wait_watch__check)]
        program[RESET] = [action(self.wait_watch__reset)]
        program[LINK] = [action(self.wait_watch__link)]
        program[REGISTERED] = [action(self.wait_watch__release)]
        program[LOOK] = [action(self.wait_sleep__look)]
        program[LOOK_CLOSED] = [action(self.wait_sleep__closed)]
        program[WAIT] = [action(self.platform_futex_wait)]
        program[WAIT].append(action(self.wait_sleep__deadline))
        program[SLEEP] = [action(self.wait_sleep__deadline), action(self.wait_sleep__interrupted)]
        if self.deaths and mutate != "no_heartbeat":
            program[SLEEP].append(action(self.wait_sleep__heartbeat))
        program[HELP] += [action(self.lock_help__free), action(self.lock_help__leave)]
        program[HELPED] = [action(self.lock_help__release)]
        program[FORGET] = [action(self.wait_unregister)]
        program[LINKS] = [action(self.publish__linking)]
        program[PUBLISH] = [action(self.publish)]
        program[COLLECT] = [action(self.wait_collect)]
        program[CLEAR] = [action(self.publish__clear)]
        program[UNLOCK] = [action(self.lock_release)]
        program[WAKE_LIST] = [action(self.wait_wake)]
        program[CLOSE] = [action(self.store_close__mark)]
        program[ALL_MARK] = [action(self.wait_mark_all)]
        program[ALL_WAKE] = [action(self.wait_wake_all)]
        program[REPAIRED] = [action(self.recover_repair__clear)]
        self.program = program
        if self.deaths:
            self.anywhere = [action(self.die)]
        else:
            self.eager = frozenset((CHECK, FORGET, CLEAR, UNLOCK))

    def initial(self) -> Iterable[bytes]:
        s = bytearray(LAYOUT.size)
        s[DEATHS] = self.deaths
        for t in LAYOUT.bases:
            s[t + LEFT] = self.transactions
            s[t + RESUME] = NONE
        yield bytes(s)

    def done(self, state: bytes) -> bool:
        ends = (OVER, DEAD, SLEEP, CHOOSE) if state[CLOSED] else (OVER, DEAD, SLEEP)
        return all(state[t] in ends for t in LAYOUT.bases)

    def broken(self, state: bytes) -> str | None:
        settled = WAITS | {RESET, REGISTERED, UNREGISTER, FORGET}
        nodes = (t for t in LAYOUT.bases if state[t + NODES])
        return None if all(place(state, t) in settled for t in nodes) else NODE

    def eventually(self) -> Sequence[Eventually]:
        """For one thread, as all run the same program."""
        t = LAYOUT.bases[0]
        return (
            Eventually(
                LOST,
                when=lambda s: place(s, t) in WAITS and bool(s[t + STALE] or s[CLOSED]),
                goal=lambda s: place(s, t) not in WAITS,
            ),
        )

    # What the actions share.

    def finish(self, s: bytearray, t: int) -> None:
        """The block is over; nobody begins one in a store that is closed."""
        s[t + LEFT] -= 1
        self.choose(s, t)

    def choose(self, s: bytearray, t: int) -> None:
        s[t + KEYS] = s[t + STALE] = s[t + NODES] = s[t + WAKE] = s[t + AT] = 0
        s[t + RESUME] = NONE
        s[t] = CHOOSE if s[t + LEFT] else OVER

    def futex_wake(self, s: bytearray, sleeper: int) -> None:
        if s[sleeper] == SLEEP:
            s[sleeper] = LOOK

    # A block that waits.

    def txn_begin(self, s: bytearray, t: int, first: int = 0, keys: int = 0) -> bool | None:
        if s[CLOSED]:
            return False
        s[t + KEYS] = keys
        s[t] = CHECK if self.mutate == "check_before_lock" and first == REGISTER else first
        return None

    def lock_acquire(self, s: bytearray, t: int) -> bool | None:
        """Free, or taken over from a dead owner; recover_unfinished."""
        if s[LOCK] == HELD:
            return False
        s[LOCK] = HELD
        s[t] = RESET if self.mutate == "check_before_lock" and s[t] == REGISTER else s[t] + 1
        if s[LINKING]:
            s[t + RESUME] = s[t]
            s[t] = ALL_MARK
        return None

    def wait_watch__check(self, s: bytearray, t: int) -> None:
        outside = self.mutate == "check_before_lock"
        if s[t + STALE] and self.mutate != "park_unchecked":
            s[LOCK] = s[LOCK] if outside else FREE
            self.choose(s, t)
        elif outside:
            s[t] = REGISTER
        else:
            s[t] = LINK if self.mutate == "reset_last" else RESET

    def wait_watch__reset(self, s: bytearray, t: int) -> None:
        s[t + WAKE] = 0
        s[t] = LOOK if self.mutate == "reset_last" else LINK

    def wait_watch__link(self, s: bytearray, t: int) -> None:
        s[t + NODES] = s[t + KEYS]
        s[t] = REGISTERED

    def wait_watch__release(self, s: bytearray, t: int) -> None:
        s[LOCK] = FREE
        s[t] = RESET if self.mutate == "reset_last" else LOOK

    def wait_sleep__look(self, s: bytearray, t: int) -> None:
        s[t] = UNREGISTER if s[t + WAKE] else LOOK_CLOSED
        if self.mutate == "closed_unlooked" and s[t] == LOOK_CLOSED:
            s[t] = WAIT

    def wait_sleep__closed(self, s: bytearray, t: int) -> None:
        s[t] = UNREGISTER if s[CLOSED] else WAIT

    def platform_futex_wait(self, s: bytearray, t: int) -> None:
        s[t] = LOOK if s[t + WAKE] and self.mutate != "sleep_uncompared" else SLEEP

    def wait_sleep__deadline(self, s: bytearray, t: int) -> None:
        if self.mutate == "deadline_leaves_nodes":
            s[t] = CHOOSE if s[t + LEFT] else OVER
        else:
            s[t] = UNREGISTER

    def wait_sleep__interrupted(self, s: bytearray, t: int) -> None:
        """A signal, or for no reason."""
        s[t] = LOOK

    def wait_sleep__heartbeat(self, s: bytearray, t: int) -> None:
        s[t] = HELP

    def lock_help__free(self, s: bytearray, t: int) -> bool | None:
        if s[LOCK] != FREE:
            return False
        s[t] = LOOK
        return None

    def lock_help__leave(self, s: bytearray, t: int) -> None:
        """The lock was not to be had in time."""
        s[t] = LOOK

    def lock_help__release(self, s: bytearray, t: int) -> None:
        s[LOCK] = FREE
        s[t] = LOOK

    def wait_unregister(self, s: bytearray, t: int) -> None:
        s[LOCK] = FREE
        self.finish(s, t)

    # A block that puts.

    def publish__linking(self, s: bytearray, t: int) -> None:
        s[LINKING] = 1
        if self.mutate == "wake_before_mark":
            for reader in LAYOUT.bases:
                if s[reader + NODES] & s[t + KEYS]:
                    self.futex_wake(s, reader)
        late = self.mutate in ("mark_last", "mark_unlocked")
        s[t] = PUBLISH if late else COLLECT

    def wait_collect(self, s: bytearray, t: int) -> None:
        """All nodes of the key in one action: a sleeper looks at its own word alone."""
        for sleeper in LAYOUT.bases:
            if s[sleeper + NODES] & s[t + KEYS]:
                self.mark(s, t, sleeper)
        s[t] = {"mark_last": UNLOCK, "mark_unlocked": WAKE_LIST}.get(self.mutate, PUBLISH)

    def mark(self, s: bytearray, t: int, sleeper: int) -> None:
        if not s[sleeper + WAKE]:
            s[sleeper + WAKE] = self.mutate != "no_mark"
            s[sleeper + OWED] |= 1 << LAYOUT.bases.index(t)

    def publish(self, s: bytearray, t: int) -> None:
        """The clock moves: from here on the commit counts."""
        for reader in LAYOUT.bases:
            if s[reader] not in (CHOOSE, OVER, DEAD) and s[reader + KEYS]:
                s[reader + STALE] |= s[t + KEYS] & s[reader + KEYS]
        s[t] = CLEAR

    def publish__clear(self, s: bytearray, t: int) -> None:
        s[LINKING] = 0
        s[t] = COLLECT if self.mutate == "mark_last" else UNLOCK

    def lock_release(self, s: bytearray, t: int) -> None:
        s[LOCK] = FREE
        s[t] = COLLECT if self.mutate == "mark_unlocked" else WAKE_LIST

    def wait_wake(self, s: bytearray, t: int) -> None:
        mine = 1 << LAYOUT.bases.index(t)
        for sleeper in LAYOUT.bases:
            if s[sleeper + OWED] & mine:
                s[sleeper + OWED] &= ~mine
                if self.mutate not in ("no_futex_wake", "wake_before_mark"):
                    self.futex_wake(s, sleeper)
                return
        self.finish(s, t)

    # All are woken: the store is closed, or somebody has died before he woke.

    def store_close(self, s: bytearray, t: int) -> bool | None:
        if s[CLOSED]:
            return False
        if self.mutate != "closed_after_waking":
            s[CLOSED] = 1
        s[t] = ALL_MARK
        return None

    def store_close__mark(self, s: bytearray, t: int) -> None:
        s[CLOSED] = 1
        self.finish(s, t)

    def wait_mark_all(self, s: bytearray, t: int) -> None:
        sleeper = LAYOUT.bases[s[t + AT]]
        if place(s, sleeper) in WATCHED:
            s[sleeper + WAKE] = 1
        s[t] = ALL_WAKE

    def wait_wake_all(self, s: bytearray, t: int) -> None:
        self.futex_wake(s, LAYOUT.bases[s[t + AT]])
        s[t + AT] += 1
        if s[t + AT] < len(LAYOUT.bases):
            s[t] = ALL_MARK
            return
        s[t + AT] = 0
        s[t] = CLOSE if s[t + RESUME] == NONE else REPAIRED

    def recover_repair__clear(self, s: bytearray, t: int) -> None:
        s[LINKING] = 0
        s[t] = s[t + RESUME]
        s[t + RESUME] = NONE

    def die(self, s: bytearray, t: int) -> bool | None:
        """Wake-ups that it owed are lost; its nodes wake nobody else."""
        if not s[DEATHS] or s[t] in (CHOOSE, OVER, DEAD):
            return False
        s[DEATHS] -= 1
        if s[t] in LOCKED or s[t + RESUME] != NONE:
            s[LOCK] = ABANDONED
        mine = 1 << LAYOUT.bases.index(t)
        for sleeper in LAYOUT.bases:
            s[sleeper + OWED] &= ~mine
        s[t : t + LAYOUT.width] = bytes(LAYOUT.width)
        s[t + RESUME] = NONE
        s[t] = DEAD
        return None


class ParkOnce(Park):
    """Enough for what is broken."""

    name = "park-once"
    bounds = "3 threads, 2 keys, 1 transaction each, a close, deadlines at any moment"
    transactions = 1


class ParkDeath(ParkOnce):
    """One thread dies anywhere, and sleepers look for it now and then."""

    name = "park-death"
    bounds = "3 threads, 2 keys, 1 transaction each, a death at any step, a close"
    deaths = 1


MODELS = (Park, ParkDeath)
