"""Where a measurement was made: nothing in a table means anything without it."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.turns import ROOT


def processor() -> str:
    """The processor's name, as the system tells it."""
    try:
        with open("/proc/cpuinfo") as lines:
            names = [line.partition(":")[2].strip() for line in lines if line[:10] == "model name"]
    except OSError:
        names = []
    return names[0] if names else platform.machine()


def disk(folder: Path) -> str:
    """The file system and the device that a folder lies on."""
    found = ("", "unknown", "an unknown device")
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        place, _, rest = line.partition(" - ")
        point, kind, device = place.split()[4], *rest.split()[:2]
        if folder.resolve().is_relative_to(point) and len(point) >= len(found[0]):
            found = (point, kind, device)
    return f"{found[1]} on {found[2]}"


def git(*words: str) -> str:
    """What git says about this clone; empty outside of one."""
    try:
        done = subprocess.run(
            ["git", "-C", ROOT, *words], capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def distribution(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def describe() -> dict[str, object]:
    """Machine, versions and commit, as they go into every result."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "processor": processor(),
        "cores": os.process_cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "memory_gib": round(pages / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "compiler": platform.python_compiler(),
        "gil": getattr(sys, "_is_gil_enabled", lambda: True)(),
        "stmpy": distribution("stmpy-store"),
        "commit": git("rev-parse", "--short", "HEAD"),
        "changed_files": len(git("status", "--short", "--untracked-files=no").splitlines()),
    }
