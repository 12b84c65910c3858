"""What `import stmpy` costs: a program that starts, and a further interpreter of one that runs.

And how soon `stmpy stat --once` has printed the figures of another process.
"""

from __future__ import annotations

import _interpreters
import os
import subprocess
import sys
import time
import warnings

from bench.harness import Answer, Effort, Spread, limit_row, show_progress

TIMED_IMPORT = """
import os, time
began = time.perf_counter_ns()
import stmpy
os.write(pipe, str(time.perf_counter_ns() - began).encode())
"""


def start(code: str) -> float:
    """Milliseconds until a Python that runs this has ended."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-I", "-c", code], check=True)
    return (time.perf_counter() - began) * 1e3


def further_import() -> float:
    """Milliseconds that the import takes in an interpreter of its own."""
    out, pipe = os.pipe()
    number = _interpreters.create()
    try:
        failure = _interpreters.exec(number, TIMED_IMPORT, {"pipe": pipe})
        if failure is not None:
            raise RuntimeError(failure.formatted)
        return int(os.read(out, 32)) / 1e6
    finally:
        _interpreters.destroy(number)
        os.close(out)
        os.close(pipe)


OBSERVED = """
import sys, stmpy
store = stmpy.open(max_bytes=1 << 20)
store.TVar("t", {"n": 0})
print(flush=True)
sys.stdin.read()
"""


def looks(rounds: int) -> list[float]:
    """Milliseconds from the start to the end of `stmpy stat --once`, of a process that is idle."""
    command = [sys.executable, "-P", "-c", OBSERVED]
    taken = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        for _ in range(rounds + 1):  # the first one may compile
            began = time.perf_counter()
            words = ["-P", "-m", "stmpy", "stat", "--once", str(process.pid)]
            subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
            taken.append((time.perf_counter() - began) * 1e3)
        process.communicate()
    return taken[1:]


def answer(effort: Effort) -> Answer:
    more, further = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number in range(-1, max(effort.rounds, 2)):
            show_progress(f"start {number + 1} of {effort.rounds}")
            bare, with_stmpy, inner = start(""), start("import stmpy"), further_import()
            if number >= 0:
                more.append(with_stmpy - bare)
                further.append(inner)
    show_progress("")
    return Answer(
        rows=[
            limit_row("import stmpy, over a bare start", Spread.of(more), "ms", 30),
            limit_row("import stmpy in a further interpreter", Spread.of(further), "ms", 3),
            limit_row("stmpy stat --once", Spread.of(looks(max(effort.rounds, 2))), "ms", 150),
        ]
    )
