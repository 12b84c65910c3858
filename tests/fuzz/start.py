"""What `py_host.c` calls once: the target's seeds as files, and the branches it takes reported."""

import hashlib
import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Final

DISABLE: Final = sys.monitoring.DISABLE


def start(name: str, branch: Callable[..., object]) -> Callable[[bytes], None]:
    """The function `check` of the target.

    Its seeds are written to the directory that STMPY_SEEDS names, if it does.
    """
    target: Any = import_module(f"tests.fuzz.{name}")
    if folder := os.environ.get("STMPY_SEEDS"):
        write(Path(folder), target.seeds())
    watch(branch)
    check: Callable[[bytes], None] = target.check
    return check


def write(folder: Path, inputs: list[bytes]) -> None:
    """Each as a file of its own, which is called by what is in it."""
    folder.mkdir(parents=True, exist_ok=True)
    for data in inputs:
        (folder / hashlib.sha1(data, usedforsecurity=False).hexdigest()).write_bytes(data)


def watch(branch: Callable[..., object]) -> None:
    """Have `branch(code, from, to)` called for each branch until it returns DISABLE."""
    tool, events = sys.monitoring.COVERAGE_ID, sys.monitoring.events
    # CPython 3.14 tells the two ways of a branch apart.
    names = ("BRANCH_LEFT", "BRANCH_RIGHT") if hasattr(events, "BRANCH_LEFT") else ("BRANCH",)
    kinds = [getattr(events, name) for name in names]
    sys.monitoring.use_tool_id(tool, "fuzz")
    for kind in kinds:
        sys.monitoring.register_callback(tool, kind, branch)
    sys.monitoring.set_events(tool, sum(kinds))
