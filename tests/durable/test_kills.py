"""kill -9 at random moments: nothing acknowledged is missing, no block is torn.

Few rounds here; `.ci/run` has 500, and by hand: `python -m tests.durable.kills 10000`.
"""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROUNDS = 20


def run(rounds: int, seed: int, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.durable.kills", str(rounds), str(seed), *more]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False
    )


def test_nothing_acknowledged_is_missing(rng: random.Random) -> None:
    done = run(ROUNDS, rng.randrange(2**32))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "none missing that was acknowledged" in done.stdout


def test_a_store_that_does_not_wait_for_the_disk_is_found_out() -> None:
    done = run(100, 3, "lie")
    assert done.returncode == 1, done.stdout
    assert "blocks acknowledged" in done.stderr
