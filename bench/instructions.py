"""Instructions per block, counted by callgrind: the same on a busy machine as on a quiet one.

Each program runs twice under valgrind, with few blocks and with `MORE` more; the difference is what
the blocks took. `own` are those in the extension module, the rest are the interpreter's and the C
library's.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Final

from bench.harness import Answer, Effort, Row, Spread, show_progress
from bench.turns import ROOT

FEW: Final = 100
MORE: Final = 10_000
WORKS: Final = {
    "block_increment": "increment in a block",
    "function_increment": "increment in a decorated function",
    "block_read": "block that reads 1 key",
    "block_read_ten": "block that reads 10 keys",
    "block_transfer": "transfer between 2 of 1,000 accounts",
    "lock_increment": "increment under a lock, for comparison",
}
PROGRAM: Final = "from bench import work; run = work.{name}({seed}); run({few}); run({n})"


def count(name: str, n: int) -> tuple[int, int]:
    """All instructions of one run, and those in the extension module."""
    seed = "1" if name == "block_transfer" else ""
    return totals(run_counted(PROGRAM.format(name=name, seed=seed, few=FEW, n=n)))


def run_counted(code: str, path: str = "") -> str:
    """The profile that callgrind writes of a Python that runs this; `path` is searched too."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        callgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"]
        # A fixed seed: how strings hash decides how dicts are probed.
        environment = {"PYTHONHASHSEED": "0", "PATH": "/usr/bin:/bin",
                       "PYTHONPATH": f"{ROOT}{os.pathsep}{path}"}  # fmt: skip
        subprocess.run(
            [*callgrind, sys.executable, "-c", code],
            check=True,
            capture_output=True,
            env=environment,
        )
        return out.read_text()


def totals(profile: str) -> tuple[int, int]:
    """All instructions of a profile, and those in the extension module."""
    counted = read_profile(profile)
    return counted.total(), sum(n for (file, _), n in counted.items() if "_native" in file)


def read_profile(profile: str) -> Counter[tuple[str, str]]:
    """What functions cost themselves, without those they call, by (object file, function)."""
    names: dict[tuple[str, str], str] = {}
    counted: Counter[tuple[str, str]] = Counter()
    here, skip = {"ob": "", "fn": ""}, False
    for line in profile.splitlines():
        if match := re.match(r"(c?)(ob|fn)=\((\d+)\)(?: (.*))?", line):
            called, kind, number, name = match.groups()
            if name:
                names[kind, number] = name
            if not called:
                here[kind] = names[kind, number]
        elif line.startswith("calls="):
            skip = True  # the next line is what the called function took
        elif line[:1] in "+-*0123456789" and line:
            if not skip:
                counted[here["ob"], here["fn"]] += int(line.split()[-1])
            skip = False
    return counted


def answer(effort: Effort) -> Answer:
    if shutil.which("valgrind") is None:
        raise SystemExit("instructions are counted by valgrind, which is not installed")
    tiny = effort == Effort.tiny()
    more = 100 if tiny else MORE
    rows = []
    subprocess.run(
        [sys.executable, "-c", "from bench import work"], check=True, cwd=ROOT
    )  # compiles
    for name, title in list(WORKS.items())[: 1 if tiny else None]:
        show_progress(f"{title}, under valgrind")
        few, many = count(name, FEW), count(name, FEW + more)
        whole, own = ((b - a) / more for a, b in zip(few, many, strict=True))
        rows.append(Row(title, one(whole), "instructions"))
        if own > 0:
            rows.append(Row(f"{title}: own", one(own), "instructions"))
    show_progress("")
    return Answer(rows=rows)


def one(value: float) -> Spread:
    return Spread(round(value), round(value), round(value))
