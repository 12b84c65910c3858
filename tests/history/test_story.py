"""A cycle is told as a story, and the shortest one there is."""

from tests.history.check import check
from tests.history.hand import append, history, keys, read, txn, write


def test_a_stale_read_is_told_from_both_sides() -> None:
    report = check(
        history(
            txn("T1", append("x", 1), append("x", 2), worker=1, times=(10, 20)),
            txn("T2", read("x", [1, 2]), append("x", 3), worker=2, times=(30, 40)),
            txn("T3", read("x", [1, 2]), worker=3, times=(55, 60)),
            txn("T4", read("x", [1, 2, 3]), worker=3, times=(70, 80)),
        )
    )
    assert [found.story for found in report.findings.anomalies] == [
        "  T3 (worker 3): read x = [1 2]\n"
        "  T2 (worker 2): read x = [1 2]; appended 3 to x\n"
        "    T3 comes before T2: T3 read x = [1 2], and did not see that T2 appended 3 to x\n"
        "    T2 comes before T3: T2 had ended 15 ns before T3 began\n"
        "    So T3 would have to come before itself."
    ]
    assert str(report).startswith("4 attempts, 4 committed, 5 dependencies, 1 groups with cycles")


def test_a_phantom_names_the_keys() -> None:
    report = check(
        history(
            txn("T1", keys("t"), write("t/a", 1), snapshot=4, version=5),
            txn("T2", keys("t"), write("t/b", 2), snapshot=4, version=6),
        )
    )
    assert [found.story for found in report.findings.anomalies] == [
        "  T1 (worker 1, snapshot 4, committed as 5): read the keys of t/ as {}; wrote t/a = 1\n"
        "  T2 (worker 1, snapshot 4, committed as 6): read the keys of t/ as {}; wrote t/b = 2\n"
        "    T1 comes before T2: T1 read the keys of the table before T2 wrote t/b = 2\n"
        "    T2 comes before T1: T2 read the keys of the table before T1 wrote t/a = 1\n"
        "    So T1 would have to come before itself."
    ]


def test_the_shortest_cycle_of_a_group_is_told() -> None:
    """A ring of ten transactions, with one shortcut through it."""
    ring = [
        txn(f"T{i}", write(f"k{i}", 1), read(f"k{(i + 1) % 10}", 1), *([read("k7", 1)] * (i == 5)))
        for i in range(10)
    ]
    (found,) = check(history(*ring)).findings.anomalies
    assert found.kind == "G1c"
    assert len(found.attempts) == 9
    assert 6 not in found.attempts


def test_steps_along_one_key_are_told_as_one() -> None:
    """T1 overwrites what four others have done since it read."""
    later = [
        txn(f"T{i}", append("x", i), read("x", list(range(2, i + 1))), times=(i, i))
        for i in range(2, 6)
    ]
    report = check(
        history(
            *later,
            txn("T1", read("x", []), append("x", 1), read("x", [1])),
            txn("T9", read("x", [2, 3, 4, 5, 1])),
        )
    )
    assert report.kinds == {"lost update", "incompatible order"}
    assert {len(found.attempts) for found in report.findings.anomalies} == {2}


def test_long_lists_are_cut() -> None:
    report = check(
        history(
            txn("T1", *(append("x", i) for i in range(1, 21)), times=(1, 2)),
            txn("T2", read("x", list(range(1, 21))), read("x", []), times=(3, 4)),
        )
    )
    (found,) = report.findings.anomalies
    shown = "[... 12 more ... 13 14 15 16 17 18 19 20]"
    assert found.story == f"  T2 (worker 1) saw x = [] where it must see {shown}"
