"""Power cuts: nothing acknowledged is lost, nothing is torn, and what is opened is sound.

By hand: `python -m tests.durable.powerloss 100000`; in CI 3000.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.durable.powerloss.campaign import whole
from tests.durable.powerloss.crash import SECTOR, Disk
from tests.durable.powerloss.plants import PLANTS
from tests.durable.powerloss.recording import ROOT, Event, History, Plan, build, record


def cut(keep: Path, states: int, *options: str, code: int = 0) -> tuple[int, int, str]:
    """Run the command: different states, those in which something is lost, and all that it said."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.durable.powerloss", str(states), *options],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "TMPDIR": str(keep)},
        capture_output=True,
        text=True,
        timeout=110,
    )
    print(done.stdout, done.stderr)
    assert done.returncode == code
    figures = re.search(r"(\d+) different.* in (\d+) something", done.stdout)
    assert figures is not None
    return int(figures[1]), int(figures[2]), done.stdout


def test_nothing_acknowledged_is_lost(rng: random.Random, tmp_path: Path) -> None:
    """In runs on a new store, and on what a power cut has left."""
    different, lost, said = cut(tmp_path, 500, "--seed", str(rng.randrange(2**32)))
    assert "500 states, " in said
    assert "of 2 runs with 360 blocks" in said
    assert lost == 0
    assert different > 250


def test_relaxed_blocks_are_lost_whole_and_in_order(tmp_path: Path) -> None:
    _, lost, said = cut(tmp_path, 60, "--relaxed", "--seed", "1")
    assert lost > 0
    assert said.endswith(" 0 are wrong\n\n")


@pytest.mark.parametrize("plant", PLANTS)
def test_keepers_that_do_not_wait_for_the_disk_are_found_out(plant: str, tmp_path: Path) -> None:
    cut(tmp_path, 200, "--plant", plant, "--seed", "2", code=1)


def test_a_recording_shows_again_what_it_has_shown(tmp_path: Path) -> None:
    first = cut(tmp_path, 60, "--plant", "early", "--seed", "3", code=1)
    (log,) = tmp_path.glob("*.log")
    second = cut(tmp_path, 60, "--recording", str(log), code=1)
    assert first[:2] == second[:2]


def test_a_write_that_was_not_recorded_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir(0o700)
    recording = record(build(tmp_path), tmp_path, Plan(1, blocks=2), History())
    assert whole(recording, tmp_path / "root")
    (tmp_path / "root/store/owner").write_text("another")
    assert not whole(recording, tmp_path / "root")


# ---- the disk ------------------------------------------------------------------------------------

MADE = Event("M", 1, 0, b"/r")
OLD, NEW = b"o" * 3 * SECTOR, b"n" * 3 * SECTOR


def left(tmp_path: Path, *events: Event) -> set[tuple[tuple[str, bytes], ...]]:
    """All that a disk may be found with: names and contents."""
    disk, found = Disk(), set()
    for event in (MADE, *events):
        disk.take(event)
    for seed in range(400):
        target = tmp_path / str(seed)
        disk.leave(target, random.Random(seed))
        found.add(tuple((path.name, path.read_bytes()) for path in sorted(target.iterdir())))
    return found


def made(name: bytes, inode: int, content: bytes) -> list[Event]:
    return [Event("C", inode, 0, b"/r/" + name), Event("W", inode, 0, content)]


def test_what_was_synced_stays(tmp_path: Path) -> None:
    events = [*made(b"f", 2, OLD), Event("S", 2, 0, b""), Event("S", 1, 0, b"")]
    assert left(tmp_path, *events) == {(("f", OLD),)}


def test_a_name_that_was_not_synced_may_be_lost(tmp_path: Path) -> None:
    events = [*made(b"f", 2, OLD), Event("S", 2, 0, b"")]
    assert left(tmp_path, *events) == {(("f", OLD),), ()}


def test_sectors_arrive_in_any_order(tmp_path: Path) -> None:
    events = [*made(b"f", 2, OLD), Event("S", 2, 0, b""), Event("S", 1, 0, b"")]
    mixed = {contents[0][1] for contents in left(tmp_path, *events, Event("W", 2, 0, NEW))}
    parts = [(OLD[:SECTOR], NEW[:SECTOR])] * 3
    assert mixed == {a + b + c for a in parts[0] for b in parts[1] for c in parts[2]}


def test_a_durable_write_is_there_and_nothing_else_with_it(tmp_path: Path) -> None:
    events = [*made(b"f", 2, OLD), Event("S", 2, 0, b""), Event("S", 1, 0, b"")]
    events += [Event("W", 2, 0, NEW), Event("W", 2, 4, b"x"), Event("D", 2, 0, b"")]
    found = {contents[0][1] for contents in left(tmp_path, *events)}
    assert {content[4:5] for content in found} == {b"x"}
    assert {content[:4] for content in found} == {b"oooo", b"nnnn"}


def test_a_file_grows_by_all_some_or_nothing(tmp_path: Path) -> None:
    events = [*made(b"f", 2, OLD), Event("S", 2, 0, b""), Event("S", 1, 0, b"")]
    events += [Event("W", 2, len(OLD), NEW)]
    found = {contents[0][1] for contents in left(tmp_path, *events)}
    assert {content[: len(OLD)] for content in found} == {OLD}
    assert {len(content) // SECTOR for content in found} == {3, 4, 5, 6}
    assert OLD + bytes(len(NEW)) in found


def test_a_rename_is_done_or_not_done(tmp_path: Path) -> None:
    events = [*made(b"a", 2, OLD), Event("S", 2, 0, b""), *made(b"b", 3, NEW)]
    events += [Event("S", 3, 0, b""), Event("S", 1, 0, b""), Event("R", 2, 0, b"/r/a\n/r/b")]
    assert left(tmp_path, *events) == {(("a", OLD), ("b", NEW)), (("b", OLD),)}
