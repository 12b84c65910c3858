"""Every public call with what does not belong there: a value comes of it, or one typed error.

What the objects raise themselves goes on to the caller; objects whose methods call stmpy again are
among them. After each call the thread is in no block, and the store works.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

import stmpy as stm


class Own(Exception):
    """What the objects below raise."""


def fail(*_: object, **__: object) -> Any:
    raise Own


class Int(int):
    __index__ = __int__ = fail


class Str(str):
    __hash__ = __eq__ = fail


class Dict(dict[Any, Any]):
    __iter__ = items = keys = fail


class List(list[Any]):
    __iter__ = __len__ = fail


class Everything:
    """Fails whatever is asked of it."""

    __bool__ = __eq__ = __float__ = __fspath__ = __hash__ = fail
    __index__ = __iter__ = __len__ = __repr__ = fail


class Inner:
    """Calls stmpy from within whatever is asked of it."""

    def __init__(self, table: stm.TVar[Any, Any]) -> None:
        self.table = table

    def use(self, *_: object) -> int:
        with self.table.store.atomically():
            self.table["inner"] = self.table.get("inner", 0) + 1
        return 0

    __bool__ = __eq__ = __hash__ = __index__ = __len__ = __call__ = use  # type: ignore[assignment]


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def hostile(table: stm.TVar[Any, Any]) -> list[Any]:
    own: list[Any] = []
    own.append(own)
    return [
        *(None, True, 0, -1, 1 << 63, -(1 << 70), 1 << 100_000, math.nan, -math.inf, 1e308),
        *("", "\ud800", "a\0b", "x" * 1000, b"", b"\xff" * 1000, (), (1,) * 300, own, nested(500)),
        *(Int(5), Str("s"), Dict(a=1), List([1]), Everything(), Inner(table), object(), object),
        *(Decimal("NaN"), 1j, Own, Own(), fail, iter(()), memoryview(b"abc"), bytearray(b"abc")),
    ]


# An OverflowError is Python's own where a float and an int beyond all floats are added.
PERMITTED: Final = (stm.StmError, TypeError, ValueError, KeyError, OverflowError, Own)

type Call = Callable[[stm.Store, stm.TVar[Any, Any], Any], object]

IN_BLOCKS: dict[str, Call] = {
    "get": lambda store, table, x: table.get(x),
    "set a key": lambda store, table, x: table.__setitem__(x, 1),
    "set a value": lambda store, table, x: table.__setitem__("k", x),
    "delete": lambda store, table, x: table.__delitem__(x),
    "pop": lambda store, table, x: table.pop(x, x),
    "setdefault": lambda store, table, x: table.setdefault(x, x),
    "update": lambda store, table, x: table.update(x),
    "get_many": lambda store, table, x: table.get_many(x),
    "add to": lambda store, table, x: table.add(x),
    "add": lambda store, table, x: table.add("n", x),
    "commute": lambda store, table, x: table.commute("c", x),
    "commuted": lambda store, table, x: table.commute("c", lambda _: x),
    "ensure": lambda store, table, x: table.ensure(x, None),
    "on_commit": lambda store, table, x: stm.on_abort(x),
    "or_else": lambda store, table, x: stm.or_else(x, lambda: 1),
    "in": lambda store, table, x: x in table,
    "==": lambda store, table, x: table == x,
    "ref": lambda store, table, x: setattr(store.TRef("ref"), "value", x),
}
OUTSIDE: dict[str, Call] = {
    "TVar": lambda store, table, x: store.TVar(x),
    "initial": lambda store, table, x: store.TVar(None, x),
    "TRef": lambda store, table, x: store.TRef(x),
    "store": lambda store, table, x: stm.TVar("v", store=x),
    "validator": lambda store, table, x: stm.TVar(None, {1: 1}, store=store, validator=x),
    "open": lambda store, table, x: stm.open(name=x).close(),
    "max_bytes": lambda store, table, x: stm.open(max_bytes=x).close(),
    "history_bytes": lambda store, table, x: stm.open(history_bytes=x).close(),
    "durability": lambda store, table, x: stm.open("none", durability=x),
    "path": lambda store, table, x: stm.open(x, durability="none"),  # type: ignore[arg-type]
    "stats": lambda store, table, x: stm.stats(x),
    "run": lambda store, table, x: store.run(x),
    "atomically": lambda store, table, x: store.atomically(x)(),
    "register": lambda store, table, x: stm.register(x, "name"),
    "registered": lambda store, table, x: stm.register(type("C", (), {}), x),
    "watch": lambda store, table, x: stm.watch(x),
    "derived": lambda store, table, x: stm.derived(x),
}
OPTIONS = ("read_only", "isolation", "timeout", "max_attempts", "irrevocable", "label", "store")


def in_block(call: Call) -> Call:
    def inside(store: stm.Store, table: stm.TVar[Any, Any], x: Any) -> object:
        return store.atomically(max_attempts=3)(lambda: call(store, table, x))()

    return inside


def with_option(option: str) -> Call:
    def blocks(store: stm.Store, table: stm.TVar[Any, Any], x: Any) -> object:
        return stm.atomically(**{option: x})(lambda: None)()

    return blocks


CALLS = {
    **OUTSIDE,
    **{name: in_block(call) for name, call in IN_BLOCKS.items()},
    **{option: with_option(option) for option in OPTIONS},
}


@pytest.mark.parametrize("name", CALLS)
def test_a_value_or_one_typed_error(
    name: str, store: stm.Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    table: stm.TVar[Any, Any] = store.TVar("table", {"k": 1, "n": 1})
    for x in hostile(table):
        with suppress(*PERMITTED):
            CALLS[name](store, table, x)
        assert not stm.in_transaction()
    with store.atomically():
        table["after"] = 1
    assert table["after"] == 1
    assert not list(tmp_path.iterdir())


def test_what_is_let_through_would_be_seen(store: stm.Store) -> None:
    """The planted bug: an error that says nothing to the caller is none of those permitted."""
    with pytest.raises(AttributeError) as caught:
        object.missing  # type: ignore[attr-defined]  # noqa: B018
    assert not isinstance(caught.value, PERMITTED)


untyped: Any = stm


@pytest.mark.parametrize(
    ("call", "error", "why"),
    [
        (lambda: untyped.open(name=5), TypeError, "the name of a store is a str, not 5"),
        (lambda: untyped.open(max_bytes=1e6), TypeError, "max_bytes is a whole number of bytes"),
        (lambda: untyped.open(""), ValueError, "the path of a store is empty"),
        (lambda: untyped.atomically(timeout=10**400), ValueError, "timeout is a number"),
        (lambda: untyped.stats(0), TypeError, "takes a Store"),
    ],
)
def test_it_is_said_what_is_wrong(call: Any, error: type[Exception], why: str) -> None:
    with pytest.raises(error, match=why):
        call()
