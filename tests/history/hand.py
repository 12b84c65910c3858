"""Histories written by hand, for the tests of the checker.

    history(
        txn("T1", append("x", 1), read("x", [1])),
        txn("T2", read("x", None), write("y", 2), ABORT),
    )

Keys are names; `"people/ann"` is the key `ann` of the table `people`, and `keys("people", "ann")`
says that reading the keys of that table gave exactly these. Values are positive integers.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tests.history import model

ABORT: Final = model.ABORTED
LOST: Final = model.UNKNOWN  # the worker never heard how its commit ended


@dataclass(frozen=True)
class Step:
    kind: int
    key: str
    values: tuple[int, ...] = ()
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Txn:
    title: str
    steps: tuple[Step, ...]
    status: int
    worker: int
    times: tuple[int, int]
    snapshot: int
    version: int


def read(key: str, value: int | Sequence[int] | None) -> Step:
    """A read that saw a register's value (None: absent) or all elements of a list."""
    if isinstance(value, Sequence):
        return Step(model.LIST, key, tuple(value))
    return Step(model.READ, key, (model.NIL if value is None else value,))


def write(key: str, value: int) -> Step:
    return Step(model.WRITE, key, (value,))


def delete(key: str, value: int) -> Step:
    """Delete a register; `value` tells this tombstone from others."""
    return Step(model.DELETE, key, (value,))


def append(key: str, value: int) -> Step:
    return Step(model.APPEND, key, (value,))


def add(key: str, n: int) -> Step:
    return Step(model.ADD, key, (n,))


def total(key: str, value: int) -> Step:
    """A read that saw a counter's value."""
    return Step(model.TOTAL, key, (value,))


def keys(table: str, *present: str) -> Step:
    return Step(model.KEYS, f"{table}/", keys=tuple(f"{table}/{name}" for name in present))


def txn(
    title: str,
    *steps: Step | int,
    worker: int = 1,
    times: tuple[int, int] = (0, model.NEVER),
    snapshot: int = model.NOT_KNOWN,
    version: int = model.NOT_KNOWN,
) -> Txn:
    """One attempt; `ABORT` or `LOST` among the steps sets the outcome, otherwise it committed.

    Without `times` it overlaps every other attempt.
    """
    status = next((step for step in steps if isinstance(step, int)), model.COMMITTED)
    only_steps = tuple(step for step in steps if isinstance(step, Step))
    return Txn(title, only_steps, status, worker, times, snapshot, version)


def history(*txns: Txn) -> model.History:
    numbers: dict[str, int] = {}
    words = array("q")

    def number(name: str) -> int:
        if name not in numbers:
            table, slash, rest = name.rpartition("/")
            if not slash:
                numbers[name] = len(numbers) + 1
            elif not rest:
                numbers[name] = (len(numbers) + 1) << model.TABLE_SHIFT
            else:
                numbers[name] = number(f"{table}/") + len(numbers) + 1
        return numbers[name]

    for one in txns:
        ops: list[int] = []
        for step in one.steps:
            values = step.values or tuple(number(name) for name in step.keys)
            ops += (len(values) << model.KIND_BITS | step.kind, number(step.key), *values)
        header = (one.status, one.worker, *one.times, one.snapshot, one.version)
        words.extend((model.HEADER_WORDS + len(ops), *header, *ops))
    names = {value: name for name, value in numbers.items()}
    return model.History(words, None, names, [one.title for one in txns])
