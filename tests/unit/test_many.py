"""`get_many` reads keys in batches, and gives what reading them one by one gives."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

import stmpy as stm

COUNT = 150  # several batches, and a part of one


def sample(number: int) -> Any:
    """A value of each kind that is read in a way of its own: short, kept, mutable, long."""
    return (number, f"value of {number}", [number], "long " * 20 + str(number))[number % 4]


KEYS: list[Any] = [
    n if n % 3 else f"key {n}" if n % 2 else (n, "a key too long to be remembered " * 2)
    for n in range(COUNT)
]


@pytest.fixture
def full(store: stm.Store) -> stm.TVar[Any, Any]:
    return store.TVar("many", {key: sample(n) for n, key in enumerate(KEYS)})


def one_by_one(tv: stm.TVar[Any, Any], keys: list[Any]) -> dict[Any, Any]:
    return {key: tv.get(key, "none") for key in keys}


def change_elsewhere(store: stm.Store, tv: stm.TVar[Any, Any], key: Any) -> None:
    def assign() -> None:
        with store.atomically():
            tv[key] = "changed"

    thread = threading.Thread(target=assign)
    thread.start()
    thread.join()


def test_all_kinds_of_values(full: stm.TVar[Any, Any], store: stm.Store) -> None:
    keys = [key for one in KEYS for key in (one, ("absent", str(one)))]
    expected = one_by_one(full, keys)
    for _ in range(2):
        assert full.get_many(keys, "none") == expected
        assert list(full.get_many(keys, "none")) == keys
        with store.atomically():
            assert full.get_many(keys, "none") == expected
            assert full.get_many(keys, "none") == expected
    with store.snapshot():
        assert full.get_many(keys + keys, "none") == expected


def test_what_the_block_wrote(full: stm.TVar[Any, Any], store: stm.Store) -> None:
    with store.atomically():
        full[KEYS[40]] = "new"
        del full[KEYS[41]]
        full.add("sum", 3)
        expected = one_by_one(full, [*KEYS, "sum"])
        assert full.get_many([*KEYS, "sum"], "none") == expected
        assert expected[KEYS[41]] == "none"


def test_a_key_has_one_object_in_a_block(full: stm.TVar[Any, Any], store: stm.Store) -> None:
    with store.atomically():
        found = full.get_many(KEYS)
        assert all(full[key] is found[key] for key in KEYS)
        full[KEYS[2]].append("changed in place")
    assert full[KEYS[2]] == [2, "changed in place"]


def test_what_was_read_is_validated(full: stm.TVar[Any, Any], store: stm.Store) -> None:
    changes = [KEYS[100], "absent"]
    with store.atomically():
        found = full.get_many([*KEYS, "absent"])
        if changes:
            change_elsewhere(store, full, changes.pop())
        full["seen"] = (found[KEYS[100]], found["absent"])
    assert full["seen"] == ("changed", "changed")


def test_keys_that_fail(full: stm.TVar[Any, Any], store: stm.Store) -> None:
    def broken() -> Iterator[Any]:
        yield from KEYS[:40]
        raise RuntimeError("no more keys")

    with pytest.raises(RuntimeError, match="no more keys"):
        full.get_many(broken())
    with pytest.raises(stm.EncodeError):
        full.get_many([*KEYS[:40], set()])
    assert full.get_many(KEYS[:40]) == one_by_one(full, KEYS[:40])


def test_keys_that_share_a_place(store: stm.Store) -> None:
    """Numbers 1,024 apart are remembered in one place: in a batch, only one of them."""
    keys = [number * 1024 for number in range(70)]
    tv = store.TVar("apart", {key: key + 1 for key in keys})
    for _ in range(2):
        assert tv.get_many(keys) == {key: key + 1 for key in keys}
