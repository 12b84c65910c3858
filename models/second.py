"""A second opinion: the Promela models, checked with spin where it is installed.

A broken twin is the same file with one name defined; it must fail with the error it is there for.
"""

import re
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "promela"
ASSERTION, ENDLESS = "assertion violated", "invalid end state"
BREAKS = {"commit": ASSERTION, "park": ENDLESS}
TWINS = {
    "commit": ("NO_CHECK", "NO_LOCK", "READ_NEWEST", "PUBLISH_BEFORE_LINK"),
    "park": (
        "PARK_UNCHECKED",
        "RESET_LAST",
        "NO_MARK",
        "NO_FUTEX_WAKE",
        "WAKE_BEFORE_MARK",
        "SLEEP_UNCOMPARED",
    ),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What spin found.  `error` is empty if there was none."""

    model: str
    twin: str
    states: int
    seconds: float
    error: str

    @property
    def good(self) -> bool:
        return BREAKS[self.model] in self.error if self.twin else not self.error

    def text(self) -> str:
        name = f"  - {self.twin}" if self.twin else f"spin: {self.model}"
        found = f"breaks: {self.error}" if self.error else "holds"
        verdict = "ok  " if self.good else "FAIL"
        return f"{verdict} {name:26} {self.states:>9} {'':10} {self.seconds:>7.1f}  {found}"


def missing() -> str:
    """Why spin cannot be asked; empty if it can."""
    absent = [tool for tool in ("spin", "cc") if shutil.which(tool) is None]
    return f"{' and '.join(absent)} not installed: no second opinion" if absent else ""


def ask(model: str, twin: str = "", *, quick: bool = False) -> Verdict:
    """Generate the verifier of a model or a broken twin, compile and run it."""
    begun = time.perf_counter()
    defines = [f"-D{twin}"] if twin else []
    defines += ["-DTRANSACTIONS=1"] if quick else []
    with tempfile.TemporaryDirectory() as place:
        _run(place, "spin", *defines, "-a", str(FOLDER / f"{model}.pml"))
        _run(place, "cc", "-O2", "-w", "-DSAFETY", "-DCOLLAPSE", "-o", "pan", "pan.c")
        said = _run(place, "./pan", "-m100000")
    states = re.search(r"(\d+) states, stored", said)
    errors = re.search(r"errors: (\d+)", said)
    if states is None or errors is None or "max search depth too small" in said:
        raise RuntimeError(f"spin has not finished {model}:\n{said}")
    error = re.search(r"pan:1: (.*) \(at depth", said)
    found = error[1] if error else "an error without a name" if int(errors[1]) else ""
    return Verdict(model, twin, int(states[1]), time.perf_counter() - begun, found)


def _run(place: str, *command: str) -> str:
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    if done.returncode != 0 and command[0] != "./pan":
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def report(names: list[str], *, quick: bool = False) -> bool:
    """Print a line for each model and twin; False if one is not as it should be."""
    if reason := missing():
        print(f"     {reason}")
        return True
    good = True
    for model in names:
        for twin in ("", *TWINS[model]):
            verdict = ask(model, twin, quick=quick and not twin)
            print(verdict.text(), flush=True)
            good = good and verdict.good
    return good
