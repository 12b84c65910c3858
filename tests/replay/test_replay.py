"""Real runs are steps that the models allow; runs of a core with a bug in it are not."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from models.checker.model import Model
from models.commit_cases import CommitValues
from models.park import ParkDeath
from models.replay.trace import Event, read_events
from models.serial import Serial
from tests.replay.driver import MODELS, Task, build, draw, record, replay

RUNS = 120
PLANTS = [
    *("SKIP_VALIDATION", "CHECK_OUTSIDE_ONLY", "CLOCK_BEFORE_LAST_LINK", "EXTEND_AGAINST_NEW"),
    *("EXTEND_UNSEEN", "COUNT_AT_SNAPSHOT", "BLIND_INSERT"),
    *("PARK_UNCHECKED", "LATE_RESET", "WAITING_UNCOUNTED", "MARK_AFTER_CLOCK", "NO_WAKE_UP"),
    *("WAKE_BEFORE_MARK", "NO_WAITERS_BIT", "BIT_FORGOTTEN", "WITHDRAW_SILENT", "WAKE_ONE"),
]


@pytest.fixture(scope="module")
def program() -> Path:
    return build()


# ---- real runs -----------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_the_model_allows_what_the_core_does(
    model: type[Model], program: Path, rng: random.Random
) -> None:
    tasks = draw(model, rng, RUNS)
    for task, events in zip(tasks, record(program, tasks), strict=True):
        assert len(events) > 5
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
    for action in "wait_watch.check", "wait_sleep.look", "wait_sleep.closed":
        assert seen[action, True] > 10, action
        assert seen[action, False] > 10, action
    for action in "must_let_pass", "take", "announce", "lock_release":
        assert seen[action, True] > 10, action
        assert seen[action, False] > 10, action
    for action in "txn_begin", "txn_find", "settle_count", "note_recent", "give_up":
        assert seen[action, True] > 10, action
    for action in "mark", "wait_wake", "wait_wake_all", "lock_withdraw.wake", "wait_sleep.deadline":
        assert seen[action, True] + seen[action, False] > 10, action


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
    return told(Task(CommitValues, (True, True), plan), *texts)


def told(task: Task, *texts: str) -> str:
    lines = "".join(texts).splitlines()
    refused = replay(task, list(read_events(lines, clock=7, noted=0, slot=1)))
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
    assert list(read_events(lines, clock=7, noted=10, slot=1)) == [
        Event(0, "txn_lookup", "x", 254),
        Event(1, "txn_lookup", "y", 2),
        Event(2, "note_recent", "-", 2),
    ]


def test_a_task_as_the_program_reads_it() -> None:
    task = Task(CommitValues, (True, False), [[0, 3], [1], []])
    assert task.line() == "x 0 0 vxvy,rxpx / sxpy / \n"
    task = Task(ParkDeath, (True, True), [[1, 2], [4], []])
    assert task.line() == "xy 0 0 wxwy,px / c- / \n"
    task = Task(Serial, (True, True), [[0, 1], [1], []])
    assert task.line() == "xy 0 0 ox,zx / zx / \n"


# ---- waiting and serial blocks by hand ---------------------------------------------------------

WOKEN = """\
0 txn_begin - 7
0 lock_acquire - 0
0 wait_watch.check - 1
0 wait_watch.reset - 0
0 lock_release - 0
0 wait_sleep.look - 0
0 wait_sleep.closed - 0
1 txn_begin - 7
1 lock_acquire - 0
1 mark - 1
1 wait_collect - 1
1 publish - 8
1 lock_release - 0
1 wait_wake - 1
1 done - 0
0 platform_futex_wait - 0
0 wait_sleep.look - 1
0 lock_acquire - 0
0 lock_release - 0
0 done - 0
"""
BEHIND = """\
0 block - 1
0 announce - 1
0 must_let_pass - 0
0 take - 1
0 lock_withdraw - 0
0 lock_withdraw.wake - 0
0 txn_begin - 7
1 block - 0
1 txn_begin - 7
1 txn_commit - 0
1 must_let_pass - 0
1 take - 0
1 wait_for_owner - 1
1 wait_for_owner.set - 1
0 commit_locked - 1
0 publish - 8
0 lock_release - 1
0 lock_release.look - 0
0 lock_release.wake - 0
0 done - 0
1 acquire.woken - 0
1 must_let_pass - 0
1 take - 1
1 commit_locked - 0
1 lock_release - 1
1 lock_release.look - 0
1 lock_release.wake - 0
1 announce - 1
1 must_let_pass - 0
1 take - 1
1 lock_withdraw - 0
1 lock_withdraw.wake - 0
1 txn_begin - 8
1 commit_locked - 1
1 publish - 9
1 lock_release - 0
1 done - 0
"""
BY_HAND = {
    "park": (Task(ParkDeath, (True, True), [[0], [2], []]), WOKEN),
    "serial": (Task(Serial, (True, True), [[1], [0], []]), BEHIND),
}
SAID_BY_OTHERS = {
    *("done", "block", "txn_commit", "wait_collect", "lock_withdraw.wake", "lock_release.wake"),
    *("lock_release.look", "wait_sleep.closed", "wait_sleep.look", "txn_begin"),
}
"""What may be missing, as the next step of the thread tells as much, or nothing comes after it."""


@pytest.mark.parametrize("name", BY_HAND)
def test_every_line_of_a_wait_counts(name: str) -> None:
    """Without it, or with another truth, the run is not one of the model's."""
    task, text = BY_HAND[name]
    assert told(task, text) == ""
    lines = text.splitlines(keepends=True)
    for i, line in enumerate(lines):
        _, action, _, value = line.split()
        if action not in SAID_BY_OTHERS:
            assert told(task, *lines[:i], *lines[i + 1 :]), line
        if action in ("take", "must_let_pass", "announce", "commit_locked", "wait_watch.check"):
            changed = line.replace(f"- {value}\n", f"- {1 - int(value)}\n")
            assert told(task, *lines[:i], changed, *lines[i + 1 :]), changed


def test_a_lost_wake_up_is_told_as_a_story() -> None:
    task, text = BY_HAND["park"]
    story = told(task, text.replace("1 wait_wake - 1\n", ""))
    assert "  T1 done 0: it has not woken T0" in story
