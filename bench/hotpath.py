"""Where the instructions of a block go: CPython's own protocol, stmpy's C, and what lies between.

Three counts by callgrind of the same statements. `floor`: over a context manager and a mapping in C
that do nothing (py_floor.c), so all of it is CPython's protocol. `stmpy`: what the extension module
itself executes. `between`: what CPython and the C library do beyond the floor on our behalf, such
as monitoring events, or objects made and freed. Then the functions of the extension that take most.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections import Counter
from pathlib import Path
from typing import Final

from bench.harness import Answer, Effort, Row, show_progress
from bench.instructions import FEW, MORE, one, read_profile, run_counted
from bench.turns import ROOT
from stmpy import _native

WORKS: Final = {
    "increment": ("block_increment", "with Block(): m[0] += 1"),
    "increment, function form": ("function_increment", "f()"),
    "read 10": ("block_read_ten", "with Block(): " + ", ".join(f"m[{n}]" for n in range(10))),
    "transfer": ("block_transfer", "with Block():\n  m[0] -= 1\n  m[1] += 1"),
}
FLOOR: Final = """
from py_floor import Block, Map
m = Map()
def f():
    m[0] += 1
def run(n):
    for _ in range(n):
        {statements}
run({few}); run({n})
"""
OURS: Final = "from bench import work; run = work.{name}({seed}); run({few}); run({n})"
FUNCTIONS: Final = 12  # that are listed


def compile_floor(folder: Path) -> None:
    """Builds py_floor.c as an extension module in this folder."""
    compiler = os.environ.get("CC", "cc")
    target = folder / f"py_floor{sysconfig.get_config_var('EXT_SUFFIX')}"
    headers = f"-I{sysconfig.get_path('include')}"
    words = ["-O2", "-shared", "-fPIC", headers, str(ROOT / "bench/py_floor.c"), "-o", str(target)]
    done = subprocess.run([compiler, *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"py_floor.c does not compile: {done.stderr.strip()}")


def compile_work() -> None:
    """So that no counted run has to compile modules, which costs more than all blocks."""
    subprocess.run([sys.executable, "-c", "from bench import work"], check=True, cwd=ROOT)


def build_id(module: str | Path) -> str:
    """What tells which build a module is of, whether its names were stripped or not."""
    notes = subprocess.run(["readelf", "-n", module], capture_output=True, text=True, check=False)
    return notes.stdout.partition("Build ID:")[2].partition("\n")[0].strip()


def symbols() -> dict[str, str]:
    """Functions of the extension by their address: the installed module has no names of its own.

    The build leaves a module that has them. Without one of the same build there are no names.
    """
    installed = build_id(_native.__file__)
    for built in (ROOT / "build").glob("release*/*/_native*.so"):
        if installed and build_id(built) == installed:
            listed = subprocess.run(["nm", built], capture_output=True, text=True, check=True)
            lines = (line.split() for line in listed.stdout.splitlines())
            return {f"0x{line[0]}": line[2] for line in lines if len(line) == 3 and line[1] in "tT"}
    return {}


def per_block(code: str, more: int, folder: Path) -> Counter[tuple[str, str]]:
    """Instructions of one block by (object file, function): a run with many, less one with few."""
    few, many = (
        read_profile(run_counted(code.replace("{n}", str(n)), str(folder)))
        for n in (FEW, FEW + more)
    )
    return Counter({key: round((many[key] - few[key]) / more) for key in many})


def split(title: str, floor: Counter[tuple[str, str]], ours: Counter[tuple[str, str]]) -> list[Row]:
    """The whole of a block and its three parts."""
    whole, own = ours.total(), sum(n for (file, _), n in ours.items() if "_native" in file)
    parts = {
        "whole": whole,
        "floor, CPython's protocol": floor.total(),
        "stmpy, the extension": own,
        "between, CPython on our behalf": whole - own - floor.total(),
    }
    return [Row(f"{title}: {part}", one(count), "instructions") for part, count in parts.items()]


def answer(effort: Effort) -> Answer:
    if shutil.which("valgrind") is None:
        raise SystemExit("instructions are counted by valgrind, which is not installed")
    tiny = effort == Effort.tiny()
    more = 100 if tiny else MORE
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        compile_floor(folder)
        names = symbols()
        for title, (work, statements) in list(WORKS.items())[: 1 if tiny else None]:
            show_progress(f"{title}, under valgrind")
            compile_work()
            seed = "1" if work == "block_transfer" else ""
            body = FLOOR.replace("{statements}", statements.replace("\n", "\n        "))
            floor = per_block(body.replace("{few}", str(FEW)), more, folder)
            code = OURS.replace("{name}", work).replace("{seed}", seed).replace("{few}", str(FEW))
            ours = per_block(code, more, folder)
            rows += split(title, floor, ours)
            rows += functions(title, ours, names)
    show_progress("")
    return Answer(rows=rows)


def functions(title: str, ours: Counter[tuple[str, str]], names: dict[str, str]) -> list[Row]:
    """The functions that take most, of the extension and of what it makes CPython do."""
    return [
        Row(
            f"{title}: {names.get(function, function)} in {Path(file).name.partition('.')[0]}",
            one(n),
            "instructions",
        )
        for (file, function), n in ours.most_common(FUNCTIONS)
    ]
