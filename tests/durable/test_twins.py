"""The same script on both backends: they must find the same again, with the same commit numbers."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import stmpy as stm
from stmpy.durable.backend import Backend, Change
from stmpy.durable.lmdb_backend import LmdbBackend
from stmpy.durable.memory import MemoryBackend
from tests.durable.inside import Threads

type Step = tuple[Any, ...]
type Seen = list[tuple[int | None, dict[str, Any]]]

NAMES = ("a", "b", "c")


def draw_script(rng: random.Random) -> list[Step]:
    """Blocks of several writes, and times at which the store is opened anew."""

    def draw_write() -> Step:
        name, key = rng.choice(NAMES), rng.choice((rng.randrange(8), (rng.randrange(3), "k")))
        how = rng.choice(("put", "put", "delete", "add"))
        value = rng.choice((rng.randrange(100), "x" * rng.randrange(9000), [1, {"n": None}]))
        return how, name, key, value

    steps: list[Step] = []
    for _ in range(60):
        if rng.random() < 0.1:
            steps.append((rng.choice(("flush", "reopen")),))
        steps.append(("block", [draw_write() for _ in range(rng.randint(1, 5))]))
    return [*steps, ("reopen",)]


def write(store: stm.Store, how: str, name: str, key: Any, value: Any) -> None:
    table = store.TVar(name)
    if how == "put":
        table[key] = value
    elif how == "delete":
        table.pop(key, None)
    else:
        store.TRef("sum", 0).add(len(str(value)))


def contents(store: stm.Store) -> dict[str, Any]:
    tables: dict[str, Any] = {name: store.TVar(name).copy() for name in NAMES}
    return tables | {"sum": store.TRef("sum", 0).value}


def play(script: list[Step], opened: Callable[[], Backend], relaxed: bool) -> Seen:
    """What was seen after each step; what is found again is what was there."""
    threads = Threads()
    seen: Seen = []
    try:
        _play(script, threads, opened, relaxed, seen)
    finally:
        threads.stop()
    return seen


def _play(
    script: list[Step],
    threads: Threads,
    opened: Callable[[], Backend],
    relaxed: bool,
    seen: Seen,
) -> None:
    store = threads.start(opened, relaxed=relaxed)
    for step, *arguments in script:
        version = None
        if step == "block":
            with store.atomically() as tx:
                for one in arguments[0]:
                    write(store, *one)
            version = tx.version
        elif step == "flush":
            store.flush()
        else:
            before = contents(store)
            threads.stop()
            store = threads.start(opened, relaxed=relaxed)
            assert contents(store) == before
        seen.append((version, contents(store)))


def _same(backend: Backend) -> Backend:
    return backend


def test_both_see_the_same(tmp_path: Path, rng: random.Random) -> None:
    for i in range(4):
        script, relaxed = draw_script(rng), i % 2 == 1
        (tmp_path / str(i)).mkdir()
        expected = play(script, partial(_same, MemoryBackend()), relaxed)
        assert play(script, partial(LmdbBackend, str(tmp_path / str(i))), relaxed) == expected


class Forgetful(MemoryBackend):
    """Loses all writes after some, and says nothing."""

    def write(self, changes: Sequence[Change]) -> None:
        if self.writes < 20:
            super().write(changes)


def test_a_twin_that_forgets_is_noticed() -> None:
    forgetful = Forgetful()
    with pytest.raises((AssertionError, stm.DurabilityError, stm.CommitUnknown)):
        play(draw_script(random.Random(5)), lambda: forgetful, False)
