"""What is now, what is since the zero, and the course of the minute."""

import pytest

from stmpy.dashboard._timeline import Timeline, filled, graph
from tests.seeing.made_up import block, stats


def line(*counts: tuple[float, int]) -> Timeline:
    """Records at these seconds with so many commits in all."""
    timeline = Timeline()
    for seconds, commits in counts:
        timeline = timeline.add(stats(block("b", commits=commits), seconds=seconds))
    return timeline


def test_now_is_the_last_three_seconds() -> None:
    timeline = line((10, 0), (11, 1000), (12, 1000), (13, 1000), (14, 1006))
    assert (timeline.now.seconds, timeline.now.commits) == (3, 6)


def test_with_longer_steps_now_is_the_last_step() -> None:
    timeline = line((10, 0), (20, 5), (30, 12))
    assert (timeline.now.seconds, timeline.now.commits) == (10, 7)


def test_a_single_record_stands_for_all_that_happened() -> None:
    timeline = line((10, 70))
    assert timeline.now == timeline.total == timeline.latest


def test_totals_count_from_the_zero() -> None:
    timeline = line((10, 70)).zeroed()
    assert timeline.total.commits == 0
    assert timeline.add(stats(block("b", commits=75), seconds=12)).total.commits == 5


def test_a_record_of_the_same_moment_replaces_the_last() -> None:
    timeline = line((10, 0), (11, 5), (11, 6))
    assert timeline.now.commits == 6
    assert len(timeline.points) == 1


def test_a_store_that_was_opened_since_begins_anew() -> None:
    timeline = line((10, 50), (11, 60)).zeroed().add(stats(block("b", commits=3), seconds=2))
    assert timeline == line((2, 3))


def test_only_a_minute_is_kept() -> None:
    timeline = line(*((i, i) for i in range(1, 400)))
    assert len(timeline.points) == 60
    assert len(timeline.records) <= 4


def test_the_course_keeps_its_steps_while_time_goes_on() -> None:
    timeline = line((100, 0), (101, 10), (102, 30), (103, 60))
    assert timeline.course("commits", 60)[-4:] == [10, 20, 30, None]
    later = timeline.add(stats(block("b", commits=100), seconds=103.5))
    assert later.course("commits", 60)[-4:] == [10, 20, 30, 80]
    assert timeline.course("commits", 30)[-3:] == [None, pytest.approx(15), 30]


def test_gaps_are_closed_up_to_the_last_value() -> None:
    assert filled([None, 1.0, None, 3.0, None]) == [None, 1.0, 1.0, 3.0, None]


def test_a_graph_fills_its_height_and_shows_the_least() -> None:
    assert graph([None, 0.0, 0.001, 1.0]) == ["  ▁▇"]
    assert graph([15.0, 7.5, 1.0], 2) == ["▇  ", "██▁"]
    assert graph([1.0, 2.0], 1, top=14.0) == ["▁▁"]
    assert graph([]) == [""]
