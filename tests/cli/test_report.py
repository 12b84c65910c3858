"""`stmpy report` and the live `stmpy top`, of processes that really run."""

import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stmpy.cli import main
from stmpy.statistics import Attached
from tests.seeing.observed import observed

BEATEN = 'store = stm.open(name="beaten", max_bytes=1 << 20); beat(store, 50); rest(); '
COMMAND = """
import stmpy as stm
for name, count in (("short", 1), ("long", 200), ("last", 2)):
    with stm.open(name=name, max_bytes=1 << 20) as store:
        table = store.TVar("t", {"k": 0})
        for _ in range(count):
            with store.atomically(label="count"):
                table["k"] += 1
        input()
"""


@pytest.fixture(scope="module")
def beaten() -> Iterator["subprocess.Popen[str]"]:
    with observed(BEATEN) as process:
        yield process


def test_a_running_process(
    beaten: "subprocess.Popen[str]", tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "r.html"
    assert main(["report", str(beaten.pid), "-t", "0.3", "-o", str(path)]) == 0
    assert capsys.readouterr().out.startswith(f"{path}: 0.")
    text = path.read_text()
    assert "<h1><bdi>beaten</bdi></h1>" in text
    assert "Nobody loses" in text  # It rests: what it did before is not of the time recorded.


def test_of_a_command_the_store_that_did_most_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command waits at each store until that has been read twice."""
    path = tmp_path / "r.html"
    reading, writing = os.pipe()
    seen: dict[str, int] = {}
    real_read = Attached.read

    def read(store: Attached) -> object:
        stats = real_read(store)
        seen[stats.store] = seen.get(stats.store, 0) + 1
        if seen[stats.store] == 3:
            os.write(writing, b"\n")
        return stats

    real_popen = subprocess.Popen
    monkeypatch.setattr(Attached, "read", read)
    monkeypatch.setattr(subprocess, "Popen", lambda command: real_popen(command, stdin=reading))
    command = [sys.executable, "-c", COMMAND]
    assert main(["report", "-o", str(path), "--run", *command]) == 0
    os.close(reading)
    os.close(writing)
    assert list(seen) == ["short", "long", "last"]
    text = path.read_text()
    assert "<h1><bdi>long</bdi></h1>" in text
    # All that it counted, also before it was found: 200, and those that make the table.
    assert re.search(r"<b[^>]*>20[0-2]</b><span>commits</span>", text)


def test_a_command_is_asked_to_end_when_the_time_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[bytes]] = []
    real_popen = subprocess.Popen

    def popen(command: list[str]) -> subprocess.Popen[bytes]:
        started.append(real_popen(command, stdin=subprocess.PIPE))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", popen)
    path = tmp_path / "r.html"
    command = [sys.executable, "-c", COMMAND]
    assert main(["report", "-t", "0.3", "-o", str(path), "--run", *command]) == 0
    assert "<bdi>short</bdi></h1>" in path.read_text()
    (process,) = started
    assert process.returncode == -15
    assert process.stdin is not None
    process.stdin.close()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["nobody-has-this"], 2, "nobody-has-this: no such store"),
        (["--run", "true"], 2, "true: it has opened no store that could be read"),
        (["--run", "no-such-command"], 2, "cannot run no-such-command: No such file"),
    ],
)
def test_what_cannot_be_recorded_is_told(
    words: list[str],
    code: int,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "r.html"
    assert main(["report", "-t", "0.1", "-o", str(path), *words]) == code
    assert message in capsys.readouterr().err
    assert not path.exists()


def test_a_page_that_cannot_be_written(
    beaten: "subprocess.Popen[str]", tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "no" / "r.html"
    assert main(["report", str(beaten.pid), "-t", "0.1", "-o", str(path)]) == 1
    assert f"cannot write {path}: No such file or directory" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["report", "-t", "0"], ["report", "--run"], ["report", "x", "--run", "true"]]
)
def test_a_command_line_that_makes_no_sense(words: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(words)


@pytest.mark.parametrize("interval", ["0", "-1", "nan", "1e9"])
def test_top_with_an_interval_that_makes_no_sense(interval: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["top", "-i", interval])


def test_top_in_a_terminal(beaten: "subprocess.Popen[str]") -> None:
    """Who loses to whom is on the screen, and q gives the terminal back."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "stmpy", "top", str(beaten.pid)]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}
    top = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    seen = b""
    while b"q" not in seen or b" loses to " not in seen or b"quit" not in seen:
        seen += os.read(ours, 65536)
    os.write(ours, b"q")
    try:
        while more := os.read(ours, 65536):
            seen += more
    except OSError:
        pass  # So a terminal says that nobody is at its other end.
    assert top.wait() == 0
    os.close(ours)
    assert b"beaten" in seen
    assert b"\x1b[?1049l" in seen
