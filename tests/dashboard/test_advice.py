"""What to try next: each rule finds what it is for, and is silent where that is not so."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from stmpy.dashboard import _advice as rules
from stmpy.dashboard._advice import RULES, advice
from stmpy.dashboard._details import details
from stmpy.dashboard._panels import ALL, BLOCKS, KEYS, PAIRS
from stmpy.statistics import UNKNOWN, Memory, Pair, Stats, Thread
from tests.dashboard.scene import FEE, PAY, TAKE, scene
from tests.seeing.made_up import block, histogram, stats

SLOW = histogram(32, b22=10)  # 2 to 4 ms


def losing(*pairs: Pair, **more: int) -> Stats:
    return stats(block("a", commits=100, lost=50, times=SLOW, **more), pairs=pairs)


def serial(count: int, lost: int = 0) -> Stats:
    return stats(replace(block("a", commits=1000, lost=lost), serial=count))


def structure(count: int) -> Stats:
    a = block("a", commits=100)
    return stats(replace(a, reasons={**a.reasons, "read": 10, "structure": count}))


def memory(used: int, history: int) -> Stats:
    seeing = Thread(1, 0, 9, "in block", "audit", 1, 5_000_000_000, 77)
    return replace(stats(threads=(seeing,)), memory=Memory(used, 100, history, 100))


def parked(age_ns: float) -> Stats:
    thread = Thread(1, 0, 9, "parked", "take", 1, int(age_ns), 0, 1, "jobs", "new")
    return stats(threads=(thread,))


def on_disk(state: str, message: str = "", waiting: int = 0) -> Stats:
    made = scene(10)
    assert made.durability is not None
    threads = tuple(Thread(1, 0, i, "waiting for disk", "a") for i in range(waiting))
    return replace(
        stats(threads=(Thread(1, 0, 9, "in block", "a", 1, 1000), *threads)),
        durability=replace(made.durability, state=state, message=message),
    )


def reading(buckets: dict[str, int]) -> Stats:
    return replace(losing(), read_set=histogram(16, **buckets))


SELF = Pair("a", "a", "hits", "all", 50, 900)
OTHER = Pair("w", "a", "hits", "all", 50, 900)

CASES: list[tuple[Callable[..., object], Stats, Stats, list[str]]] = [
    (
        rules.beaten_by_itself,
        losing(SELF),
        losing(OTHER),
        ["hits['all']", "hits.add('all', n)", "hits.commute('all', function)"],
    ),
    (
        rules.beaten_by_another,
        losing(OTHER),
        losing(SELF, replace(OTHER, winner=UNKNOWN)),
        ["a loses to w over hits['all']", 'isolation="snapshot"', "hits.ensure('all')"],
    ),
    (
        rules.reads_too_much,
        reading({"b1": 10, "b14": 10}),
        reading({"b1": 10, "b9": 10}),
        ["keys", "stm.snapshot()", "split it", "ensure()"],
    ),
    (
        rules.long_and_losing,
        losing(),
        stats(block("a", commits=100, times=SLOW)),
        ["Half of its runs take more than 3.1 ms", "33 %"],
    ),
    (rules.looks_for_keys, structure(20), structure(5), ["keys come and go", "get_many"]),
    (rules.runs_serially, serial(1000), serial(10), ["from the start", "@stm.atomically"]),
    (rules.runs_serially, serial(100, lost=900), serial(0), ["because it lost too often"]),
    (
        rules.raises_often,
        stats(replace(block("a", commits=500), aborts=400)),
        stats(replace(block("a", commits=500), aborts=20)),
        ["400 of 900 runs"],
    ),
    (rules.history_fills, memory(10, 80), memory(10, 10), ["audit", "80 %", "SnapshotTooOld"]),
    (rules.memory_fills, memory(95, 0), memory(50, 0), ["95 B of 100 B", "StoreFull"]),
    (rules.waits_for_ever, parked(300e9), parked(1e9), ["jobs['new']", "5 min", "timeout="]),
    (
        rules.loses_its_turn,
        stats(block("a", commits=10_000, lost=5, wasted_ns=5_000_000, times=histogram(b10=99))),
        stats(block("a", commits=10_000, lost=5, wasted_ns=5_000, times=histogram(b10=99))),
        ["5 were, <0.1 % of all; each took 1.0 ms", "less than 1.0 µs", "InterpreterPool"],
    ),
    (
        rules.disk_refuses,
        on_disk("full", "no space left on device"),
        on_disk("running"),
        ["the disk is full", "/srv/bank: no space left on device. 3 commits", "Make room"],
    ),
    (
        rules.waits_for_disk,
        on_disk("running", waiting=2),
        on_disk("running", waiting=1),
        ["2 of 3 threads", "more than 1.6 ms", "share a sync", 'durability="relaxed"'],
    ),
]


@pytest.mark.parametrize(("rule", "found", "silent", "words"), CASES)
def test_a_rule_speaks_when_it_applies_and_not_otherwise(
    rule: Callable[[Stats], object], found: Stats, silent: Stats, words: list[str]
) -> None:
    (one,) = list(rule(found))  # type: ignore[call-overload]
    text = " ".join([one.finding, one.evidence, one.remedy])
    for word in words:
        assert word in text
    assert list(rule(silent)) == []  # type: ignore[call-overload]


def test_every_rule_has_a_case() -> None:
    assert {case[0] for case in CASES} == set(RULES)


def test_a_ref_is_added_to_without_a_key() -> None:
    (one,) = rules.beaten_by_itself(losing(replace(SELF, key=None)))
    assert "hits.add(n)" in one.remedy


def test_a_variable_whose_keys_come_and_go_is_not_taken_for_a_ref() -> None:
    found = replace(structure(20), pairs=(replace(SELF, key=None),))
    assert [one.rule for one in advice(found)] == ["structure"]


def test_a_longer_loser_is_said_to_be_longer() -> None:
    quick = block("w", commits=10, times=histogram(32, b10=10))
    one = next(rules.beaten_by_another(replace(losing(OTHER), blocks=(*losing().blocks, quick))))
    assert "the longer block loses" in one.evidence


def test_a_store_that_loses_little_gets_no_advice() -> None:
    assert advice(stats(block("a", commits=1000, lost=3), pairs=(SELF,))) == []
    assert advice(stats()) == []


def test_only_the_costly_pairs_are_named_the_costliest_first() -> None:
    cheap = Pair("a", "a", "hits", "x", 1, 3)
    found = advice(losing(cheap, SELF, replace(OTHER, cost_ns=5000)))
    assert [one.rule for one in found if one.rule in ("add", "pair")] == ["pair", "add"]


def test_one_block_that_beats_another_over_many_keys_is_one_finding() -> None:
    more = [replace(OTHER, key=f"k{i}", count=3, cost_ns=100) for i in range(4)]
    (one,) = rules.beaten_by_another(losing(OTHER, *more))
    assert one.finding == "a loses to w over hits['all'] and 4 more keys"
    assert one.cost_ns == 900 + 400
    assert one.evidence.startswith("62 times")
    (one,) = rules.beaten_by_itself(losing(SELF, replace(SELF, key="x", cost_ns=1)))
    assert one.finding == "a loses to itself over hits['all'] and one more key"


def text(row: object) -> str:
    lines = details(row, scene(100))
    return "\n".join("".join(part for part, _ in line) for line in lines)


def test_details_of_a_pair() -> None:
    rows = {(r.loser, r.winner): text(r) for r in PAIRS.rows(scene(100), scene(100))}
    assert f"try: Let {FEE} read accounts['house'] last" in rows[FEE, PAY]
    assert f"try: Let {PAY} read" not in rows[FEE, PAY]
    assert "totals.add('paid', n)" in rows[PAY, PAY]


def test_details_of_a_block() -> None:
    pay = next(text(row) for row in BLOCKS.rows(scene(100), scene(100)) if row.name == PAY)
    assert "920,000, and 0 that wrote nothing" in pay
    assert f"{PAY} loses to {FEE} over accounts['house']" in pay.partition("who beats it")[2]
    assert f"{FEE} loses to {PAY} over accounts['house']" in pay.partition("whom it beats")[2]
    assert "up to 16 µs" in pay
    assert TAKE not in pay


def test_details_of_a_key() -> None:
    key = next(text(r) for r in KEYS.rows(scene(100), scene(100)) if r.key == "accounts['house']")
    assert f"{FEE} loses to {PAY}" in key
    assert f"{PAY} loses to {FEE}" in key
    assert "32,500 attempts" in key


def test_every_row_of_every_panel_has_details() -> None:
    for panel in ALL:
        for row in panel.rows(scene(100), scene(100)):
            assert len(text(row).splitlines()) >= 2
