"""Writing to a `TVar` does what it does to a dict, within a block; outside it is refused."""

from collections.abc import Callable, MutableMapping
from typing import Any

import pytest

import stmpy as stm

type Table = stm.TVar[Any, Any]
type Mutable = MutableMapping[Any, Any]

CONTENTS: dict[Any, Any] = {"a": 1, 2: "two", b"b": [3], None: None, (1, (None,)): {}, 2.5: 1.5}


@pytest.fixture
def full(store: stm.Store) -> Table:
    return store.TVar("full", CONTENTS)


# Each is done to the variable and to a dict, and returns what else has to be equal.


def assign(to: Mutable) -> object:
    for key in ("a", "new", 2, (3, 4)):
        to[key] = "value"
        assert to[key] == "value"
    return "new" in to


def delete(to: Mutable) -> object:
    for key in list(CONTENTS):
        del to[key]
        assert key not in to
        assert to.get(key) is None
        with pytest.raises(KeyError):
            to[key]
        with pytest.raises(KeyError):
            del to[key]
    return len(to)


def delete_what_is_absent(to: Mutable) -> object:
    for absent in ("absent", (), (1, 2)):
        with pytest.raises(KeyError):
            del to[absent]
    return len(to)


def delete_and_insert_again(to: Mutable) -> object:
    for value in (1, 5):
        del to["a"]
        to["a"] = value
    to["new"] = 1
    del to["new"]
    return "new" in to, sorted(map(str, to))


def pop(to: Mutable) -> object:
    there = to.pop("a"), to.pop("a", 9), to.pop("a", None)
    with pytest.raises(KeyError):
        to.pop((1, 2))
    return there


def popitem_until_empty(to: Mutable) -> object:
    seen = {}
    while to:
        key, value = to.popitem()
        assert key not in to
        seen[key] = value
    with pytest.raises(KeyError):
        to.popitem()
    return seen


def setdefault(to: Mutable) -> object:
    to.setdefault("list", []).append(1)
    to.setdefault("list", []).append(2)
    return to.setdefault("a", 5), to.setdefault("new", 5), to.setdefault("none")


def update(to: Mutable) -> object:
    to.update({"a": 2, "b": 3})
    to.update([("c", 4), ("a", 5)])
    to.update(iter([("g", 9)]))
    to.update(d=6)
    to.update({"e": 7}, f=8)
    to.update({})
    to.update()
    return None


def update_with_what_is_no_mapping(to: Mutable) -> object:
    with pytest.raises(TypeError):
        to.update(5)  # type: ignore[call-overload]
    with pytest.raises(ValueError, match=r"unpack|length"):
        to.update([(1, 2, 3)])  # type: ignore[list-item]
    return len(to)


def unite_in_place(to: Mutable) -> object:
    same: Any = to
    same |= {"a": 2, "z": 3}
    same |= [("y", 4)]
    return same is to


def clear(to: Mutable) -> object:
    to.clear()
    assert list(to) == []
    to["after"] = 1
    to.clear()
    to["at last"] = 1
    return len(to)


def move_all(to: Mutable) -> object:
    for key in list(to):
        to[key, "moved"] = to.pop(key)
    return len(to)


WRITING: list[Callable[[Mutable], object]] = [
    assign,
    delete,
    delete_what_is_absent,
    delete_and_insert_again,
    pop,
    popitem_until_empty,
    setdefault,
    update,
    update_with_what_is_no_mapping,
    unite_in_place,
    clear,
    move_all,
]


def copied() -> dict[Any, Any]:
    return {key: eval(repr(value)) for key, value in CONTENTS.items()}


@pytest.mark.parametrize("irrevocable", [False, True])
@pytest.mark.parametrize("write", WRITING)
def test_writing(
    write: Callable[[Mutable], object], irrevocable: bool, store: stm.Store, full: Table
) -> None:
    oracle = copied()
    with store.atomically(irrevocable=irrevocable):
        assert write(full) == write(oracle)
        assert full == oracle
        assert len(full) == len(list(full)) == len(oracle)
    assert full == oracle
    assert len(full) == len(list(full)) == len(oracle)


@pytest.mark.parametrize("write", WRITING)
def test_what_was_written_is_undone(
    write: Callable[[Mutable], object], store: stm.Store, full: Table
) -> None:
    """By an exception, of the whole and of a nested block."""
    oracle = copied()

    def write_and_fail() -> None:
        with store.atomically():
            write(full)
            raise LookupError("undo")

    with pytest.raises(LookupError, match="undo"):
        write_and_fail()
    assert full == CONTENTS
    with store.atomically():
        with pytest.raises(LookupError, match="undo"):
            write_and_fail()
        assert full == CONTENTS
        assert len(full) == len(CONTENTS)
        assert write(full) == write(oracle)
    assert full == oracle


@pytest.mark.parametrize("key", ["absent", (), (1, 2)])
def test_a_key_error_holds_the_key(key: object, store: stm.Store, full: Table) -> None:
    with store.atomically(), pytest.raises(KeyError) as caught:
        del full[key]
    assert caught.value.args == (key,)
    with pytest.raises(KeyError) as caught:
        full[key]
    assert caught.value.args == (key,)
    with pytest.raises(KeyError) as caught:
        full.pop(key)
    assert caught.value.args == (key,)


def test_iteration_shows_the_keys_of_its_beginning(store: stm.Store, full: Table) -> None:
    with store.atomically():
        seen = []
        for key in full:
            seen.append(key)
            del full[key]
            full[key, "moved"] = 1
    assert seen == list(CONTENTS)
    assert full.copy() == dict.fromkeys([(key, "moved") for key in CONTENTS], 1)


def test_writing_outside_is_refused_with_the_words_to_write(full: Table) -> None:
    writes: list[Callable[[], object]] = [
        lambda: full.__setitem__("a", 2),
        lambda: full.__delitem__("a"),
        lambda: full.pop("a"),
        lambda: full.popitem(),
        lambda: full.setdefault("new", 2),
        lambda: full.update({"a": 2}),
        lambda: full.update(a=2),
        lambda: full.__ior__({"a": 2}),
        lambda: full.clear(),
    ]
    for write in writes:
        with pytest.raises(stm.TransactionRequired, match=r"with stm\.atomically\(\):"):
            write()
        assert full == CONTENTS


def test_what_writes_nothing_is_allowed_outside(full: Table, table: Table) -> None:
    assert full.setdefault("a", 2) == 1
    assert full.pop("absent", 3) == 3
    full.update({})
    table.clear()
    with pytest.raises(KeyError):
        full.pop("absent")
    with pytest.raises(KeyError):
        table.popitem()


def test_writing_in_a_block_that_only_reads_is_refused(store: stm.Store, full: Table) -> None:
    for options in ({"read_only": True}, {"read_only": True, "isolation": "snapshot"}):
        with store.atomically(**options):
            with pytest.raises(stm.ReadOnly, match=r"full\['a'\]"):
                full["a"] = 2
            with pytest.raises(stm.ReadOnly, match=r"full\['a'\]"):
                del full["a"]
            assert full["a"] == 1
    assert full == CONTENTS
