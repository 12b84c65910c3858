"""Nothing is left over when stores are opened and whoever has them is killed.

By hand: `python -m tests.durable.leftovers 10000`.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

from tests.durable.leftovers import Scene

ROOT = Path(__file__).parents[2]


def test_nothing_is_left_over(rng: random.Random) -> None:
    command = [sys.executable, "-m", "tests.durable.leftovers", "32", str(rng.randrange(2**32))]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == "32 opens, and no process, descriptor or file is left over\n"


def test_what_is_left_over_is_seen(tmp_path: Path) -> None:
    scene = Scene(str(tmp_path))
    assert scene.left() == []
    descriptor = os.open(tmp_path, os.O_RDONLY)
    (tmp_path / "store.part").touch()
    waits = [sys.executable, "-uc", "print(); input()", str(tmp_path)]
    with subprocess.Popen(
        waits, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "\n"
        found = scene.left(patience=0)
        assert f"process {process.pid}" in found
        assert f"file {tmp_path}/store.part" in found
        assert f"descriptor {descriptor} of {tmp_path}" in found
        process.communicate("\n")
    os.close(descriptor)
    (tmp_path / "store.part").unlink()
    assert scene.left() == []
