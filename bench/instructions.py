"""Instructions per block, counted by callgrind: the same on a busy machine as on a quiet one.

Each program runs twice under valgrind, with few blocks and with `MORE` more; the difference is what
the blocks took. `own` are those in the extension module, the rest are the interpreter's and the C
library's.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
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
    code = PROGRAM.format(name=name, seed=seed, few=FEW, n=n)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        callgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"]
        # A fixed seed: how strings hash decides how dicts are probed.
        environment = {"PYTHONHASHSEED": "0", "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
        subprocess.run(
            [*callgrind, sys.executable, "-c", code],
            check=True,
            capture_output=True,
            env=environment,
        )
        return totals(out.read_text())


def totals(profile: str) -> tuple[int, int]:
    """Adds up the lines of a callgrind profile that are costs of functions themselves."""
    names: dict[str, str] = {}
    all_of_them = own = 0
    current, skip = "", False
    for line in profile.splitlines():
        if match := re.match(r"ob=\((\d+)\)(?: (.*))?", line):
            number, name = match.groups()
            if name:
                names[number] = name
            current = names[number]
        elif match := re.match(r"cob=\((\d+)\) (.*)", line):
            names[match[1]] = match[2]
        elif line.startswith("calls="):
            skip = True  # the next line is what the called function took
        elif line[:1] in "+-*0123456789" and line:
            cost = int(line.split()[-1])
            if not skip:
                all_of_them += cost
                own += cost if "_native" in current else 0
            skip = False
    return all_of_them, own


def answer(effort: Effort) -> Answer:
    if shutil.which("valgrind") is None:
        raise SystemExit("instructions are counted by valgrind, which is not installed")
    tiny = effort == Effort.tiny()
    more = 100 if tiny else MORE
    rows = []
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
