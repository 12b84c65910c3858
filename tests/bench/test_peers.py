"""The peers' programs do their cases, and say why when they can't. Times are not judged here."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from bench.harness import Effort, measure
from bench.peers import drive
from bench.peers.codec import LIBRARIES, SAMPLES, functions, repeat
from bench.peers.drive import TASKS, Peer, attempt
from bench.peers.serve import ACCOUNTS, DEPOSIT, same
from stmpy import _native

FROM_THE_LIBRARY = [
    "lock",
    "manager",
    "shared_memory",
    "sqlite",
    pytest.param(
        "queue_lock",
        marks=pytest.mark.skipif(
            sys.version_info < (3, 14), reason="concurrent.interpreters came with CPython 3.14"
        ),
    ),
]


@pytest.mark.parametrize("peer", FROM_THE_LIBRARY)
@pytest.mark.parametrize(
    "case", ["long audit", *(pytest.param(case, marks=pytest.mark.slow) for case in TASKS)]
)
def test_a_peer_does_its_case(peer: str, case: str) -> None:
    [found] = measure({case: Peer(peer, case, may_install=False)}, Effort.tiny()).values()
    assert found.error is None
    assert all(timing.operations > 0 for timing in found.timings)


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="CPython 3.14 has what the peer needs")
def test_a_peer_that_this_python_has_not_got_says_so() -> None:
    found = attempt(lambda: Peer("queue_lock", "increment"))
    assert "concurrent.interpreters" in str(found)


def test_what_a_peer_can_not_do_is_its_error() -> None:
    found = measure({"x": Peer("lock", "fly")}, Effort.tiny())["x"]
    assert found.error is not None
    assert "fly" in found.error


def test_a_compiler_that_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    for peer, program in (("ghc", "ghc"), ("clojure", "clojure")):
        found = attempt(lambda peer=peer: Peer(peer, "increment"))  # type: ignore[misc]
        assert str(found) == f"{program} is not installed"


def test_an_install_that_failed_is_not_tried_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(drive, "environment", lambda: tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").touch()
    tried = []

    def refuse(*words: object) -> None:
        tried.append(words[-1])
        raise RuntimeError("pip: no such thing")

    monkeypatch.setattr(drive, "run", refuse)
    with pytest.raises(RuntimeError, match="not installed yet"):
        drive.peer_python("some-thing", may_install=False)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="pip: no such thing"):
            drive.peer_python("some-thing", may_install=True)
    assert tried == ["some-thing"]


def test_a_wrong_total_is_noticed() -> None:
    same(ACCOUNTS * DEPOSIT)
    with pytest.raises(AssertionError, match="the accounts hold"):
        same(ACCOUNTS * DEPOSIT - 1)


@pytest.mark.parametrize("sample", SAMPLES)
def test_what_is_encoded_comes_back(sample: str) -> None:
    for direction in ("encode", "decode"):
        repeat(direction, sample, _native.encode, _native.decode)(2)
        for library in ("pickle", "json"):
            assert library in LIBRARIES
            repeat(direction, sample, *functions(library))(2)
    with pytest.raises(AssertionError, match="does not come back"):
        repeat("encode", sample, _native.encode, lambda data: None)
