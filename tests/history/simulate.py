"""A small multi-version store in which everything happens one step at a time, in random order.

It makes histories for the tests of the checker: each engine is right or wrong in a known way, and
each run follows from its random source. Workers are generators; every `yield` is a point where
another worker may go on.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from random import Random
from typing import Final

from tests.history import model

type Value = int | tuple[int, ...] | None

LISTS: Final = 1 << model.TABLE_SHIFT
REGISTERS: Final = 2 << model.TABLE_SHIFT
SETS: Final = 3 << model.TABLE_SHIFT  # a table whose keys come and go and are read as a set


class Engine(Enum):
    SERIAL = auto()  # one transaction at a time
    SERIALIZABLE = auto()  # snapshots; every read is validated at commit
    SNAPSHOT = auto()  # snapshots; only what was written is validated
    UNVALIDATED = auto()  # snapshots; each commit skips its validation with `fault` probability
    ZOMBIE = auto()  # validated at commit, but reads see whatever is newest
    DIRTY = auto()  # writes are seen before they are committed, aborts take them back


@dataclass
class Store:
    engine: Engine
    rng: Random
    fault: float
    spread: int  # keys of each kind
    stamped: bool  # whether snapshots and versions go into the history
    clock: int = 0
    time: int = 0
    left: int = 0
    chains: dict[int, list[tuple[int, Value]]] = field(default_factory=dict)
    members: dict[int, int] = field(default_factory=dict)  # table -> version of its last change
    dirty: dict[int, Value] = field(default_factory=dict)
    words: array[int] = field(default_factory=lambda: array("q"))

    def newest(self, key: int) -> tuple[int, Value]:
        return self.chains[key][-1] if key in self.chains else (0, None)

    def at(self, key: int, snapshot: int) -> Value:
        chain = self.chains.get(key, ())
        return next((value for stamp, value in reversed(chain) if stamp <= snapshot), None)


class Attempt:
    """What one attempt reads, writes and records."""

    def __init__(self, store: Store, worker: int) -> None:
        self.store = store
        self.worker = worker
        self.begin = store.time
        self.snapshot = store.clock
        self.reads: set[int] = set()
        self.writes: dict[int, Value] = {}
        self.ops: list[int] = []

    def get(self, key: int) -> Value:
        store = self.store
        if key in self.writes:
            return self.writes[key]
        self.reads.add(key)
        if store.engine is Engine.DIRTY and key in store.dirty:
            return store.dirty[key]
        if store.engine in (Engine.ZOMBIE, Engine.DIRTY):
            return store.newest(key)[1]
        return store.at(key, self.snapshot)

    def put(self, key: int, value: Value) -> None:
        self.writes[key] = value
        if self.store.engine is Engine.DIRTY:
            self.store.dirty[key] = value

    def record(self, kind: int, key: int, *values: int) -> None:
        self.ops += (len(values) << model.KIND_BITS | kind, key, *values)

    def keys(self) -> None:
        self.reads.add(SETS)
        before = set(self.reads)
        every = range(SETS + 1, SETS + self.store.spread + 1)
        present = [key for key in every if self.get(key) is not None]
        self.reads = before
        self.record(model.KEYS, SETS, *present)

    def changes_members(self) -> bool:
        changed = {k for k in self.writes if k > SETS}
        return any((self.store.newest(k)[1] is None) != (self.writes[k] is None) for k in changed)

    def valid(self) -> bool:
        store = self.store
        checked = set(self.writes)
        if store.engine is not Engine.SNAPSHOT:
            checked |= self.reads
        if SETS in checked and store.members.get(SETS, 0) > self.snapshot:
            return False
        return all(store.newest(key)[0] <= self.snapshot for key in checked)

    def finish(self) -> None:
        store = self.store
        skip = store.engine is Engine.UNVALIDATED and store.rng.random() < store.fault
        # Snapshots need no validation of an attempt that only reads.
        reads_only = not self.writes and store.engine is not Engine.ZOMBIE
        commit = reads_only or skip or self.valid()
        if store.engine is Engine.DIRTY:
            commit = store.rng.random() < 0.8
            for key in self.writes:
                store.dirty.pop(key, None)
        version = model.NOT_KNOWN
        if commit and self.writes:
            version = store.clock + 1
            if self.changes_members():
                store.members[SETS] = version
            for key, value in self.writes.items():
                store.chains.setdefault(key, [(0, None)]).append((version, value))
            store.clock = version
        status = model.COMMITTED if commit else model.ABORTED
        seen = (self.snapshot, version) if store.stamped else (model.NOT_KNOWN, model.NOT_KNOWN)
        size = model.HEADER_WORDS + len(self.ops)
        store.words.extend((size, status, self.worker, self.begin, store.time, *seen, *self.ops))


def _worker(store: Store, worker: int) -> Iterator[None]:
    minted = worker << model.VALUE_SHIFT
    rng = store.rng
    while store.left > 0:
        store.left -= 1
        attempt = Attempt(store, worker)
        for _ in range(rng.randint(1, 4)):
            if store.engine is not Engine.SERIAL:
                yield
            minted += 1
            _operate(attempt, rng, minted, rng.randrange(1, store.spread + 1))
        if store.engine is not Engine.SERIAL:
            yield
        attempt.finish()
        yield


def _operate(attempt: Attempt, rng: Random, value: int, number: int) -> None:
    choice = rng.random()
    if choice < 0.5:
        # Lists end after a while, so that histories stay linear in their transactions.
        key = LISTS + number + 1000 * (attempt.store.clock // 200)
        held = attempt.get(key)
        seen = held if isinstance(held, tuple) else ()
        attempt.record(model.LIST, key, *seen)
        if choice < 0.25:
            attempt.put(key, (*seen, value))
            attempt.record(model.APPEND, key, value)
    elif choice < 0.85:
        key = REGISTERS + number
        if choice < 0.75:
            value_seen = attempt.get(key)
            attempt.record(
                model.READ, key, value_seen if isinstance(value_seen, int) else model.NIL
            )
        if choice > 0.6:
            attempt.put(key, value)
            attempt.record(model.WRITE, key, value)
    elif choice < 0.92:
        attempt.keys()
    else:
        key = SETS + number
        delete = rng.random() < 0.5
        attempt.put(key, None if delete else value)
        attempt.record(model.DELETE if delete else model.WRITE, key, value)


def simulate(
    rng: Random,
    engine: Engine,
    attempts: int,
    *,
    workers: int = 4,
    spread: int = 5,
    fault: float = 0.05,
    stamped: bool = True,
) -> model.History:
    """A history of `attempts` by concurrent workers, with `spread` keys of each kind in use."""
    store = Store(engine, rng, fault, spread, stamped, left=attempts)
    running = [_worker(store, worker) for worker in range(1, workers + 1)]
    while running:
        store.time += 1
        worker = rng.choice(running)
        if next(worker, running) is running:
            running.remove(worker)
    return model.History(store.words)
