"""A dump that `stmpy load` is given, as lines of JSON or as CBOR: loaded, or a `DecodeError`.

What was loaded is dumped in both forms, and loaded from them: the same keys and values.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from io import BytesIO
from typing import Any, Final
from uuid import UUID

import stmpy as stm
from stmpy import _native
from stmpy.durable import cbor, dumps
from stmpy.durable.dumps import End, Entry, Item, Variable
from stmpy.durable.format import TREF, TVAR
from stmpy.durable.journal import Journal
from stmpy.durable.memory import MemoryBackend
from stmpy.durable.writer import Writer

_FORMS: Final = (dumps.as_line, dumps.as_cbor)


def seeds() -> list[bytes]:
    """Inputs to start from: whole dumps in both forms, with all sorts of values in them."""
    values: list[Any] = [
        *(None, True, 2**70, 1.5, float("nan"), "text", b"bytes", (1,), {"a"}, frozenset({1})),
        *({"k": 1}, {1: 2}, {"$x": 1}, Decimal("1.5"), UUID(int=7), 1j, dt.timedelta(1)),
        *(dt.datetime(2020, 1, 2, tzinfo=dt.UTC), dt.date(2020, 1, 2)),
    ]
    trees = [cbor.decode(_native.encode(value)) for value in values]
    entries: list[Entry] = [Variable("v", TVAR), Variable("r", TREF)]
    entries += [Item("v", i, tree) for i, tree in enumerate(trees)]
    entries += [Item("r", None, trees), End(len(trees) + 1)]
    whole = [b"".join(map(form, entries)) for form in _FORMS]
    single = [
        form(Variable("v", TVAR)) + form(Item("v", "k", tree)) + form(End(1))
        for tree in trees
        for form in _FORMS
    ]
    return [*whole, *single]


def check(data: bytes) -> None:
    journal = load(data)
    if journal is None:
        return
    rows = contents(journal)
    for form in _FORMS:
        out = BytesIO()
        dumps.dump(journal, form, out, lambda done: None)
        again = load(out.getvalue())
        assert again is not None
        assert contents(again) == rows


def load(data: bytes) -> Journal | None:
    """What the dump makes of an empty store; None if it is refused."""
    journal = Journal(MemoryBackend())
    writer = Writer(journal)
    try:
        dumps.load(BytesIO(data), writer, lambda: None)
    except stm.DecodeError:
        return None
    writer.flush()
    return journal


def contents(journal: Journal) -> list[tuple[str, bytes, bytes]]:
    return sorted((journal.names[row.number][0], row.key, row.value) for row in journal.contents())
