"""A `TVar` is a mapping: what a dict answers, it answers, inside a block and outside."""

from collections.abc import Callable, Mapping, MutableMapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest

import stmpy as stm

type Table = stm.TVar[Any, Any]
type Check = Callable[[Table, Table], None]

CONTENTS: dict[Any, Any] = {
    "a": 1,
    2: "two",
    b"b": [3],
    None: None,
    (1, ("x", None)): {"k": (4,)},
    2.5: 1.5,
    "": "",
}


@pytest.fixture
def full(store: stm.Store) -> Table:
    return store.TVar("full", CONTENTS)


def test_it_is_a_mutable_mapping(table: Table) -> None:
    assert isinstance(table, Mapping)
    assert isinstance(table, MutableMapping)


# ---- reading: `full` holds CONTENTS and `empty` nothing ------------------------------------------


def what_is_there(full: Table, empty: Table) -> None:
    for key, value in CONTENTS.items():
        assert full[key] == full.get(key) == full.get(key, 7) == value
        assert type(full[key]) is type(value)
        assert key in full
    assert len(full) == len(CONTENTS)
    assert full


def what_is_absent(full: Table, empty: Table) -> None:
    for absent in ("b", 3, b"a", (1,), (), 2.25, "None"):
        with pytest.raises(KeyError):
            full[absent]
        assert full.get(absent) is None
        assert full.get(absent, full) is full
        assert absent not in full
    assert not empty
    assert len(empty) == 0
    assert list(empty) == []


def everything(full: Table, empty: Table) -> None:
    assert list(full) == list(CONTENTS)
    assert list(full.keys()) == list(CONTENTS)
    assert list(full.values()) == list(CONTENTS.values())
    assert list(full.items()) == list(CONTENTS.items())
    assert full.copy() == dict(full) == {**full} == CONTENTS
    assert type(full.copy()) is dict
    assert empty.copy() == {}


def views(full: Table, empty: Table) -> None:
    assert len(full.keys()) == len(full.values()) == len(full.items()) == len(CONTENTS)
    assert "a" in full.keys()  # noqa: SIM118  # the view is what is tested
    assert "two" in full.values()
    assert "three" not in full.values()
    assert ("a", 1) in full.items()
    assert ("a", 2) not in full.items()
    assert ("z", 1) not in full.items()
    assert full.keys() & {"a", 2, "z"} == {"a", 2}
    assert full.keys() | {"z"} == {*CONTENTS, "z"}
    assert full.keys() - {"a"} == set(CONTENTS) - {"a"}
    assert full.keys() == CONTENTS.keys()
    assert full.keys().isdisjoint(["z"])
    assert empty.items() == set()


def many_keys(full: Table, empty: Table) -> None:
    assert full.get_many(["a", 2, "z"]) == {"a": 1, 2: "two", "z": None}
    assert full.get_many(iter(["z", "a"]), default=0) == {"z": 0, "a": 1}
    assert full.get_many([]) == {}
    assert list(full.get_many([2, "a"])) == [2, "a"]
    assert empty.get_many("ab") == {"a": None, "b": None}


def comparison(full: Table, empty: Table) -> None:
    assert full == CONTENTS
    assert full == full
    assert full == CONTENTS
    assert full != {**CONTENTS, "a": 2}
    assert full != {key: CONTENTS[key] for key in CONTENTS if key != "a"}
    assert full != {**CONTENTS, "z": 1}
    assert full != list(CONTENTS.items())  # type: ignore[comparison-overlap]
    assert full != None  # noqa: E711  # the operator is what is tested
    assert empty == {}
    assert empty != full


def union(full: Table, empty: Table) -> None:
    assert full | {"a": 2, "z": 3} == CONTENTS | {"a": 2, "z": 3}
    assert {"a": 2, "z": 3} | full == {"a": 2, "z": 3} | CONTENTS
    assert full | empty == empty | full == CONTENTS
    assert type(full | {}) is type({} | full) is dict
    with pytest.raises(TypeError):
        full | [("a", 2)]  # type: ignore[operator]  # what is tested
    with pytest.raises(TypeError):
        [("a", 2)] | full  # type: ignore[operator]  # what is tested


def wrong_calls(full: Table, empty: Table) -> None:
    calls: list[Callable[[], object]] = [
        lambda: full.get(),  # type: ignore[call-overload]
        lambda: full.get("a", 1, 2),  # type: ignore[call-overload]
        lambda: full.copy(1),  # type: ignore[call-arg]
        lambda: full.get_many(),  # type: ignore[call-overload]
        lambda: full.get_many(5),  # type: ignore[call-overload]
        lambda: full.pop(),  # type: ignore[call-overload]
        lambda: full.pop("a", 1, 2),  # type: ignore[call-overload]
        lambda: hash(full),
        lambda: reversed(full),
        lambda: full + full,  # type: ignore[operator]
    ]
    for call in calls:
        with pytest.raises(TypeError):
            call()


def unhashable_keys(full: Table, empty: Table) -> None:
    calls: list[Callable[[], object]] = [
        lambda: full[[]],
        lambda: full.get({}),
        lambda: [1] in full,
        lambda: full.get_many([set()]),
        lambda: full[([],)],
    ]
    for call in calls:
        with pytest.raises(stm.EncodeError) as caught:
            call()
        assert isinstance(caught.value, TypeError)


def around(where: str, store: stm.Store) -> AbstractContextManager[object]:
    match where:
        case "block":
            return store.atomically()
        case "snapshot":
            return store.snapshot()
        case "weak":
            return store.atomically(isolation="snapshot")
        case "serial":
            return store.atomically(irrevocable=True)
    return nullcontext()


READING: list[Check] = [
    what_is_there,
    what_is_absent,
    everything,
    views,
    many_keys,
    comparison,
    union,
    wrong_calls,
    unhashable_keys,
]


@pytest.mark.parametrize("where", ["outside", "block", "snapshot", "weak", "serial"])
@pytest.mark.parametrize("check", READING)
def test_reading(check: Check, where: str, store: stm.Store, full: Table, table: Table) -> None:
    with around(where, store):
        check(full, table)


@pytest.mark.parametrize("check", READING)
def test_reading_what_the_block_itself_has_written(
    check: Check, store: stm.Store, full: Table, table: Table
) -> None:
    with store.atomically(), store.atomically():
        for key in reversed(CONTENTS):
            del full[key]
            table[key] = 1
        full.update(CONTENTS)
        table.clear()
        check(full, table)
