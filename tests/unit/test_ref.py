"""`TRef`, one value; and the names under which variables are found."""

import copy
import pickle
from collections.abc import Callable
from typing import Any, get_origin

import pytest

import stmpy as stm
from stmpy import _native

type Lose = Callable[..., list[bool]]


def test_value(store: stm.Store) -> None:
    ref = store.TRef("ref")
    assert ref.value is None
    for value in (1, "two", [3], {"k": (4,)}, None, 5.0):
        with store.atomically():
            ref.value = value
            assert ref.value == value
        assert ref.value == value
        assert type(ref.value) is type(value)
    with store.atomically():
        ref.value = [1]
        ref.value.append(2)
    assert ref.value == [1, 2]
    ref.value.append(3)
    assert ref.value == [1, 2]


def test_writing_needs_a_block_that_writes(store: stm.Store) -> None:
    ref = store.TRef("ref", 1)
    with pytest.raises(stm.TransactionRequired, match=r"ref.*with stm\.atomically\(\):"):
        ref.value = 2
    with store.snapshot(), pytest.raises(stm.ReadOnly, match="ref"):
        ref.value = 2
    with store.atomically(), pytest.raises(AttributeError, match="None"):
        del ref.value
    with store.atomically(), pytest.raises(stm.EncodeError, match="object"):
        ref.value = object()
    with pytest.raises(AttributeError):
        ref.other = 1  # type: ignore[attr-defined]
    assert ref.value == 1


def test_swap(store: stm.Store, lose: Lose) -> None:
    ref = store.TRef("ref", 1)
    assert ref.swap(lambda value: value + 1) == 2
    given = lose(False, True)
    assert ref.swap(lambda value: value + 1) == 3
    assert True in given
    with store.atomically():
        assert ref.swap(lambda value: [value]) == [3]
        ref.value.append(4)
    assert ref.value == [3, 4]
    with pytest.raises(TypeError):
        ref.swap(5)  # type: ignore[arg-type]
    with store.snapshot(), pytest.raises(stm.ReadOnly):
        ref.swap(lambda value: value)
    assert ref.value == [3, 4]


# ---- names ---------------------------------------------------------------------------------------

KINDS = [stm.TVar, stm.TRef]


@pytest.mark.parametrize("kind", KINDS)
def test_one_name_is_one_variable(kind: Any, store: stm.Store) -> None:
    first, second = kind("name", store=store), kind("name", store=store)
    assert first is not second
    with store.atomically():
        if kind is stm.TVar:
            first["k"] = 1
            assert second["k"] == 1
        else:
            first.value = 1
            assert second.value == 1
    assert first.name == second.name == "name"
    assert first.store == second.store == store
    assert repr(first).startswith(f"{kind.__name__}('name', ")
    for attribute in ("name", "store"):
        with pytest.raises(AttributeError):
            setattr(first, attribute, "other")


@pytest.mark.parametrize(
    "name", ["a", "Ä" * 100, "with space", "\0", "\U0001f600", "x" * 255, "~", "a.b/c"]
)
def test_names(name: str, store: stm.Store) -> None:
    table = store.TVar(name, {"k": name})
    assert table.name == name
    assert store.TVar(name) == {"k": name}
    assert pickle.loads(pickle.dumps(table)) == {"k": name}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["", "x" * 256, "Ä" * 128, "x" * 100_000])
def test_names_have_1_to_255_bytes(kind: Any, name: str, store: stm.Store) -> None:
    with pytest.raises(ValueError, match="1 to 255 bytes"):
        kind(name, store=store)


@pytest.mark.parametrize("kind", KINDS)
def test_names_are_text(kind: Any, store: stm.Store) -> None:
    for name in (5, b"name", ["name"], object()):
        with pytest.raises(TypeError):
            kind(name, store=store)
    with pytest.raises(UnicodeEncodeError):
        kind("\ud800", store=store)
    with pytest.raises(TypeError, match="store"):
        kind("name", store="store")


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_name_each_is_its_own(kind: Any, store: stm.Store) -> None:
    one, two = kind(store=store), kind(store=store)
    assert one.name != two.name
    same = pickle.loads(pickle.dumps(one))
    with store.atomically():
        for number, variable in enumerate((one, two)):
            if kind is stm.TVar:
                variable["k"] = number
            else:
                variable.value = number
    if kind is stm.TVar:
        assert (one, two, same) == ({"k": 0}, {"k": 1}, {"k": 0})
    else:
        assert (one.value, two.value, same.value) == (0, 1, 0)


def test_a_name_belongs_to_one_kind(store: stm.Store) -> None:
    store.TVar("table")
    store.TRef("ref")
    with pytest.raises(stm.StmError, match=r"table: this name belongs to a TVar"):
        store.TRef("table")
    with pytest.raises(stm.StmError, match=r"ref: this name belongs to a TRef"):
        store.TVar("ref", {"k": 1})
    assert store.TRef("ref").value is None


def test_stores_have_names_of_their_own(store: stm.Store) -> None:
    with stm.open(max_bytes=1 << 20) as other:
        store.TVar("name", {"k": 1})
        other.TRef("name", 2)
        assert other.TRef("name").value == 2
        assert store.TVar("name") == {"k": 1}


# ---- initial values ------------------------------------------------------------------------------


def test_initial_is_put_in_by_who_creates(store: stm.Store) -> None:
    assert store.TVar("pairs", [("a", 1), ("b", 2)]) == {"a": 1, "b": 2}
    table = store.TVar("table", {"a": 1})
    assert store.TVar("table", {"a": 2, "b": 2}) == {"a": 1}
    with store.atomically():
        table.clear()
    assert store.TVar("table", {"a": 3}) == {}
    assert store.TRef("ref", 1).value == 1
    assert store.TRef("ref", 2).value == 1
    assert store.TVar("empty", {}) == {}
    assert store.TVar("empty", {"a": 1}) == {}
    assert store.TVar("from another", table) == {}


def test_a_variable_that_was_made_without_initial_has_been_created(store: stm.Store) -> None:
    store.TVar("table")
    assert store.TVar("table", {"a": 1}) == {}
    store.TRef("ref")
    assert store.TRef("ref", 1).value is None


def test_initial_values_are_part_of_the_block_around(store: stm.Store, lose: Lose) -> None:
    def work() -> None:
        table = store.TVar("table", {"a": 1})
        table["a"] += 1

    def fail() -> None:
        work()
        raise LookupError("undo")

    with pytest.raises(LookupError, match="undo"):
        store.run(fail)
    assert store.TVar("table") == {}
    lose(False, False, False, False, True)
    store.run(work)
    assert store.TVar("table") == {"a": 2}


def test_initial_values_that_cannot_be_stored(store: stm.Store) -> None:
    with pytest.raises(stm.EncodeError):
        store.TVar("table", {"a": object()})
    with pytest.raises(TypeError):
        store.TVar("table", 5)
    with pytest.raises(stm.EncodeError):
        store.TRef("ref", object())
    assert store.TVar("table", {"a": 1}) == {"a": 1}
    assert store.TRef("ref", 1).value == 1


# ---- handles -------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_handles_travel_by_pickle_and_copy(protocol: int, store: stm.Store) -> None:
    table, ref = store.TVar("table", {"a": 1}), store.TRef("ref", 2)
    for travel in (
        lambda handle: pickle.loads(pickle.dumps(handle, protocol)),
        copy.copy,
        copy.deepcopy,
    ):
        other_store, other_table, other_ref = map(travel, (store, table, ref))
        assert (other_store, other_table, other_ref.value) == (store, {"a": 1}, 2)
        assert (type(other_table), type(other_ref)) == (stm.TVar, stm.TRef)
        assert hash(other_store) == hash(store)
    with store.atomically():
        table["a"] = 5
        assert pickle.loads(pickle.dumps(table, protocol)) == {"a": 5}


class Ages(stm.TVar[str, int]):
    """Variables can be subclassed."""

    def oldest(self) -> str:
        return max(self, key=lambda name: self[name])


def test_subclasses(store: stm.Store) -> None:
    ages = Ages("ages", {"ann": 7, "bob": 8}, store=store)
    assert ages.oldest() == "bob"
    travelled = pickle.loads(pickle.dumps(ages))
    assert type(travelled) is Ages
    assert travelled.oldest() == "bob"
    assert get_origin(stm.TVar[str, int]) is stm.TVar
    with pytest.raises(TypeError):
        type("Wrong", (stm.atomically,), {})
    with pytest.raises(TypeError):
        _native.Var()  # type: ignore[call-arg]
