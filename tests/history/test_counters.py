"""Sums of committed additions: what the checker accepts, and which faults it finds."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.history.check import Isolation, check
from tests.history.hand import ABORT, LOST, Txn, add, history, total, txn, write
from tests.history.test_real import PROGRAM, ROOT

ADDED = (txn("T1", add("n", 5), version=2), txn("T2", add("n", 7), version=3))

RIGHT = [
    txn("R", total("n", 0), snapshot=1),
    txn("R", total("n", 5), snapshot=2),
    txn("R", total("n", 12), snapshot=3),
    txn("R", total("n", 12), snapshot=9),
    txn("R", total("m", 0), snapshot=9),
    txn("R", total("n", 5), ABORT, snapshot=2),
    txn("R", total("n", 12), add("n", 1), total("n", 13), snapshot=3, version=4),
    txn("R", add("n", 100), ABORT, snapshot=1),
]
WRONG = [
    txn("R", total("n", 7), snapshot=3),  # an addition is lost
    txn("R", total("n", 17), snapshot=3),  # or counted twice
    txn("R", total("n", 12), snapshot=2),  # seen too early
    txn("R", total("n", 5), ABORT, snapshot=1),  # also by one that aborted
    txn("R", total("n", 12), add("n", 1), total("n", 12), snapshot=3, version=4),  # own one unseen
]


@pytest.mark.parametrize("reader", RIGHT)
def test_sums_that_are_right(reader: Txn) -> None:
    assert check(history(*ADDED, reader)).clean


@pytest.mark.parametrize("reader", WRONG)
def test_sums_that_are_wrong(reader: Txn) -> None:
    report = check(history(*ADDED, reader))
    assert report.kinds == {"counter"}
    assert "the sum up to version" in str(report)


def test_what_aborted_does_not_count() -> None:
    undone = txn("T3", add("n", 100), ABORT)
    assert check(history(*ADDED, undone, RIGHT[3])).clean
    seen = txn("R", total("n", 112), snapshot=9)
    assert check(history(*ADDED, undone, seen)).kinds == {"counter"}


@pytest.mark.parametrize(("isolation", "clean"), [("serializable", False), ("snapshot", True)])
def test_what_was_read_holds_until_the_commit(isolation: Isolation, clean: bool) -> None:
    late = txn("R", total("n", 5), write("x", 1), snapshot=2, version=4)
    assert check(history(*ADDED, late), isolation).clean == clean


def test_a_version_that_is_not_known_leaves_its_counter_out() -> None:
    doubtful = txn("T3", add("n", 100), version=-1)
    assert check(history(*ADDED, doubtful, WRONG[0])).clean
    assert check(history(*ADDED, txn("T3", add("n", 100), LOST), RIGHT[3])).clean


def test_a_short_run_of_the_real_store(in_process: Callable[..., str], tmp_path: Path) -> None:
    arguments = ("--transactions", "3000", "--threads", "2", "--no-fork", "--keep", str(tmp_path))
    assert "no anomaly" in in_process(PROGRAM, ROOT, *arguments)
