"""System calls that fail under a store: what is told, and what is found again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import stmpy as stm
from tests.durable.test_faults import put, put_many

ROOT = Path(__file__).parents[2]


def keeper_of(store: stm.Store) -> int:
    durability = store.stats().durability
    assert durability is not None
    return durability.keeper


@pytest.mark.parametrize("call", ["fdatasync", "pwrite64"])
def test_a_sync_that_fails_is_never_called_good(tmp_path: Path, call: str) -> None:
    """Of the log, or of LMDB's pages when rows are applied."""
    if shutil.which("strace") is None:
        pytest.skip("strace, which makes a system call fail, is not there")
    store = stm.open(tmp_path / "s")
    put(store, 0)
    tracer = subprocess.Popen(
        [
            *("strace", "-f", "-p", str(keeper_of(store)), "-o", os.devnull),
            *("-e", f"inject={call}:error=EIO:when=4+"),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert tracer.stderr is not None
    line = tracer.stderr.readline()
    if "attached" not in line:
        tracer.wait()
        store.close()
        pytest.skip(f"strace may not attach here: {line}")
    known = [0]
    with pytest.raises(stm.CommitUnknown, match=os.strerror(5)):
        put_many(store, range(1, 50), known)
    with pytest.raises(stm.DurabilityError):
        put(store, 99)
    with pytest.raises(stm.CommitUnknown):
        store.close()
    tracer.wait()
    tracer.stderr.close()
    with stm.open(tmp_path / "s") as again:
        assert set(known) <= set(again.TVar("v")) <= {*known, len(known)}


def sweep(*more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "tests.durable.faults", *more]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False
    )


def test_every_call_that_can_fail_does() -> None:
    done = sweep()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "faults, and nothing acknowledged is missing" in done.stdout


@pytest.mark.parametrize(
    ("how", "found"), [("lie", "has no name"), ("leave", "older than what it leads to")]
)
def test_a_backend_that_gets_it_wrong_is_found_out(how: str, found: str) -> None:
    """One that calls failed syncs good, one that leaves meta pages as LMDB does."""
    done = sweep(how)
    assert done.returncode == 1, done.stdout
    assert found in done.stderr
