"""Planted bugs are found in few schedules, their mended twins pass all; what was found replays."""

from __future__ import annotations

import random
import re
import threading

import pytest

from stmpy.testing import explore
from tests.testing.conftest import Fails
from tests.testing.planted import PLANTED, Planted, check_then_act, stale_read

BUGS = pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.bug.__name__)


@BUGS
def test_seeds_find_it(planted: Planted, fails: Fails, rng: random.Random) -> None:
    """The limits are far above what was seen over 100 seeds: a median of 2 to 10."""
    for _ in range(3):
        fails(planted.error, planted.bug, seed=rng.randrange(2**32), schedules=400)
    taken = [
        fails(planted.error, planted.bug, seed=1000 * i, schedules=400).schedule for i in range(5)
    ]
    assert sorted(taken)[2] <= planted.drawn


@BUGS
def test_few_preemptions_find_it(planted: Planted, fails: Fails) -> None:
    found = fails(planted.error, planted.bug, preemptions=2)
    assert found.schedule == planted.bounded
    again = fails(planted.error, planted.bug, preemptions=2)
    assert again.note == found.note


@BUGS
def test_mended_twin_passes_all(planted: Planted) -> None:
    done = explore(planted.mended, preemptions=2, schedules=2000)
    assert done.complete
    assert done.schedules > 10
    assert explore(planted.mended, schedules=50).schedules == 50


@BUGS
def test_it_replays(planted: Planted, fails: Fails) -> None:
    found = fails(planted.error, planted.bug, seed=0)
    again = fails(planted.error, planted.bug, replay=found.replay)
    assert again.replay == found.replay
    assert type(again.error) is type(found.error)
    seed = re.search(r"seed=(\d+)", found.note)
    assert seed is not None
    same = fails(planted.error, planted.bug, seed=int(seed[1]), schedules=1)
    assert same.note.splitlines()[1:] == found.note.splitlines()[1:]


@BUGS
def test_what_is_reported_is_small(planted: Planted, fails: Fails) -> None:
    for seed in range(0, 5000, 1000):
        note = fails(planted.error, planted.bug, seed=seed).note
        assert re.search(r"\b[01] pre-emptions?:", note), note


def test_the_note_tells_the_story(fails: Fails) -> None:
    found = fails(AssertionError, check_then_act, preemptions=1)
    lines = [re.sub(r"planted\.py:\d+", "planted.py:N", line) for line in found.note.splitlines()]
    assert lines == [
        "explore: schedule 5 of all fails",
        "16 steps, 1 pre-emption:",
        "  A book1  start",
        "  A book1  begin           planted.py:N  with stm.atomically():",
        '  A book1  read [\'free\']   planted.py:N  free = seats["free"]',
        "  B book2  start",
        "  B book2  begin           planted.py:N  with stm.atomically():",
        '  B book2  read [\'free\']   planted.py:N  free = seats["free"]',
        "  B book2  commit          planted.py:N  with stm.atomically():",
        "  B book2  begin           planted.py:N  with stm.atomically():",
        '  B book2  read [\'free\']   planted.py:N  seats["free"] -= 1',
        '  B book2  write [\'free\']  planted.py:N  seats["free"] -= 1',
        "  B book2  commit          planted.py:N  with stm.atomically():",
        "  A book1  commit          planted.py:N  with stm.atomically():",
        "  A book1  begin           planted.py:N  with stm.atomically():",
        '  A book1  read [\'free\']   planted.py:N  seats["free"] -= 1',
        '  A book1  write [\'free\']  planted.py:N  seats["free"] -= 1',
        "  A book1  commit          planted.py:N  with stm.atomically():",
        'again: explore(…, replay="A3 B8 A")',
    ]


def test_nothing_stays_behind(fails: Fails) -> None:
    before = threading.enumerate()
    fails(AssertionError, stale_read, seed=0)
    assert threading.enumerate() == before
