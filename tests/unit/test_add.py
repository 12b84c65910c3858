"""`add`: sums that never conflict with each other, and what turns one into a read and a write."""

import math
from collections.abc import Callable
from functools import reduce
from operator import add as plus
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import stmpy as stm
from tests.unit.background import Background, in_another_thread

type Table = stm.TVar[Any, Any]

ISOLATION = pytest.mark.parametrize("isolation", ["serializable", "snapshot"])


def meanwhile(
    table: Table, first: Callable[[], Any], other: Callable[[], Any], **options: Any
) -> int:
    """Runs `first` in a block, and once in the middle of it `other` in another; the attempts."""
    attempts = 0

    @stm.atomically(store=table.store, **options)
    def block() -> None:
        nonlocal attempts
        attempts += 1
        first()
        if attempts == 1:
            in_another_thread(lambda: table.store.run(other))

    block()
    return attempts


def test_what_it_adds(store: stm.Store, table: Table) -> None:
    with store.atomically():
        assert table.add("n") is None  # type: ignore[func-returns-value]
        table.add("n", 41)
        table.add("negative", -5)
        table.add("float", 0.5)
        table.add("float")
        table.add(("a", 1), 2)
    assert table == {"n": 42, "negative": -5, "float": 1.5, ("a", 1): 2}
    assert type(table["n"]) is int
    assert type(table["float"]) is float
    ref: stm.TRef[int] = store.TRef("ref")
    with store.atomically():
        ref.add()
        ref.add(2)
    assert ref.value == 3


@ISOLATION
@pytest.mark.parametrize("start", [{}, {"n": 10}, {"n": 0.5}])
def test_two_adders_do_not_conflict(
    store: stm.Store, table: Table, isolation: str, start: dict[str, Any]
) -> None:
    with store.atomically():
        table.update(start)
    options = {"isolation": isolation}
    assert meanwhile(table, lambda: table.add("n", 3), lambda: table.add("n", 4), **options) == 1
    assert table == {"n": start.get("n", 0) + 7}
    assert len(table) == 1
    assert store.stats().conflicts == 0


def test_the_check_can_fail(table: Table) -> None:
    def increment() -> None:
        table["n"] = table.get("n", 0) + 1

    assert meanwhile(table, increment, lambda: table.add("n")) == 2
    assert table == {"n": 2}


def test_many_adders(store: stm.Store, table: Table) -> None:
    def work() -> None:
        for i in range(100):
            with store.atomically():
                table.add("n")
                table.add(i % 3, 2)

    workers = [Background(work) for _ in range(4)]
    for worker in workers:
        worker.join()
    assert table == {"n": 400, 0: 272, 1: 264, 2: 264}
    assert len(table) == 4
    assert store.stats().conflicts == 0


LOOKS: list[Callable[[Table], Any]] = [
    lambda t: t["n"],
    lambda t: t.get("n"),
    lambda t: t.get_many(["n"])["n"],
    lambda t: t.copy()["n"],
    lambda t: dict(t.items())["n"],
    lambda t: t.ensure("n"),
]


@ISOLATION
@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("look", LOOKS)
def test_who_reads_the_key_depends_on_it(
    store: stm.Store, table: Table, isolation: str, before: bool, look: Callable[[Table], Any]
) -> None:
    with store.atomically():
        table["n"] = 10
    seen = []

    def first() -> None:
        if before:
            seen.append(look(table))
        table.add("n", 1)
        seen.append(look(table))
        table.add("n", 100)
        seen.append(look(table))
        table["copy"] = table["n"]

    options = {"isolation": isolation}
    assert meanwhile(table, first, lambda: table.add("n", 5), **options) == 2
    assert table == {"n": 116, "copy": 116}
    assert seen == [*[10] * before, 11, 111, *[15] * before, 16, 116]


def test_length_and_keys_without_the_value(store: stm.Store, table: Table) -> None:
    def first() -> None:
        table.add("n", 1)
        assert len(table) == 1
        assert list(table) == ["n"]

    with store.atomically():
        table["n"] = 1
    # Neither looks at the value, so another's addition is no conflict; an insertion is one.
    assert meanwhile(table, first, lambda: table.add("n", 5)) == 1
    assert table == {"n": 7}
    with store.atomically():
        del table["n"]
    assert meanwhile(table, first, lambda: table.add("n", 5)) == 2
    assert table == {"n": 6}


def test_beside_other_writes(store: stm.Store, table: Table) -> None:
    with store.atomically():
        table.update(dict.fromkeys("abcdef", 10))
    with store.atomically():
        table.add("a", 5)
        table["a"] = 5
        table["b"] = 5
        table.add("b", 5)
        table.add("c", 5)
        del table["c"]
        del table["d"]
        table.add("d", 5)
        table.add("e", 5)
        assert table.pop("e") == 15
        table.add("f", 5)
        assert table.setdefault("f", 0) == 15
        table.add("new", 5)
        del table["new"]
        assert "new" not in table
        table.add("newer", 5)
        assert "newer" in table
        table["newer"] += 1
    assert table == {"a": 5, "b": 10, "d": 5, "f": 15, "newer": 6}
    assert len(table) == 5


def test_assigned_after_adding_is_assigned(store: stm.Store, table: Table) -> None:
    with store.atomically():
        table["n"] = 0

    def first() -> None:
        table.add("n", 5)
        table["n"] = 5

    assert meanwhile(table, first, lambda: table.add("n", 100)) == 1
    assert table == {"n": 5}


@pytest.mark.parametrize("outer", [None, 1, "assigned"])
@pytest.mark.parametrize("look", [False, True])
def test_undone_with_its_level(store: stm.Store, table: Table, outer: Any, look: bool) -> None:
    with store.atomically():
        table["n"] = 0
    seen = []

    def undone() -> None:
        table.add("n", 10)
        table.add("new", 10)
        if look:
            seen.append(table["n"])
        raise LookupError

    def losing() -> None:
        table.add("kept", 50)
        stm.retry()

    def other() -> None:
        table.add("n", 100)
        table.add("kept", 100)

    def first() -> None:
        if outer == "assigned":
            table["n"] = 1
        elif outer is not None:
            table.add("n", outer)
        with pytest.raises(LookupError):
            store.run(undone)
        with store.atomically():
            table.add("kept", 1)
            with store.atomically():
                table.add("kept", 1)
        stm.or_else(losing, lambda: table.add("kept", 7))

    # What an undone level has read still counts.
    attempts = meanwhile(table, first, other)
    reads = look and outer != "assigned"
    assert attempts == 1 + reads
    assert seen == ([10 + (outer == 1), 110 + (outer == 1)] if reads else [11] * look)
    expected = {"n": 1 if outer == "assigned" else 100 + (outer or 0), "kept": 109}
    assert table == expected
    assert len(table) == 2


def test_a_deletion_meanwhile(store: stm.Store, table: Table) -> None:
    with store.atomically():
        table["n"] = 10
    assert meanwhile(table, lambda: table.add("n", 5), lambda: table.pop("n")) == 2
    assert table == {"n": 5}
    assert len(table) == 1


def test_who_waits_is_woken(store: stm.Store, table: Table) -> None:
    def wait() -> None:
        with store.atomically(timeout=60):
            stm.check(table.get("n", 0) >= 3)

    waiting = Background(wait)
    for _ in range(3):
        with store.atomically():
            table.add("n")
    waiting.join()


NUMBERS = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([2**63 - 1, -(2**63), 2**63, -(2**63) - 1, 2**64, 2**53 + 1]),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.sampled_from([0.1, -0.0, 1e308, math.inf]),
)


@given(st.lists(st.lists(NUMBERS, min_size=1, max_size=3), min_size=1, max_size=4))
def test_sums_are_those_of_python(blocks: list[list[float]]) -> None:
    with stm.open(max_bytes=1 << 20) as store:
        table: Table = store.TVar("t")
        expected: float = 0
        for numbers in blocks:
            with store.atomically():
                for n in numbers:
                    table.add("n", n)
            # What a block adds is one number for as long as the core can add it.
            heads = [reduce(plus, numbers[:end]) for end in range(1, len(numbers) + 1)]
            possible = [
                reduce(plus, numbers[end:], expected + head) for end, head in enumerate(heads, 1)
            ]
            assert repr(table["n"]) in map(repr, possible)
            expected = table["n"]


@pytest.mark.parametrize("other", [1, 2**64, 0.5])
def test_ints_that_outgrow_64_bits_meanwhile(store: stm.Store, table: Table, other: Any) -> None:
    with store.atomically():
        table["n"] = 2**63 - 2
    assert meanwhile(table, lambda: table.add("n"), lambda: table.add("n", other)) == (
        1 if other == 0.5 else 2
    )
    assert table["n"] == 2**63 - 2 + other + 1


@pytest.mark.parametrize("value", ["text", b"", None, [1], {}, (1,), {1}])
def test_no_number(store: stm.Store, table: Table, value: Any) -> None:
    with store.atomically():
        table["kept"] = 1
        table["n"] = value

    def add() -> None:
        table.add("kept")
        table.add("n")

    with pytest.raises(stm.NotANumber, match=r"table\['n'\]: its value is"):
        store.run(add)
    with pytest.raises(stm.NotANumber, match=r"table\['kept'\]: what is added is"):
        store.run(table.add, "kept", value)
    assert issubclass(stm.NotANumber, stm.StmError)
    assert issubclass(stm.NotANumber, TypeError)
    assert table == {"kept": 1, "n": value}


def test_no_number_any_more_at_the_commit(store: stm.Store, table: Table) -> None:
    with store.atomically():
        table["n"] = 1

    def first() -> None:
        table.add("kept")
        table.add("n")

    with pytest.raises(stm.NotANumber, match=r"table\['n'\]: its value is 'text'"):
        meanwhile(table, first, lambda: table.update(n="text"))
    assert table == {"n": "text"}


def test_other_numbers_are_read_and_written(store: stm.Store, table: Table) -> None:
    from decimal import Decimal
    from fractions import Fraction

    with store.atomically():
        table.update(d=Decimal("0.1"), f=Fraction(1, 3), c=1j, b=True)
        for key in "dfcb":
            table.add(key, 1)
        table.add("b", True)
    assert table == {"d": Decimal("1.1"), "f": Fraction(4, 3), "c": 1 + 1j, "b": 3}
    assert meanwhile(table, lambda: table.add("d"), lambda: table.add("d")) == 2
    assert table["d"] == Decimal("3.1")


def test_where_it_is_refused(store: stm.Store, table: Table) -> None:
    ref: stm.TRef[int] = store.TRef("ref")
    calls: list[Callable[[], Any]] = [lambda: table.add("n"), ref.add]
    for call in calls:
        with pytest.raises(stm.TransactionRequired):
            call()
        with pytest.raises(stm.ReadOnly), store.atomically(read_only=True):
            call()
    with store.atomically():
        for arguments in ((), ("n", 1, 2)):
            with pytest.raises(TypeError, match="1 to 2 arguments"):
                table.add(*arguments)
        with pytest.raises(TypeError, match="0 to 1 arguments"):
            ref.add(1, 2)  # type: ignore[call-arg]
        with pytest.raises(stm.EncodeError):
            table.add(object())
    with stm.open(max_bytes=1 << 20) as other, pytest.raises(stm.NestedMisuse):
        other.run(table.add, "n")
    assert not table


def test_a_full_store_loses_nothing() -> None:
    with stm.open(max_bytes=1 << 20) as store:
        table: Table = store.TVar("t")

        def fill() -> None:
            for i in range(100_000):
                with store.atomically():
                    table.add("n")
                    table.add(i)

        with pytest.raises(stm.StoreFull):
            fill()
        assert table["n"] == len(table) - 1 > 1000
