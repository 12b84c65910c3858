"""Small models with known answers, to test the checker itself."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from models.checker.layout import NONE, Layout
from models.checker.memory import StoreBuffer
from models.checker.model import Eventually, Model, action
from models.checker.symmetry import Named

COUNTER = Layout("total lock", "pc copy", threads=3)
EXCLUSION = "no lost increment"


class Increment(Model):
    """Three threads add one to a total: by a copy, so that without the lock one may be lost."""

    name = "increment"
    bounds = "3 threads"
    layout = COUNTER
    reduced: ClassVar[bool] = True

    def __init__(self, mutate: str = "") -> None:
        super().__init__(mutate)
        self.program = [
            [action(self.acquire)],
            [action(self.load)],
            [action(self.store)],
            [action(self.release)],
            [],
        ]
        if self.reduced:
            self.eager = frozenset((3,))

    def initial(self) -> Iterable[bytes]:
        yield bytes(COUNTER.size)

    def canonical(self, state: bytes) -> bytes:
        return COUNTER.sort_threads(state) if self.reduced else state

    def done(self, state: bytes) -> bool:
        return all(state[t] == 4 for t in COUNTER.bases)

    def broken(self, state: bytes) -> str | None:
        return EXCLUSION if self.done(state) and state[0] != 3 else None

    def acquire(self, s: bytearray, t: int) -> bool | None:
        if s[1] and self.mutate != "no_lock":
            return False
        s[1] = 1
        s[t] = 1
        return None

    def load(self, s: bytearray, t: int) -> None:
        s[t + 1] = s[0]
        s[t] = 2

    def store(self, s: bytearray, t: int) -> None:
        s[0] = s[t + 1] + 1
        s[t + 1] = 0
        s[t] = 3

    def release(self, s: bytearray, t: int) -> None:
        if self.mutate != "no_release":
            s[1] = 0
        s[t] = 4


class IncrementWhole(Increment):
    """The same without symmetry and partial-order reduction."""

    name = "increment-whole"
    reduced = False


WALK = Layout("place", "pc", threads=1)


class IncrementNamed(Increment):
    """Once more; the lock says who has it, and threads are interchangeable all the same."""

    name = "increment-named"

    def canonical(self, state: bytes) -> bytes:
        return NAMED.representative(state)

    def acquire(self, s: bytearray, t: int) -> bool | None:
        if s[1] and self.mutate != "no_lock":
            return False
        s[1] = COUNTER.bases.index(t) + 1
        s[t] = 1
        return None


def described(s: bytes, t: int, index: int) -> tuple[bytes, bool]:
    return s[t : t + COUNTER.width], s[1] == index + 1


def rename(s: bytearray, new: Sequence[int]) -> None:
    if s[1]:
        s[1] = new[s[1] - 1] + 1


NAMED = Named(COUNTER, described, rename)


class Walk(Model):
    """From 0 by ones or threes; the nearest way to 7 takes three steps."""

    name = "walk"
    layout = WALK

    def __init__(self, mutate: str = "") -> None:
        super().__init__(mutate)
        self.program = [[action(self.go, "one", by=1), action(self.go, "three", by=3)]]

    def initial(self) -> Iterable[bytes]:
        yield bytes(WALK.size)

    def done(self, state: bytes) -> bool:
        return True

    def broken(self, state: bytes) -> str | None:
        return "never on seven" if state[0] == 7 else None

    def go(self, s: bytearray, t: int, by: int = 0) -> bool | None:
        if s[0] + by > 9:
            return False
        s[0] += by
        return None


FORKS = Layout("forks[2]", "pc", threads=2)


class Philosophers(Model):
    """Two philosophers who both begin with the fork on their left starve."""

    name = "philosophers"
    layout = FORKS

    def __init__(self, mutate: str = "") -> None:
        super().__init__(mutate)
        self.program = [[action(self.take)], [action(self.take)], [action(self.put_down)], []]

    def initial(self) -> Iterable[bytes]:
        yield bytes(FORKS.size)

    def done(self, state: bytes) -> bool:
        return all(state[t] == 3 for t in FORKS.bases)

    def take(self, s: bytearray, t: int) -> bool | None:
        seat = FORKS.bases.index(t)
        fork = (s[t] + seat) % 2 if self.mutate == "left_first" else s[t]
        if s[fork]:
            return False
        s[fork] = 1
        s[t] += 1
        return None

    def put_down(self, s: bytearray, t: int) -> None:
        s[0] = s[1] = 0
        s[t] = 3


DOOR = Layout("door", "pc", threads=2)


class Door(Model):
    """One thread opens and shuts a door for ever, the other wants to get through.

    Weakly fair, it may find the door shut each time it looks; strongly fair, it gets through.
    """

    name = "door"
    layout = DOOR

    def __init__(self, mutate: str = "") -> None:
        super().__init__(mutate)
        self.program = [[action(self.swing)], [action(self.enter)], [], [action(self.idle)]]

    def initial(self) -> Iterable[bytes]:
        s = bytearray(DOOR.size)
        s[DOOR.bases[1]] = 3 if self.mutate == "lazy" else 1
        s[0] = self.mutate == "stays_open"
        yield bytes(s)

    def eventually(self) -> Sequence[Eventually]:
        t = DOOR.bases[1]
        return (Eventually("gets through", lambda s: s[t] in (1, 3), lambda s: s[t] == 2),)

    def swing(self, s: bytearray, t: int) -> None:
        if self.mutate != "stays_open":
            s[0] ^= 1

    def enter(self, s: bytearray, t: int) -> bool | None:
        if not s[0]:
            return False
        s[t] = 2
        return None

    def idle(self, s: bytearray, t: int) -> None:
        s[t] = 1


class StrongDoor(Door):
    name = "strong-door"
    strong = frozenset(("enter",))


class UnfairDoor(Door):
    """Who may wait for ever even before an open door does not get through."""

    name = "unfair-door"
    unfair = frozenset(("enter", "swing"))


DEKKER = Layout("flag[2] inside", "pc buffer[2]", threads=2)
STORES = StoreBuffer(DEKKER.record[1], capacity=1)


class Dekker(Model):
    """Raise a flag, look at the other's: with plain stores both get in (Dekker, on x86)."""

    name = "dekker"
    layout = DEKKER

    def __init__(self, mutate: str = "") -> None:
        super().__init__(mutate)
        self.program = [[action(self.put_flag)], [action(self.load_other)], [], []]
        self.anywhere = [action(STORES.flush)]

    def initial(self) -> Iterable[bytes]:
        s = bytearray(DEKKER.size)
        for t in DEKKER.bases:
            s[t + 1 : t + 3] = bytes((NONE, NONE))
        yield bytes(s)

    def done(self, state: bytes) -> bool:
        return all(state[t] >= 2 for t in DEKKER.bases)

    def broken(self, state: bytes) -> str | None:
        inside = sum(state[t] == 2 for t in DEKKER.bases)
        return "one at a time" if inside == 2 else None

    def put_flag(self, s: bytearray, t: int) -> bool | None:
        store = STORES.store if self.mutate == "plain_store" else STORES.exchange
        s[t] = 1
        return store(s, t, DEKKER.bases.index(t), 1)

    def load_other(self, s: bytearray, t: int) -> None:
        other = 1 - DEKKER.bases.index(t)
        s[t] = 3 if STORES.load(s, t, other) else 2
