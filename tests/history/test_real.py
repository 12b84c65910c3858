"""Recorded runs of the real store: two processes, two interpreters each, four threads each."""

from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = str(Path(__file__).parents[2])

PROGRAM = """
    import sys
    sys.path.append(sys.argv[1])
    from tests.history.__main__ import main
    sys.exit(main(sys.argv[2:]))
"""

type InProcess = Callable[..., str]


@pytest.mark.slow
def test_no_anomaly(in_process: InProcess) -> None:
    output = in_process(PROGRAM, ROOT, "--transactions", "100000", timeout=110)
    assert " 100,000 committed, " in output
    assert " 0 groups with cycles\nno anomaly\n" in output


@pytest.mark.slow
@pytest.mark.parametrize("seed", ["1", "2", "3"])
def test_validation_skipped_once_in_twenty_is_found(in_process: InProcess, seed: str) -> None:
    arguments = ("--transactions", "20000", "--plant", "20", "--seed", seed)
    output = in_process(PROGRAM, ROOT, *arguments, code=1)
    assert "would have to come before itself" in output


@pytest.mark.slow
def test_snapshot_isolation(in_process: InProcess, tmp_path: Path) -> None:
    """The run is right for what it promises, and write skew happens in it."""
    arguments = ("--transactions", "20000", "--isolation", "snapshot", "--keep", str(tmp_path))
    assert "no anomaly" in in_process(PROGRAM, ROOT, *arguments)
    output = in_process(PROGRAM, ROOT, "--check", str(tmp_path), code=1)
    assert "G2-item x " in output
