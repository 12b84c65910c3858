"""Programs that run in a process of their own while a test looks at them."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent

HEAD = """
import sys
sys.path.append(sys.argv[1])
import stmpy as stm
from tests.seeing.planted import beat
def rest():
    print("ready", flush=True)
    return sys.stdin.readline()
"""


@contextmanager
def observed(program: str) -> Iterator["subprocess.Popen[str]"]:
    """Runs the program up to its first `rest()`; a line written to its input lets it go on."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", HEAD + program, str(ROOT)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def go_on(process: "subprocess.Popen[str]") -> None:
    """Lets it go on to the next `rest()`, or to its end."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    process.stdout.readline()
