"""What type checkers know of the public names: mypy checks this file, and running it checks mypy.

`assert_type` is for the checker; the assertion beside it shows that what it was told is so. Each
`type: ignore` is a mistake that must be found: mypy fails where one is not needed.
"""

from collections.abc import ItemsView, Iterator, MutableMapping, ValuesView
from typing import Any, assert_type

import pytest

import stmpy as stm


@pytest.fixture
def store() -> Iterator[stm.Store]:
    with stm.open(max_bytes=1 << 20) as opened:
        assert_type(opened, stm.Store)
        yield opened


def test_variables_know_their_keys_and_values(store: stm.Store) -> None:
    ages = stm.TVar("ages", {"ann": 7, "bob": 8}, store=store)
    assert_type(ages, stm.TVar[str, int])
    mapping: MutableMapping[str, int] = ages
    assert mapping is ages

    assert_type(ages["ann"], int)
    assert_type(ages.get("ann"), int | None)
    assert_type(ages.get("ann", 0), int)
    assert_type(ages.get("ann", "?"), int | str)
    assert_type(ages.copy(), dict[str, int])
    assert_type(ages.get_many(["ann"]), dict[str, int | None])
    assert_type(ages.get_many(["ann"], 0), dict[str, int])
    assert_type(ages.items(), ItemsView[str, int])
    assert_type(ages.values(), ValuesView[int])
    assert_type(list(ages), list[str])
    assert_type(ages | {"cid": 9}, dict[str, int])
    assert_type(ages.name, str)
    assert_type(ages.store, stm.Store)
    with store.atomically():
        assert_type(ages.pop("ann"), int)
        assert_type(ages.pop("ann", None), int | None)
        ages[5] = 1  # type: ignore[index]
        ages["x"] = "y"  # type: ignore[assignment]
        ages |= {"cid": 9}
    assert_type(ages, stm.TVar[str, int])
    assert ages.copy() == {"bob": 8, 5: 1, "x": "y", "cid": 9}

    pairs = stm.TVar("pairs", [("a", (1, 2))], store=store)
    assert_type(pairs, stm.TVar[str, tuple[int, int]])
    named: stm.TVar[tuple[str, int], list[str]] = stm.TVar("named", store=store)
    assert_type(named.get(("a", 1)), list[str] | None)
    assert_type(store.TVar("any"), stm.TVar[Any, Any])


def test_references_know_their_value(store: stm.Store) -> None:
    best = stm.TRef("best", 0, store=store)
    assert_type(best, stm.TRef[int])
    assert_type(best.value, int)
    assert_type(best.swap(lambda value: value + 1), int)
    with store.atomically():
        best.value = 5
        best.value = "text"  # type: ignore[assignment]
    assert best.value == "text"  # type: ignore[comparison-overlap]


def test_blocks(store: stm.Store) -> None:
    with stm.atomically() as block:
        assert_type(block, stm.atomically)
        assert_type(block.attempt, int)
        assert_type(block.version, int | None)
        assert_type(block.snapshot, int)
        assert_type(block.serial, bool)
    with store.atomically(timeout=5, isolation="snapshot", label="one") as block:
        assert_type(block, stm.atomically)
        assert_type(block.label, str | None)
    with stm.snapshot() as block:
        assert_type(block, stm.atomically)
    with pytest.raises(ValueError, match="isolation"):
        stm.atomically(isolation="serialisable")  # type: ignore[call-overload]
    with pytest.raises(TypeError):
        stm.atomically(retries=3)  # type: ignore[call-overload]
    # What follows a block is reached: it swallows no exception.
    assert_type(stm.in_transaction(), bool)


def half(number: int, /, *, up: bool = False) -> float:
    return (number + up) / 2


def test_functions_keep_their_signature(store: stm.Store) -> None:
    assert_type(stm.run(half, 3, up=True), float)
    assert_type(store.run(half, 3), float)
    for decorated in (stm.atomically(half), stm.atomically(timeout=5)(half)):
        assert_type(decorated(3, up=True), float)
    assert_type(store.atomically(half)(4), float)
    with pytest.raises(TypeError):
        stm.run(half, 3, down=True)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        stm.atomically(half)()  # type: ignore[call-arg]


class Account:
    def __init__(self, store: stm.Store) -> None:
        self.balance = store.TRef("balance", 10)

    @stm.atomically(label="read")
    def after(self, fee: int) -> int:
        assert isinstance(self.balance.value, int)
        return self.balance.value - fee

    @staticmethod
    @stm.atomically
    def double(number: int) -> int:
        return 2 * number


def test_methods_lose_their_self() -> None:
    # The methods run on the default store, so their account must be there as well.
    account = Account(stm.TRef("account").store)
    assert_type(account.after(3), int)
    assert_type(Account.double(2), int)
    assert (account.after(3), Account.double(2)) == (7, 4)
    with pytest.raises(TypeError):
        account.after("3", 4)  # type: ignore[call-arg, arg-type]


def test_stores_and_statistics(store: stm.Store) -> None:
    assert_type(store.closed, bool)
    assert_type(store.stats(), stm.Stats)
    assert_type(stm.stats(), stm.Stats)
    assert_type(store.stats().commits, int)
    assert_type(store.stats().memory.used_bytes, int)
    assert_type([heat.conflicts for heat in store.stats().keys], list[int])


def test_errors_are_what_they_say() -> None:
    errors: list[type[stm.StmError]] = [stm.Conflict, stm.StoreFull, stm.NestedMisuse]
    timeout: TimeoutError = stm.TransactionTimeout()
    full: MemoryError = stm.StoreFull()
    wrong: TypeError = stm.EncodeError()
    assert all(issubclass(error, stm.StmError) for error in errors)
    assert isinstance(timeout, TimeoutError)
    assert isinstance(full, MemoryError)
    assert isinstance(wrong, TypeError)


def test_structures_know_their_items(store: stm.Store) -> None:
    queue: stm.TQueue[str] = stm.TQueue(store=store)
    queue.put("a")
    assert_type(queue.get(), str)
    assert_type(stm.__version__, str)
    assert {"TQueue", "watch", "InterpreterPool", "__version__"} <= set(dir(stm))
