"""Commits on disk, measured beside peers': what is lost is no time. Times are not judged here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench import durable
from bench.durable import Committers, Peer, kept, opening
from bench.harness import Effort, measure
from bench.machine import disk
from bench.peers.disk import Commit, DiskPeer


@pytest.mark.parametrize(("peer", "committers"), [("file", 1), ("sqlite", 1), ("file", 3)])
def test_a_peer_keeps_what_it_acknowledged(tmp_path: Path, peer: str, committers: int) -> None:
    case = Peer(peer, committers, tmp_path, may_install=False)
    [found] = kept({peer: case}, measure({peer: case}, Effort.tiny())).values()
    assert found.error is None
    assert [timing.operations >= committers for timing in found.timings] == [True, True]
    assert list(tmp_path.iterdir()) == []


class Forgetful(DiskPeer):
    def committing(self, mine: None, key: int) -> Commit:
        return lambda number: None

    def found(self, keys: list[int]) -> list[int]:
        return [1 for _ in keys]


def test_a_peer_that_has_lost_a_commit_says_so(tmp_path: Path) -> None:
    peer = Forgetful(tmp_path)
    peer.commit(None, 7)(1)
    peer.check()
    peer.commit(None, 7)(1)
    with pytest.raises(AssertionError, match=r"\{7: 1\} is there, \{7: 2\} was acknowledged"):
        peer.check()


@pytest.mark.parametrize(
    "layout",
    [
        {"threads": 1},
        {"threads": 3, "durability": "relaxed"},
        {"threads": 2, "interpreters": 2, "busy": True},
    ],
)
def test_our_committers_find_all_they_wrote(tmp_path: Path, layout: dict[str, Any]) -> None:
    case = Committers(tmp_path, **layout)
    [found] = kept({"ours": case}, measure({"ours": case}, Effort.tiny())).values()
    assert found.error is None
    assert found.participants == layout["threads"] * layout.get("interpreters", 1)
    assert sum(case.acknowledged.values()) > sum(one.operations for one in found.timings) > 0
    assert min(case.acknowledged.values()) > 0


def test_what_was_lost_is_an_error_and_no_time(tmp_path: Path) -> None:
    case = Committers(tmp_path, 1)
    measured = measure({"ours": case}, Effort.tiny())
    case.acknowledged[0] += 1
    case.close()
    [found] = kept({"ours": case}, measured).values()
    assert found.timings == ()
    assert found.error is not None
    assert "was acknowledged" in found.error


def test_opening_is_timed_and_weighed(tmp_path: Path) -> None:
    rows = {row.title: row.value for row in opening(tmp_path, Effort.tiny()).rows}
    assert all(value is not None and value.median > 0 for value in rows.values())
    assert len(rows) == 4
    assert "opening 2,000 keys" in rows


def test_it_says_what_it_lies_on_and_refuses_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert disk(Path("/proc/self")) == "proc on proc"
    monkeypatch.setattr(durable, "FOLDER", tmp_path / "new")
    monkeypatch.setattr(durable, "disk", lambda folder: "tmpfs on none")
    with pytest.raises(SystemExit, match="in memory"):
        durable.answer(Effort.tiny())


@pytest.mark.slow
def test_the_question_has_a_row_for_each_promise(tmp_path: Path) -> None:
    rows = durable.answer(Effort.tiny()).rows
    promises = [row.target for row in rows if row.target]
    assert promises.count("≥ 0.8 ×") == 3
    assert promises.count("≥ 4 ×") == 2
    assert promises.count("≥ 1 ×") == len(durable.RIVALS)
    assert {"≤ 5 s", "≤ 1.3 ×"} <= set(promises)
