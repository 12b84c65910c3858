"""The inputs of `blocks` pass on the core as it is, and find bugs that are planted in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.__main__ import BUILD, ROOT, corpus
from tests.fuzz.start import write

PLANTS = [
    *("SKIP_VALIDATION", "FREE_EARLY", "NO_EVICTED_CHECK", "EXTEND_AGAINST_NEW"),
    *("BLIND_INSERT", "COUNT_AT_SNAPSHOT", "INSERTED_TWICE", "DELTA_AS_VALUE", "LOG_UNSETTLED"),
    "BURIED_LIVE",
]


@pytest.fixture(scope="module")
def program() -> Path:
    """The target without libFuzzer, so that no Clang is needed."""
    folder = BUILD / "blind"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    cmake = shutil.which("cmake", path=path)
    assert cmake is not None, "cmake is not there: .ci/setup installs it"
    made = ["-S", "tests/fuzz", "-B", str(folder), f"-DPython_EXECUTABLE={sys.executable}"]
    for arguments in [*made, "-DCMAKE_C_COMPILER=cc"], ["--build", str(folder), "-t", "blocks"]:
        done = subprocess.run([cmake, *arguments], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder / "blocks"


def run(program: Path, folder: Path, plant: str = "") -> subprocess.CompletedProcess[str]:
    write(folder / "inputs", corpus("blocks"))
    return subprocess.run(
        [program, f"-artifact_prefix={folder}/", folder / "inputs"],
        env={**os.environ, **({"STMPY_PLANT": plant} if plant else {})},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=60,
    )


@pytest.mark.slow
def test_the_core_passes(program: Path, tmp_path: Path) -> None:
    done = run(program, tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"Done {len(corpus('blocks'))} runs" in done.stderr
    assert not (tmp_path / "crash").exists()


@pytest.mark.slow
@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_bug_is_found(program: Path, tmp_path: Path, plant: str) -> None:
    done = run(program, tmp_path, plant)
    assert "not true: " in done.stderr
    again = subprocess.run(
        [program, tmp_path / "crash"],
        cwd=tmp_path,
        env={**os.environ, "STMPY_PLANT": plant},
        capture_output=True,
    )
    assert again.returncode == done.returncode < 0, "what was left of it replays"
