"""The commit lock, and serial blocks against ordinary commits: `lock.c` word for word.

A serial block announces itself, takes the lock before it begins and keeps it to the end; if it
waits for a change it registers and gives the lock back before it sleeps.  An ordinary block takes
it to commit, and is serial after a lost conflict.  Every commit conflicts with every block that
runs, so there is one key.  No nap ends a sleep, as if processes never died, so that every wake-up
has to come; in `serial-death` one dies, and naps end.
"""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from .checker.layout import NONE
from .checker.model import Action, Eventually, Model, action, require
from .serial_state import (
    ACQUIRES,
    ALONE,
    ANNOUNCE,
    ARRIVES,
    AWAIT,
    AWAKE,
    BODY,
    CHOOSE,
    DEAD,
    DEATHS,
    EVERYONE,
    FOR_OWNER,
    FUTEX,
    GIVE_UP,
    GIVE_UPS,
    GOT,
    GOT_WAKE,
    GRACE,
    KIND,
    LAYOUT,
    LEAVE,
    LEFT,
    LOCK,
    LOCKED,
    LOST,
    ON_LOCK,
    ON_URGENT,
    ONCE,
    ORDINARY,
    OVER,
    PARK,
    PARK_WAKE,
    PASS,
    REGISTER,
    RUN,
    SEEN,
    SERIAL,
    SERIALLY,
    SET_BIT,
    SLEEP,
    SLEPT,
    SLOTS,
    SOMEONE,
    STALE,
    SYMMETRY,
    TAKE,
    TIME_OUT,
    TO_PASS,
    UNLOCK,
    UNLOCK_WAKE,
    URGENT,
    WAITERS,
    WAKE,
    WINS,
    number,
    owns,
)


class Serial(Model):
    """Nobody dies."""

    name = "serial"
    bounds = "3 threads, 1 transaction each that may run twice, deadlines and signals"
    transactions = 1
    layout = LAYOUT
    unfair = frozenset(("die", "acquire.interrupted", "acquire.deadline"))
    strong = frozenset(("acquire.nap",))
    deaths: ClassVar[int] = 0
    kinds: ClassVar[Sequence[str]] = ("ordinary", "serial")
    give_ups: ClassVar[int] = NONE
    """How many deadlines and signals end a sleep; NONE: any number."""

    def __init__(self, mutate: str = "") -> None:
        super().__init__(mutate)
        program: list[list[Action]] = [[] for _ in range(DEAD + 1)]
        for kind, detail in enumerate(self.kinds):
            program[CHOOSE].append(action(self.txn_begin, detail, kind=kind))
        program[RUN] = [action(self.txn_commit)]
        program[ANNOUNCE] = [action(self.announce)]
        program[PASS] = [action(self.must_let_pass)]
        program[TO_PASS] = [action(self.wait_to_pass)]
        program[TAKE] = [action(self.take)]
        program[FOR_OWNER] = [action(self.wait_for_owner)]
        program[SET_BIT] = [action(self.wait_for_owner__set)]
        program[FUTEX] = [action(self.platform_futex_wait)]
        for place in (ON_LOCK, ON_URGENT):
            program[place] = [action(self.acquire__interrupted), action(self.acquire__deadline)]
            if self.deaths:
                program[place].append(action(self.acquire__nap))
        for place in (TO_PASS, FOR_OWNER):
            program[place].append(action(self.acquire__deadline))
        program[GIVE_UP] = self.wakes(self.give_up)
        program[LEAVE] = program[TIME_OUT] = [action(self.lock_withdraw)]
        program[GOT] = [action(self.lock_withdraw)]
        program[GOT_WAKE] = [action(self.lock_withdraw__wake)]
        program[BODY] = [action(self.txn_body)]
        program[LOCKED] = [action(self.commit_locked)]
        program[UNLOCK] = [action(self.lock_release)]
        for place in (UNLOCK_WAKE, PARK_WAKE):
            program[place] = [
                action(self.lock_release__look),
                *self.wakes(self.lock_release__wake),
            ]
        program[REGISTER] = [action(self.wait_register)]
        program[PARK] = [action(self.lock_release)]
        program[SLEEP] = [action(self.wait_sleep)]
        self.program = program
        if self.deaths:
            self.anywhere = [action(self.die)]

    def wakes(self, function: object) -> list[Action]:
        """The kernel may wake any of the sleepers first."""
        return [action(function, who=who) for who in range(len(SLOTS))]  # type: ignore[arg-type]

    def initial(self) -> Iterable[bytes]:
        s = bytearray(LAYOUT.size)
        s[DEATHS], s[GIVE_UPS] = self.deaths, self.give_ups
        for t in SLOTS:
            s[t + LEFT] = self.transactions
        yield bytes(s)

    def canonical(self, state: bytes) -> bytes:
        return SYMMETRY.representative(state)

    def done(self, state: bytes) -> bool:
        return all(state[t] in (OVER, DEAD, SLEEP) for t in SLOTS)

    def broken(self, state: bytes) -> str | None:
        if sum(owns(state, t) for t in SLOTS) > 1:
            return ALONE
        owner = state[LOCK] >> 1
        asleep = owner and state[SLOTS[owner - 1]] in (SLEEP, ON_LOCK, ON_URGENT)
        return AWAKE if asleep else None

    def eventually(self) -> Sequence[Eventually]:
        """For one thread, as all run the same program."""
        t = SLOTS[0]
        return (
            Eventually(ARRIVES, lambda s: s[t] in ACQUIRES, lambda s: s[t] not in ACQUIRES),
            Eventually(
                LOST, lambda s: s[t] == SLEEP and bool(s[t + STALE]), lambda s: s[t] != SLEEP
            ),
        )

    # A block.

    def finish(self, s: bytearray, t: int) -> None:
        s[t + LEFT] -= 1
        s[t + KIND : t + GRACE] = bytes(GRACE - KIND)
        s[t + WAKE] = 0
        s[t] = CHOOSE if s[t + LEFT] else OVER

    def txn_begin(self, s: bytearray, t: int, kind: int = 0) -> None:
        s[t + KIND] = kind
        s[t + SERIAL] = kind != ORDINARY
        s[t] = RUN
        if kind != ORDINARY and self.mutate != "lock_at_commit":
            s[t] = ANNOUNCE

    def txn_commit(self, s: bytearray, t: int) -> None:
        s[t] = ANNOUNCE

    def txn_body(self, s: bytearray, t: int) -> None:
        """What a serial block does with the lock: commit, or wait for a change and run again."""
        s[t] = LOCKED
        if s[t + KIND] == AWAIT:
            s[t] = PARK if self.mutate == "register_late" else REGISTER

    def commit_locked(self, s: bytearray, t: int) -> None:
        if s[t + STALE]:
            require(not s[t + SERIAL], WINS)
            s[t + SERIAL], s[t + STALE], s[t + KIND] = 1, 0, SERIALLY
            s[t + WAKE] = 2  # a conflict: run again
        else:
            for other in SLOTS:
                if other != t and self.has_read(s, other):
                    s[other + STALE] = 1
                    s[other + WAKE] |= self.is_registered(s, other)
        s[t] = UNLOCK

    # lock.c

    def announce(self, s: bytearray, t: int) -> None:
        if s[t + SERIAL] and not s[URGENT]:
            s[URGENT] = number(t)
            for other in SLOTS:
                s[other + GRACE] = 1
        s[t] = TAKE if self.mutate == "no_pass" else PASS

    def must_let_pass(self, s: bytearray, t: int) -> None:
        s[t] = TAKE if s[URGENT] in (0, number(t)) else TO_PASS

    def wait_to_pass(self, s: bytearray, t: int) -> None:
        """The word is compared as the thread falls asleep."""
        if s[URGENT] in (0, number(t)):
            self.woken(s, t)
        else:
            s[t] = ON_URGENT

    def take(self, s: bytearray, t: int) -> None:
        if s[LOCK]:
            s[t] = FOR_OWNER
            return
        if s[URGENT] not in (0, number(t)):
            require(s[t + GRACE] > 0, ONCE)
            s[t + GRACE] = 0
        self.owned(s, t)

    def owned(self, s: bytearray, t: int) -> None:
        keep = s[t + SLEPT] and self.mutate != "bit_forgotten"
        s[LOCK] = number(t) << 1 | (WAITERS if keep else 0)
        s[t + SLEPT] = s[t + SEEN] = 0
        if s[t + SERIAL] and self.mutate not in ("no_withdraw", "lock_at_commit"):
            s[t] = GOT
        else:
            s[t] = BODY if s[t + SERIAL] else LOCKED

    def wait_for_owner(self, s: bytearray, t: int) -> None:
        if not s[LOCK]:
            self.woken(s, t)
            return
        s[t + SEEN] = s[LOCK]
        s[t] = FUTEX if s[LOCK] & WAITERS or self.mutate == "no_waiters_bit" else SET_BIT

    def wait_for_owner__set(self, s: bytearray, t: int) -> None:
        if s[LOCK] != s[t + SEEN]:
            self.woken(s, t)
            return
        s[LOCK] |= WAITERS
        s[t + SEEN] = s[LOCK]
        s[t] = FUTEX

    def platform_futex_wait(self, s: bytearray, t: int) -> None:
        if s[LOCK] == s[t + SEEN] or self.mutate == "sleep_uncompared":
            s[t] = ON_LOCK
            s[t + SEEN] = 0
        else:
            self.woken(s, t)

    def woken(self, s: bytearray, t: int) -> None:
        s[t + SLEPT], s[t + SEEN] = 1, 0
        s[t] = ANNOUNCE

    def acquire__interrupted(self, s: bytearray, t: int) -> bool | None:
        return self.end_sleep(s, t, LEAVE)

    def acquire__deadline(self, s: bytearray, t: int) -> bool | None:
        return self.end_sleep(s, t, TIME_OUT)

    def end_sleep(self, s: bytearray, t: int, after: int) -> bool | None:
        if not s[GIVE_UPS]:
            return False
        s[GIVE_UPS] -= s[GIVE_UPS] != NONE
        slept = s[t] in (ON_LOCK, ON_URGENT) or s[t + SLEPT]
        s[t + SEEN] = after
        s[t] = GIVE_UP if slept and self.mutate != "keep_wake_up" else after
        return None

    def give_up(self, s: bytearray, t: int, who: int = 0) -> bool | None:
        """Perhaps the wake-up that another one needs has been used up."""
        return self.wake_one(s, t, who, s[t + SEEN])

    def wake_one(self, s: bytearray, t: int, who: int, after: int) -> bool | None:
        sleeps = [s[slot] == ON_LOCK for slot in SLOTS]
        if sleeps[who]:
            self.woken(s, SLOTS[who])
        elif any(sleeps) or SLOTS[who] != t:
            return False
        s[t + SEEN] = 0
        s[t] = after
        return None

    def lock_withdraw(self, s: bytearray, t: int) -> None:
        if s[URGENT] == number(t):
            s[URGENT] = 0
            s[t + SEEN] = s[t]
            s[t] = GOT_WAKE
        else:
            self.withdrawn(s, t, s[t])

    def lock_withdraw__wake(self, s: bytearray, t: int) -> None:
        if self.mutate != "withdraw_silent":
            self.wake_urgent(s)
        self.withdrawn(s, t, s[t + SEEN])

    def wake_urgent(self, s: bytearray) -> None:
        for slot in SLOTS:
            if s[slot] == ON_URGENT:
                self.woken(s, slot)

    def withdrawn(self, s: bytearray, t: int, place: int) -> None:
        s[t + SEEN] = 0
        if place == TIME_OUT:
            self.finish(s, t)
        else:
            s[t + SLEPT] = 0
            s[t] = BODY if place == GOT else ANNOUNCE

    def lock_release(self, s: bytearray, t: int) -> None:
        """An exchange; what it gave decides whether somebody is woken."""
        waiters = s[LOCK] & WAITERS
        if not (s[t] == PARK and self.mutate == "retry_keeps_lock"):
            s[LOCK] = 0
        s[t] = UNLOCK_WAKE if s[t] == UNLOCK else PARK_WAKE
        if not waiters:
            self.released(s, t)

    def lock_release__look(self, s: bytearray, t: int) -> bool | None:
        """All, if the first might have to let an urgent one pass that sleeps behind it."""
        if s[t + SEEN]:
            return False
        s[t + SEEN] = EVERYONE if s[URGENT] and self.mutate != "wake_one" else SOMEONE
        return None

    def lock_release__wake(self, s: bytearray, t: int, who: int = 0) -> bool | None:
        if not s[t + SEEN]:
            return False
        if s[t + SEEN] == EVERYONE:
            if SLOTS[who] != t:
                return False
            for slot in SLOTS:
                if s[slot] == ON_LOCK:
                    self.woken(s, slot)
        elif self.wake_one(s, t, who, s[t]) is False:
            return False
        self.released(s, t)
        return None

    def released(self, s: bytearray, t: int) -> None:
        s[t + SEEN] = 0
        if s[t] == PARK_WAKE:
            s[t] = REGISTER if self.mutate == "register_late" else SLEEP
        elif s[t + WAKE] == 2:
            s[t + WAKE] = 0
            s[t] = ANNOUNCE
        else:
            self.finish(s, t)

    # Waiting for a change.

    def wait_register(self, s: bytearray, t: int) -> None:
        """With the lock that the serial block has, so that nothing can come between."""
        s[t] = SLEEP if self.mutate == "register_late" else PARK

    def has_read(self, s: bytearray, t: int) -> bool:
        """Whether a commit changes what the thread has read."""
        early = not s[t + SERIAL] or self.mutate == "lock_at_commit"
        return s[t] in (PARK_WAKE, SLEEP) or (early and RUN <= s[t] < UNLOCK)

    def is_registered(self, s: bytearray, t: int) -> bool:
        return s[t] == SLEEP or (s[t] == PARK_WAKE and self.mutate != "register_late")

    def wait_sleep(self, s: bytearray, t: int) -> bool | None:
        """Woken; what it waited for is there when it runs again, and it commits."""
        if not s[t + WAKE]:
            return False
        s[t + WAKE] = s[t + STALE] = 0
        s[t + KIND] = SERIALLY
        s[t] = ANNOUNCE
        return None

    # Death.

    def acquire__nap(self, s: bytearray, t: int) -> None:
        """Now and then a sleeper looks whether the owner, or who is urgent, has died."""
        urgent, owner = s[URGENT], s[LOCK] >> 1
        if urgent and s[SLOTS[urgent - 1]] == DEAD and self.mutate != "dead_urgent_kept":
            s[URGENT] = 0
            self.wake_urgent(s)
        if owner and s[SLOTS[owner - 1]] == DEAD and self.mutate != "no_take_over":
            s[t + SLEPT] = 1
            self.owned(s, t)
        else:
            s[t + SEEN] = LEAVE
            s[t] = GIVE_UP

    def die(self, s: bytearray, t: int) -> bool | None:
        if not s[DEATHS] or s[t] in (CHOOSE, OVER, DEAD):
            return False
        s[DEATHS] -= 1
        s[t : t + LAYOUT.width] = bytes(LAYOUT.width)
        s[t] = DEAD
        return None
