"""Rates, differences and orders, from records that were made up."""

import pytest

from stmpy.statistics import Histogram, KeyHeat, Pair, Thread, difference, ranked, rates
from tests.seeing.made_up import block, histogram, stats


def test_a_quantile_lies_in_its_bucket() -> None:
    times = histogram(b3=98, b7=2)  # 98 values in [4, 8), 2 in [64, 128)
    assert times.quantile(0.5) == pytest.approx(4 + 4 * 50 / 98)
    assert times.quantile(0.99) == pytest.approx(64 + 64 * 1 / 2)
    assert times.quantile(1.0) == 128
    assert Histogram((0, 0, 0)).quantile(0.5) == 0
    assert Histogram((5, 0, 0)).quantile(0.9) == 0


def test_losses_that_no_timed_block_had_are_not_all_there_was() -> None:
    few = block("few", commits=1000, lost=1, wasted_ns=90_000, times=histogram(b7=10))
    assert few.busy_ns == 90_000 + 500 * 96
    assert rates(few, 1.0).wasted_share == 90_000 / few.busy_ns
    assert block("a", commits=10, times=histogram(b7=10)).busy_ns == 1000


def test_rates_of_a_store_and_of_one_block() -> None:
    one = block("one", commits=90, lost=10, wasted_ns=1000, times=histogram(b7=9))
    two = block("two", commits=10, lost=0, times=histogram(b7=1))
    found = rates(stats(one, two, seconds=2.0))
    assert found.commits == 50
    assert found.conflicts == 5
    assert found.conflict_share == 10 / 110
    assert found.wasted_share == 1000 / 10_000  # each of 100 blocks took 100 ns
    assert 64 <= found.p50_ns < found.p99_ns <= 128
    alone = rates(one, seconds=2.0)
    assert (alone.commits, alone.conflicts) == (45, 5)


def test_rates_of_nothing_are_zero() -> None:
    assert set(vars_of(rates(stats(seconds=0.0)))) == {0.0}


def vars_of(record: object) -> list[float]:
    return [getattr(record, name) for name in type(record).__slots__]  # type: ignore[attr-defined]


def test_what_happened_in_between() -> None:
    before = stats(
        block("idle", commits=5),
        block("busy", commits=10, lost=1, wasted_ns=50, times=histogram(b7=1)),
        seconds=10.0,
        keys=(KeyHeat("v", "k", 1), KeyHeat("v", 1, 9)),
        pairs=(Pair("idle", "busy", "v", "k", 1, 50),),
    )
    after = stats(
        block("idle", commits=5),
        block("busy", commits=30, lost=4, wasted_ns=450, times=histogram(b7=3, b9=1)),
        block("new", commits=1),
        seconds=12.5,
        keys=(KeyHeat("v", "k", 4), KeyHeat("v", 1, 8), KeyHeat("v", True, 2)),
        pairs=(Pair("idle", "busy", "v", "k", 4, 450),),
    )
    found = difference(after, before)
    assert found.seconds == 2.5
    assert (found.commits, found.conflicts, found.aborts["read"]) == (21, 3, 3)
    assert [b.name for b in found.blocks] == ["busy", "new"]
    busy = found.blocks[0]
    assert (busy.commits, busy.conflicts, busy.wasted_ns) == (20, 3, 400)
    assert busy.block_ns == histogram(b7=2, b9=1)
    assert found.keys == (KeyHeat("v", "k", 3), KeyHeat("v", True, 2))
    assert found.pairs == (Pair("idle", "busy", "v", "k", 3, 400),)
    assert difference(before, after).commits == 0


def test_orders() -> None:
    slow = block("slow", commits=1, times=histogram(b20=1))
    fast = block("fast", commits=9, times=histogram(b3=1))
    assert ranked((slow, fast), "commits") == (fast, slow)
    assert ranked((fast, slow), "block_ns") == (slow, fast)
    assert ranked((slow, fast), "name", reverse=True) == (fast, slow)
    named, unnamed = Thread(1, 0, 2, "in block", block="b"), Thread(1, 0, 3, "idle")
    assert ranked((unnamed, named), "block") == (named, unnamed)


def test_who_waits_longest_and_who_sees_the_oldest() -> None:
    threads = (
        Thread(1, 0, 1, "parked", block="take", age_ns=5),
        Thread(1, 0, 2, "parked", block="take", age_ns=7),
        Thread(1, 1, 3, "in block", block="audit", age_ns=9, snapshot=4),
        Thread(1, 1, 4, "in block", block="audit", age_ns=1, snapshot=6),
    )
    found = stats(threads=threads)
    assert [t.thread for t in found.waiters] == [2, 1]
    assert found.oldest == threads[2]
    assert stats().oldest is None
