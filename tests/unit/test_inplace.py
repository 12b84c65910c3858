"""Mutable values belong to the block that has read them: what it leaves in them is stored."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

import stmpy as stm
from tests.unit.background import in_another_thread

type Table = stm.TVar[Any, Any]
type Lose = Callable[..., list[bool]]

START: dict[str, Any] = {
    "list": [1, [2], {"three": 3}],
    "dict": {"one": [1], "two": {"three": {3}}},
    "set": {1, "two", (3, 4)},
    "tuple": ([1], {2}),
    "text": "text",
}


@pytest.fixture
def full(store: stm.Store) -> Table:
    return store.TVar("full", START)


CHANGES: list[tuple[str, Callable[[Any], object]]] = [
    ("list", lambda value: value.append(4)),
    ("list", lambda value: value.clear()),
    ("list", lambda value: value[1].append(5)),
    ("list", lambda value: value[2].pop("three")),
    ("list", lambda value: value.reverse()),
    ("list", lambda value: value.extend([None] * 1000)),
    ("dict", lambda value: value.update(four=4)),
    ("dict", lambda value: value.pop("one")),
    ("dict", lambda value: value["two"]["three"].add(6)),
    ("dict", lambda value: value.update(one=value.pop("one"))),
    ("set", lambda value: value.add(5)),
    ("set", lambda value: value.discard("two")),
    ("set", lambda value: value.clear()),
    ("tuple", lambda value: value[0].append(2)),
    ("tuple", lambda value: value[1].clear()),
]


def changed(key: str, change: Callable[[Any], object]) -> Any:
    value = eval(repr(START[key]))
    change(value)
    return value


@pytest.mark.parametrize("isolation", ["serializable", "snapshot"])
@pytest.mark.parametrize(("key", "change"), CHANGES)
def test_a_change_in_place_is_stored(
    key: str, change: Callable[[Any], object], isolation: Any, store: stm.Store, full: Table
) -> None:
    with store.atomically(isolation=isolation) as block:
        change(full[key])
        assert full[key] == changed(key, change)
        assert full.copy()[key] == dict(full.items())[key] == full[key]
        in_another_thread(lambda: _is(full, START))
    assert block.version is not None
    assert full == {**START, key: changed(key, change)}
    assert str(full["dict"]) == str(changed("dict", change) if key == "dict" else START["dict"])


def _is(table: Table, expected: dict[Any, Any]) -> None:
    assert table == expected


@pytest.mark.parametrize(("key", "change"), CHANGES)
def test_a_change_in_place_is_made_once_after_conflicts(
    key: str, change: Callable[[Any], object], store: stm.Store, full: Table, lose: Lose
) -> None:
    given = lose(False, True, False, False, True)
    with store.atomically():
        change(full[key])
        full["other"] = 1
    assert sum(given) == 2
    assert full == {**START, key: changed(key, change), "other": 1}


@pytest.mark.parametrize(("key", "change"), CHANGES)
def test_a_change_in_an_undone_block_was_never_made(
    key: str, change: Callable[[Any], object], store: stm.Store, full: Table
) -> None:
    def fail() -> None:
        change(full[key])
        raise LookupError("undo")

    with pytest.raises(LookupError, match="undo"):
        store.run(fail)
    assert full == START


def test_outside_of_blocks_and_in_snapshots_values_are_copies(
    store: stm.Store, full: Table
) -> None:
    full["list"].append(4)
    full.copy()["dict"].clear()
    with store.snapshot():
        full["list"].append(4)
        assert full["list"] == START["list"]
    assert full == START


def test_what_was_read_stays_the_same_object(store: stm.Store, full: Table) -> None:
    with store.atomically():
        value = full["list"]
        assert full["list"] is full.get("list") is full.get_many(["list"])["list"] is value
        full["list"] = value
        assert full["list"] is value
        mine = [1]
        full["list"] = mine
        assert full["list"] is mine
        mine.append(2)
    assert full["list"] == [1, 2]
    mine.append(3)
    value.append(3)
    assert full["list"] == [1, 2]


def test_one_object_under_two_keys_becomes_two(store: stm.Store, full: Table) -> None:
    with store.atomically():
        full["a"] = full["b"] = shared = [1]
        shared.append(2)
    assert full["a"] == full["b"] == [1, 2]
    with store.atomically():
        full["a"].append(3)
    assert (full["a"], full["b"]) == ([1, 2, 3], [1, 2])


def test_reading_alone_writes_nothing(store: stm.Store, full: Table) -> None:
    before = store.stats()
    with store.atomically() as block:
        assert full.copy() == START
        for key in full:
            full[key] = full[key]
            full[key] = eval(repr(START[key]))
        full["list"].append(4)
        full["list"].pop()
    after = store.stats()
    assert block.version is None
    assert after.version == before.version
    assert after.read_only_commits == before.read_only_commits + 1


def test_values_taken_by_a_walk_are_copies(store: stm.Store, full: Table) -> None:
    """`copy`, `items` and `values` give what is there; a key by itself gives what is stored."""
    with store.atomically():
        full.copy()["list"].append(4)
        for _, value in full.items():
            if isinstance(value, list):
                value.append(5)
    assert full == START


def test_deleted_after_a_change_in_place(store: stm.Store, full: Table) -> None:
    with store.atomically():
        value = full["list"]
        value.append(4)
        del full["list"]
        value.append(5)
    assert "list" not in full
    with store.atomically():
        value = full.pop("dict")
        value.clear()
    assert "dict" not in full


def test_what_it_cannot_hold_is_refused_at_commit_with_its_path(
    store: stm.Store, full: Table
) -> None:
    def spoil() -> None:
        full["good"] = 1
        full["dict"]["two"]["bad"] = [object()]

    with pytest.raises(stm.EncodeError, match=r"bad.*object"):
        store.run(spoil)
    assert full == START

    def grow() -> None:
        full["list"].append(full["list"])

    with pytest.raises(stm.EncodeError, match="deep"):
        store.run(grow)
    assert full == START


@dataclasses.dataclass
class Point:
    """A registered class whose instances can be changed."""

    x: int
    path: list[int]


stm.register(Point, "tests.inplace.Point")


def test_instances_are_changed_in_place_too(store: stm.Store, full: Table, lose: Lose) -> None:
    with store.atomically():
        full["point"] = Point(1, [1])
    lose(False, True)
    with store.atomically():
        point = full["point"]
        point.x += 1
        point.path.append(2)
    assert full["point"] == Point(2, [1, 2])
    with store.atomically():
        full["list"].append(full["point"])
        full["point"].path.clear()
    assert full["list"][-1] == Point(2, [])
    assert full["point"] == Point(2, [])


def test_a_value_that_changes_while_it_is_encoded(store: stm.Store, full: Table) -> None:
    """Encoding may run code of the program, through properties; nothing is torn by it."""

    class Sly(list[int]):
        pass

    with pytest.raises(stm.EncodeError, match="Sly"), store.atomically():
        full["list"] = [1, Sly([2])]
    assert full == START
