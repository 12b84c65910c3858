"""Real runs are steps that the models allow; runs of a core with a bug in it are not."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from models.commit import Commit
from models.commit_cases import MODELS, CommitValues
from models.replay import Event, Replay, read_events
from tests.replay.driver import Task, build, draw, record, replay

RUNS = 120
PLANTS = [
    "SKIP_VALIDATION",
    "CHECK_OUTSIDE_ONLY",
    "CLOCK_BEFORE_LAST_LINK",
    "EXTEND_AGAINST_NEW",
    "EXTEND_UNSEEN",
    "COUNT_AT_SNAPSHOT",
    "BLIND_INSERT",
]


@pytest.fixture(scope="module")
def program() -> Path:
    return build()


# ---- real runs -----------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_the_model_allows_what_the_core_does(
    model: type[Commit], program: Path, rng: random.Random
) -> None:
    tasks = draw(model, rng, RUNS)
    for task, events in zip(tasks, record(program, tasks), strict=True):
        assert len(events) > 10
        refused = replay(task, events)
        assert refused is None, task.line() + refused.text()


def test_runs_come_through_every_branch(program: Path, rng: random.Random) -> None:
    """A replay that is never asked about conflicts would show little."""
    seen: Counter[tuple[str, bool]] = Counter()
    for model in MODELS:
        for events in record(program, draw(model, rng, RUNS)):
            seen.update((event.action, bool(event.value)) for event in events)
    for action in "txn_extend", "commit_locked", "check_outside.check":
        assert seen[action, True] > 10, action
        assert seen[action, False] > 10, action
    for action in "txn_begin", "txn_find", "settle_count", "note_recent":
        assert seen[action, True] > 10, action


@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_bug_is_rejected(plant: str, program: Path, rng: random.Random) -> None:
    for _ in range(10):
        for model in MODELS:
            tasks = draw(model, rng, 40)
            for task, events in zip(tasks, record(program, tasks, plant), strict=True):
                if (refused := replay(task, events)) is not None:
                    assert "the model does not go on" in refused.text()
                    return
    raise AssertionError(f"{plant} was not noticed")


# ---- by hand -------------------------------------------------------------------------------------

ALONE = """\
0 txn_begin - 7
0 txn_lookup x 5
0 did x 114
0 txn_find x 5
0 did x 112
0 txn_commit - 0
0 lock_acquire - 0
0 commit_locked - 1
0 link_version x 8
0 note_recent - 1
0 publish - 8
0 lock_release - 0
"""
INCREMENT = 3
"""Which block of the model's menu reads x and puts x."""


def check(*texts: str, plan: Sequence[Sequence[int]] = ((INCREMENT,), (INCREMENT,), ())) -> str:
    """What the replay says of these events, one text after the other; "" if it allows them."""
    events = read_events("".join(texts).splitlines(), clock=7, noted=0)
    model = CommitValues()
    refused = Replay(model, plan, events).run(next(iter(model.initial())))
    return "" if refused is None else refused.text()


def other(text: str) -> str:
    """The same block in the second thread."""
    return "".join(f"1{line[1:]}" for line in text.splitlines(keepends=True))


SECOND = other(ALONE).replace(" 8\n", " 9\n").replace(" 7\n", " 8\n").replace(" 5\n", " 8\n")


def test_one_after_the_other() -> None:
    assert check(ALONE) == ""
    assert check(ALONE, SECOND) == ""


REMARKS = {"did", "txn_find", "note_recent"}
"""What the model can do without being told."""
PLAIN = {"did", "txn_commit", "lock_acquire", "note_recent", "lock_release"}
"""What says nothing by its value here."""


def test_every_line_counts() -> None:
    """Without it, or with another value, the run is not one of the model's."""
    lines = ALONE.splitlines(keepends=True)
    for i, line in enumerate(lines):
        _, action, key, value = line.split()
        if action not in REMARKS:
            assert check(*lines[:i], *lines[i + 1 :], SECOND), line
        if action not in PLAIN:
            changed = f"0 {action} {key} {int(value) + 5 if value != '1' else 0}\n"
            assert check(*lines[:i], changed, *lines[i + 1 :]), changed


def test_a_lost_update_is_told_as_a_story() -> None:
    begun, rest = other(ALONE).split("1 did x 114\n")
    story = check(begun, "1 did x 114\n", ALONE, rest.replace(" 8\n", " 9\n"))
    assert "T0 publish 1" in story
    assert story.splitlines()[-1] == (
        "  T1 commit_locked 1: something it has read or writes has changed: it conflicts"
    )


def test_steps_that_overlap_may_have_any_order_others_not() -> None:
    """Nothing tells that T1 began after T0's commit, but after that it looked x up."""
    begun = "1 txn_begin - 7\n"
    assert check(ALONE, begun) == ""
    assert check(begun, "1 txn_lookup x 5\n", ALONE) == ""
    refused = check(ALONE, begun, "1 txn_lookup x 5\n")
    assert refused.splitlines()[-1] == (
        "  T1 txn_lookup x 0: txn_lookup x first extends the snapshot"
    )


def test_a_commit_that_is_called_again() -> None:
    """A signal, or now and then nothing, ends the wait for the lock."""
    commit = "0 txn_commit - 0\n"
    assert check(ALONE.replace(commit, commit * 2)) == ""


def test_the_reader_speaks_the_models_terms() -> None:
    lines = ["0 txn_lookup x -1", "1 txn_lookup - 4", "1 txn_lookup y 9", "2 note_recent - 12"]
    assert list(read_events(lines, clock=7, noted=10)) == [
        Event(0, "txn_lookup", "x", 254),
        Event(1, "txn_lookup", "y", 2),
        Event(2, "note_recent", "-", 2),
    ]


def test_a_task_as_the_program_reads_it() -> None:
    task = Task(CommitValues, (True, False), [[0, 3], [1], []])
    assert task.line() == "x 0 0 vxvy,rxpx / sxpy / \n"
