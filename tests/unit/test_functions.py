"""Functions in blocks: decorated in every way, and called by `run`."""

import asyncio
import functools
import inspect
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import stmpy as stm
from tests.unit.background import Background, in_another_thread

type Table = stm.TVar[Any, Any]
type Lose = Callable[..., list[bool]]


@stm.atomically
def plain(a: int, /, b: int = 2, *rest: int, c: int = 3, **more: int) -> tuple[Any, ...]:
    """What it does."""
    return stm.in_transaction(), a, b, rest, c, more


@stm.atomically(label="with options", timeout=60)
def with_options(a: int) -> int:
    return a + 1


def test_arguments_and_result() -> None:
    assert plain(1) == (True, 1, 2, (), 3, {})
    assert plain(1, 5, 6, 7, c=8, d=9) == (True, 1, 5, (6, 7), 8, {"d": 9})
    assert plain(*[1], **{"b": 4}) == (True, 1, 4, (), 3, {})
    assert with_options(a=1) == with_options(1) == 2
    assert stm.run(len, "four") == 4
    assert stm.run(int, "ff", base=16) == 255
    assert stm.run(plain.__wrapped__, 1, 5, c=6, d=7) == (True, 1, 5, (), 6, {"d": 7})
    for wrong in (
        lambda: plain(),  # type: ignore[call-arg]
        lambda: plain(a=1),  # type: ignore[call-arg]
        lambda: with_options(1, 2),  # type: ignore[call-arg]
        lambda: stm.run(len),  # type: ignore[call-arg]
        lambda: stm.run(len, "a", "b"),  # type: ignore[call-arg]
        lambda: stm.run(),  # type: ignore[call-arg]
        lambda: stm.run(5),  # type: ignore[arg-type]
        lambda: stm.run(None),  # type: ignore[arg-type]
        lambda: stm.run(fn=len),  # type: ignore[call-arg]
    ):
        with pytest.raises(TypeError):
            wrong()
    assert not stm.in_transaction()


def test_it_looks_like_the_function() -> None:
    assert plain.__name__ == "plain"
    assert plain.__qualname__ == "plain"
    assert plain.__doc__ == "What it does."
    assert plain.__module__ == __name__
    assert inspect.signature(plain) == inspect.signature(plain.__wrapped__)
    assert inspect.unwrap(plain) is plain.__wrapped__
    assert plain.__wrapped__(1)[0] is False
    assert callable(plain)
    assert pickle.loads(pickle.dumps(plain)) is plain
    like_any: Any = plain
    like_any.note = "attributes can be set"
    assert like_any.note == "attributes can be set"
    del like_any.note


class Account:
    """Methods of every kind."""

    table: Table

    def __init__(self, key: str) -> None:
        self.key = key

    @stm.atomically
    def method(self, amount: int) -> int:
        self.table[self.key] = amount
        return amount

    @classmethod
    @stm.atomically
    def of_class(cls, amount: int) -> str:
        cls.table["class"] = amount
        return cls.__name__

    @staticmethod
    @stm.atomically(label="static")
    def static(amount: int) -> bool:
        return stm.in_transaction() and amount > 0

    @property
    @stm.atomically
    def value(self) -> int:
        assert stm.in_transaction()
        return int(self.table[self.key])

    @functools.cached_property
    @stm.atomically
    def once(self) -> bool:
        return stm.in_transaction()

    def __call__(self, amount: int) -> int:
        return self.method(amount)


class Special(Account):
    @stm.atomically
    def method(self, amount: int) -> int:
        return super().method(amount + 1)


def test_methods() -> None:
    Account.table = stm.TVar("functions account")
    account: Any = Account("mine")
    assert account.method(3) == account.value == 3
    assert Account.method(account, 4) == account.value == 4
    bound = account.method
    assert bound(amount=5) == account.value == 5
    assert bound.__self__ is account
    of_class: Any = Account.of_class  # mypy binds no class to what is not a plain function
    assert account.of_class(1) == of_class(1) == "Account"
    of_class = Special.of_class
    assert of_class(1) == "Special"
    assert account.static(1) is Account.static(2) is True
    assert account.once is True
    assert stm.atomically(account)(6) == account.value == 6
    assert stm.atomically(account.method)(7) == account.value == 7
    special = Special("special")
    assert special.method(3) == special.value == 4
    assert inspect.signature(Account.method).parameters.keys() == {"self", "amount"}
    assert inspect.signature(account.method).parameters.keys() == {"amount"}


def test_other_callables(table: Table) -> None:
    assert table.store.run(functools.partial(table.get, "a"), 5) == 5
    assert table.store.atomically(functools.partial(max, 3))(2) == 3
    make: Any = dict
    assert stm.atomically(make)(a=1) == {"a": 1}
    twice = table.store.atomically(table.store.atomically(lambda: stm.in_transaction()))
    assert twice() is True


def generator() -> Iterator[int]:
    yield 1


async def coroutine() -> int:
    return 1


async def asynchronous_generator() -> Any:
    yield 1


SUSPENDING: list[Callable[[], Any]] = [
    generator,
    coroutine,
    asynchronous_generator,
    functools.partial(generator),
    functools.partial(coroutine),
]


@pytest.mark.parametrize("function", SUSPENDING, ids=str)
def test_functions_that_run_after_the_call_are_refused(function: Callable[[], Any]) -> None:
    with pytest.raises(TypeError, match="after the block is over"):
        stm.atomically(function)
    with pytest.raises(TypeError, match="after the block is over"):
        stm.atomically(label="x")(function)


def test_blocks_within_coroutines_and_generators(table: Table) -> None:
    """That do not suspend inside the block."""

    async def work(name: str) -> int:
        for number in range(5):
            with table.store.atomically():
                table[name] = number
            await asyncio.sleep(0)
            plain(1)
        return number

    async def both() -> tuple[int, int]:
        return await asyncio.gather(work("a"), work("b"))

    def steps() -> Iterator[int]:
        for number in range(5):
            with table.store.atomically():
                table["steps"] = number
            yield number

    assert list(asyncio.run(both())) == [4, 4]
    assert list(steps()) == [0, 1, 2, 3, 4]
    assert table == {"a": 4, "b": 4, "steps": 4}


def test_a_function_runs_again_with_the_same_arguments(table: Table, lose: Lose) -> None:
    lose(False, True, False, False, True)
    seen: list[tuple[int, int]] = []

    @table.store.atomically
    def update(a: int, *, b: int) -> int:
        seen.append((a, b))
        table["a"] = a
        table["b"] = b
        return a + b

    assert update(1, b=2) == 3
    assert seen == [(1, 2)] * 3
    assert table == {"a": 1, "b": 2}


def test_the_result_of_a_lost_attempt_is_dropped(table: Table, lose: Lose) -> None:
    lose(False, True)
    results: list[object] = []

    def work() -> object:
        table["a"] = 1
        results.append(object())
        return results[-1]

    assert table.store.run(work) is results[1]


def test_recursion(table: Table) -> None:
    @table.store.atomically
    def down(depth: int) -> int:
        table[depth] = depth
        return depth if depth == 0 else down(depth - 1)

    assert down(50) == 0
    assert len(table) == 51


def test_nesting_has_a_limit(table: Table) -> None:
    @table.store.atomically
    def down() -> None:
        table["n"] = table.get("n", 0) + 1
        down()

    with pytest.raises(stm.NestedMisuse, match="64 deep"):
        down()
    assert table == {}
    assert not stm.in_transaction()


def test_many_threads_call_one_function(table: Table) -> None:
    @table.store.atomically
    def add() -> None:
        table["n"] = table.get("n", 0) + 1

    def work() -> None:
        for _ in range(100):
            add()

    threads = [Background(work) for _ in range(4)]
    for thread in threads:
        thread.join()
    assert table == {"n": 400}
    in_another_thread(add)
    assert table == {"n": 401}
