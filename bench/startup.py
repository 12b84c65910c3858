"""What `import stmpy` costs: a program that starts, and a further interpreter of one that runs."""

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
        ]
    )
