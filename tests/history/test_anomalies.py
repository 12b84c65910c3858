"""Histories written by hand: each has exactly the anomaly its name says, or none."""

import pytest

from tests.history.check import Isolation, check
from tests.history.findings import REAL_TIME
from tests.history.hand import (
    ABORT,
    LOST,
    Txn,
    append,
    delete,
    history,
    keys,
    read,
    txn,
    write,
)

# Each case: the kind, then the attempts. `x` and `y` are registers or lists as they are used.
WRONG: dict[str, tuple[str, tuple[Txn, ...]]] = {
    "a read after its own write": (
        "internal",
        (txn("T1", write("x", 1), read("x", None)),),
    ),
    "a second read that differs": (
        "internal",
        (txn("T1", write("x", 1)), txn("T2", read("x", None), read("x", 1))),
    ),
    "a list without its own append": (
        "internal",
        (txn("T1", append("x", 1), read("x", [])),),
    ),
    "an own append in the wrong place": (
        "internal",
        (txn("T1", append("x", 1)), txn("T2", read("x", [1]), append("x", 2), read("x", [2, 1]))),
    ),
    "a key set without its own key": (
        "internal",
        (txn("T1", write("t/a", 1), keys("t")),),
    ),
    "a key set with a deleted key": (
        "internal",
        (txn("T1", delete("t/a", 1), keys("t", "a")),),
    ),
    "a register nobody wrote": (
        "unwritten",
        (txn("T1", write("x", 1)), txn("T2", read("x", 7))),
    ),
    "an element nobody appended": (
        "unwritten",
        (txn("T1", append("x", 1)), txn("T2", read("x", [1, 7]))),
    ),
    "an element twice": (
        "duplicate",
        (txn("T1", append("x", 1)), txn("T2", read("x", [1, 1]))),
    ),
    "one value written twice": (
        "duplicate",
        (txn("T1", write("x", 1)), txn("T2", write("x", 1))),
    ),
    "two orders of one list": (
        "incompatible order",
        (
            txn("T1", append("x", 1)),
            txn("T2", append("x", 2)),
            txn("T3", append("x", 3)),
            txn("T4", read("x", [1, 2])),
            txn("T5", read("x", [1, 3, 2])),
        ),
    ),
    "a list torn by interleaved writes": (
        "G0",
        (
            txn("T1", append("x", 1), append("y", 1)),
            txn("T2", append("x", 2), append("y", 2)),
            txn("T3", read("x", [1, 2])),
            txn("T4", read("y", [2, 1])),
        ),
    ),
    "a register with an aborted value": (
        "G1a",
        (txn("T1", write("x", 1), ABORT), txn("T2", read("x", 1))),
    ),
    "a list with an aborted element": (
        "G1a",
        (txn("T1", append("x", 1), ABORT), txn("T2", append("x", 2)), txn("T3", read("x", [1, 2]))),
    ),
    "an intermediate register": (
        "G1b",
        (txn("T1", write("x", 1), write("x", 2)), txn("T2", read("x", 1))),
    ),
    "an intermediate list": (
        "G1b",
        (txn("T1", append("x", 1), append("x", 2)), txn("T2", read("x", [1]))),
    ),
    "each reads the other": (
        "G1c",
        (txn("T1", write("x", 1), read("y", 2)), txn("T2", write("y", 2), read("x", 1))),
    ),
    "a circle of three": (
        "G1c",
        (
            txn("T1", append("x", 1), read("z", [3])),
            txn("T2", append("y", 2), read("x", [1])),
            txn("T3", append("z", 3), read("y", [2])),
        ),
    ),
    "two appends to what both saw": (
        "lost update",
        (
            txn("T1", read("x", []), append("x", 1)),
            txn("T2", read("x", []), append("x", 2)),
            txn("T3", read("x", [2])),
        ),
    ),
    "two writes over what both saw": (
        "lost update",
        (
            txn("T0", write("x", 1)),
            txn("T1", read("x", 1), write("x", 2)),
            txn("T2", read("x", 1), write("x", 3)),
        ),
    ),
    "a write between a read and a write": (
        "lost update",
        (
            txn("T1", read("x", None), write("x", 1), version=3),
            txn("T2", write("x", 2), version=2),
        ),
    ),
    "absent before, present at the commit": (
        "G2-item",
        (
            txn("T0", write("x", 9), delete("x", 8), version=1),
            txn("T1", read("x", None), write("y", 1), snapshot=1, version=3),
            txn("T2", read("y", None), write("x", 1), snapshot=1, version=2),
            txn("T3", read("y", None), write("z", 1), snapshot=1, version=2 + 2),
        ),
    ),
    "half of another's writes, lists": (
        "G-single",
        (
            txn("T1", append("x", 1), append("y", 1)),
            txn("T2", read("x", []), read("y", [1])),
            txn("T3", read("x", [1])),
        ),
    ),
    "half of another's writes, registers": (
        "G-single",
        (
            txn("T0", write("x", 1), write("y", 1)),
            txn("T1", read("x", 1), write("x", 2), read("y", 1), write("y", 2)),
            txn("T2", read("x", 1), read("y", 2)),
        ),
    ),
    "keys before, values after": (
        "G-single",
        (txn("T1", write("t/a", 1), write("x", 1)), txn("T2", keys("t"), read("x", 1))),
    ),
    "two doctors": (
        "G2-item",
        (
            txn("T0", write("x", 1), write("y", 1)),
            txn("T1", read("x", 1), read("y", 1), write("x", 2)),
            txn("T2", read("x", 1), read("y", 1), write("y", 3)),
        ),
    ),
    "a reader between two writers": (
        # Fekete, O'Neil and O'Neil 2004: it takes the reader to see that something is wrong.
        "G2-item",
        (
            txn("T1", read("x", None), read("y", None), write("x", 1)),
            txn("T2", read("y", None), write("y", 2)),
            txn("T3", read("x", None), read("y", 2)),
        ),
    ),
    "two insert after looking at the keys": (
        "G2",
        (
            txn("T1", keys("t"), write("t/a", 1)),
            txn("T2", keys("t"), write("t/b", 2)),
        ),
    ),
    "an old value after its successor's writer returned": (
        "G-single-realtime",
        (
            txn("T1", append("x", 1), times=(1, 2)),
            txn("T2", read("x", []), times=(3, 4)),
            txn("T3", read("x", [1]), times=(5, 6)),
        ),
    ),
    "read before it was written": (
        "G1c-realtime",
        (txn("T1", read("x", 1), times=(1, 2)), txn("T2", write("x", 1), times=(3, 4))),
    ),
    "written in the reverse of time": (
        "G0-realtime",
        (
            txn("T1", append("x", 1), times=(5, 6)),
            txn("T2", append("x", 2), times=(1, 2)),
            txn("T3", read("x", [1, 2]), times=(7, 8)),
        ),
    ),
    "a write skew through time": (
        "G2-item-realtime",
        (
            txn("T1", read("x", None), write("y", 1), times=(1, 9)),
            txn("T2", read("z", None), write("x", 2), times=(1, 2)),
            txn("T3", read("y", None), write("w", 3), times=(4, 5)),
        ),
    ),
    "an aborted attempt saw half": (
        "opacity",
        (
            txn("T0", write("x", 1), write("y", 1)),
            txn("T1", read("x", 1), write("x", 2), read("y", 1), write("y", 2)),
            txn("T2", read("x", 1), read("y", 2), ABORT),
        ),
    ),
    "an aborted attempt read the past": (
        "snapshot",
        (
            txn("T1", append("x", 1), version=1),
            txn("T2", append("x", 2), version=2),
            txn("T3", read("x", [1]), ABORT, snapshot=2),
            txn("T4", read("x", [1, 2]), snapshot=2),
        ),
    ),
    "a committed attempt read the past": (
        "snapshot",
        (
            txn("T1", write("x", 1), version=1),
            txn("T2", write("x", 2), version=2),
            txn("T3", read("x", 1), snapshot=2),
        ),
    ),
    "a tombstone was lost": (
        "snapshot",
        (
            txn("T1", write("x", 1), version=1),
            txn("T2", delete("x", 2), version=2),
            txn("T3", read("x", 1), snapshot=3),
        ),
    ),
    "a key set with a ghost": (
        "snapshot",
        (
            txn("T1", write("t/a", 1), version=1),
            txn("T2", delete("t/a", 2), version=2),
            txn("T3", keys("t", "a"), snapshot=3),
        ),
    ),
    "one version for two commits": (
        "version",
        (txn("T1", write("x", 1), version=1), txn("T2", write("y", 2), version=1)),
    ),
}

CLEAN: dict[str, tuple[Txn, ...]] = {
    "nothing": (),
    "one after the other": (
        txn("T1", write("x", 1), times=(1, 2)),
        txn("T2", read("x", 1), write("x", 2), times=(3, 4)),
        txn("T3", read("x", 2), times=(5, 6)),
    ),
    "lists in one order": (
        txn("T1", append("x", 1), append("x", 2)),
        txn("T2", append("x", 3), append("y", 1)),
        txn("T3", read("x", [1, 2, 3]), read("y", [1])),
        txn("T4", read("x", [1, 2]), read("y", [])),
    ),
    "an old value while its writer still runs": (
        txn("T1", append("x", 1), times=(1, 9)),
        txn("T2", read("x", []), times=(3, 4)),
        txn("T3", read("x", [1]), times=(5, 6)),
    ),
    "an old value that begins as its writer ends": (
        txn("T1", append("x", 1), times=(1, 3)),
        txn("T2", read("x", []), times=(3, 4)),
    ),
    "an abort that nobody saw": (
        txn("T1", append("x", 1), read("x", [1]), ABORT),
        txn("T2", append("x", 2)),
        txn("T3", read("x", [2])),
    ),
    "a lost answer whose write was seen": (
        txn("T1", write("x", 1), LOST, times=(1, 2)),
        txn("T2", read("x", None), times=(3, 4)),
        txn("T3", read("x", 1), times=(5, 6)),
    ),
    "a lost answer that nobody saw": (
        txn("T1", write("x", 1), LOST),
        txn("T2", read("x", None)),
    ),
    "keys in one order": (
        txn("T1", keys("t"), write("t/a", 1)),
        txn("T2", keys("t", "a"), write("t/b", 1)),
        txn("T3", write("t/a", 2), read("t/b", None)),
    ),
    "a key that comes and goes": (
        txn("T1", write("t/a", 1), version=1),
        txn("T2", keys("t", "a"), delete("t/a", 2), snapshot=1, version=2),
        txn("T3", keys("t"), read("t/a", None), snapshot=2),
        txn("T4", keys("t"), write("t/a", 3), snapshot=2, version=3),
        txn("T5", keys("t", "a"), read("t/a", 3), snapshot=3),
    ),
    "a key that comes and goes, versions not known": (
        txn("T1", write("t/a", 1)),
        txn("T2", keys("t", "a"), delete("t/a", 2)),
        txn("T3", keys("t"), read("t/a", None), write("t/a", 3)),
        txn("T4", keys("t", "a"), read("t/a", 3)),
    ),
    "absent before, absent again at the commit": (
        txn("T0", write("x", 9), delete("x", 8), version=1),
        txn("T1", read("x", None), write("y", 1), snapshot=1, version=4),
        txn("T2", write("x", 1), snapshot=1, version=2),
        txn("T3", read("x", 1), delete("x", 2), read("y", None), snapshot=2, version=3),
    ),
    "blind writes in the order of their versions": (
        txn("T1", write("x", 1), version=2),
        txn("T2", write("x", 2), version=1),
        txn("T3", read("x", 2), snapshot=1),
        txn("T4", read("x", 1), snapshot=2),
    ),
}

SNAPSHOT_ALLOWS = {"G2-item", "G2"}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_history_has_exactly_this_anomaly(name: str) -> None:
    kind, attempts = WRONG[name]
    report = check(history(*attempts))
    assert report.kinds == {kind}, report


@pytest.mark.parametrize("isolation", ["serializable", "snapshot"])
@pytest.mark.parametrize("name", CLEAN)
def test_clean_history_is_clean(name: str, isolation: Isolation) -> None:
    report = check(history(*CLEAN[name]), isolation)
    assert report.clean, report


@pytest.mark.parametrize("name", WRONG)
def test_snapshot_isolation_allows_write_skew_alone(name: str) -> None:
    kind, attempts = WRONG[name]
    allowed = kind.removesuffix(REAL_TIME) in SNAPSHOT_ALLOWS
    report = check(history(*attempts), "snapshot")
    assert report.kinds == (set() if allowed else {kind}), report


def test_snapshot_isolation_forbids_anti_dependencies_that_are_apart() -> None:
    """Long fork: two readers see two writes in different orders, two anti-dependencies apart."""
    attempts = (
        txn("T1", write("x", 1)),
        txn("T2", write("y", 2)),
        txn("T3", read("x", 1), read("y", None)),
        txn("T4", read("x", None), read("y", 2)),
    )
    assert check(history(*attempts), "snapshot").kinds == {"G-nonadjacent"}
    assert check(history(*attempts)).kinds == {"G2-item"}
