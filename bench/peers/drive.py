"""The bench's side of a peer: installs it, starts its program, asks it to work for so long."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

from bench.harness import Case, Timing
from bench.turns import ROOT

PROGRAMS: Final = Path(__file__).parent
DISTRIBUTIONS: Final = {
    "atomix": "atomix-stm", "ultradict": "UltraDict2", "lmdb": "lmdb>=1.6", "redis": "redis",
    "zodb": "ZODB", "codec": "cbor2 msgspec",
    "disk_lmdb": "lmdb>=1.6", "disk_redis": "redis", "disk_zodb": "ZODB",
}  # fmt: skip
LAYOUTS: Final = {
    "lock": "threads", "atomix": "threads", "zodb": "threads", "ghc": "threads",
    "codec": "threads",    "clojure": "threads", "queue_lock": "interpreters",
    "disk_file": "threads", "disk_lmdb": "threads", "disk_sqlite": "threads",
    "disk_redis": "threads", "disk_zodb": "threads",
}  # fmt: skip
TASKS: Final = {
    "increment": ("increment",),
    "read 10": ("read_ten",),
    "bank": ("transfer",),
    "bank, 2 at once": ("transfer", "transfer"),
    "sum of 1,000": ("total",),
    "long audit": ("total", "transfer", "transfer"),
}
"""What each participant of a case does; of the long audit, only the audits count."""


WARM_UP: Final = {"clojure": 2.0}  # seconds until its compiler has seen enough


def attempt(make: Callable[[], Case]) -> Case | Exception:
    """The case, or why it can't be had: a peer that is missing is a line in the table."""
    try:
        return make()
    except Exception as error:
        return error


# ---- their environment


def run(*words: str | Path) -> None:
    """Runs a command; its last line is the error if it fails."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = [*done.stderr.strip().splitlines(), *done.stdout.strip().splitlines(), "no word"]
        raise RuntimeError(f"{words[0]}: {said[-1] if not done.stderr else said[0]}")


def environment() -> Path:
    """The folder of the environment that only the peers are installed in."""
    return ROOT / f".venv-bench-{sys.version_info.major}.{sys.version_info.minor}"


def install(requirement: str) -> Path:
    """Installs distributions there, unless that was done or has failed; the Python of it."""
    folder = environment()
    python, mark = folder / "bin" / "python", folder / f"installed-{requirement}"
    if not python.exists():
        base: str = getattr(sys, "_base_executable", sys.executable)
        run(base, "-m", "venv", folder)
    if not mark.exists():
        try:
            run(python, "-m", "pip", "install", "--quiet", *requirement.split())
        except RuntimeError as error:
            mark.write_text(str(error))
        else:
            mark.touch()
    if failure := mark.read_text():
        raise RuntimeError(failure)
    return python


def peer_python(requirement: str, may_install: bool) -> Path:
    """The Python that has the distribution."""
    if not may_install and not (environment() / f"installed-{requirement}").exists():
        raise RuntimeError("not installed yet; a run that is not tiny does that")
    return install(requirement)


# ---- their programs


def compiled_haskell() -> list[str]:
    """GHC's program, compiled anew whenever its source is newer."""
    compiler = shutil.which("ghc")
    if compiler is None:
        raise FileNotFoundError("ghc is not installed")
    source, folder = PROGRAMS / "Ghc.hs", ROOT / "build" / "bench"
    program = folder / "ghc-peer"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        folder.mkdir(parents=True, exist_ok=True)
        run(compiler, "-O2", "-threaded", "-rtsopts", "-outputdir", folder, source, "-o", program)
    return [str(program)]


def clojure() -> list[str]:
    program = shutil.which("clojure")
    if program is None:
        raise FileNotFoundError("clojure is not installed")
    return [program, str(PROGRAMS / "clojure.clj")]


def command(peer: str, may_install: bool) -> list[str]:
    """What starts the peer's program."""
    if peer == "ghc":
        return compiled_haskell()
    if peer == "clojure":
        return clojure()
    distribution = DISTRIBUTIONS.get(peer)
    python = peer_python(distribution, may_install) if distribution else sys.executable
    return [str(python), "-m", f"bench.peers.{peer}"]


class Peer:
    """A case that a peer's program does: one of `TASKS`, or tasks of its own.

    What it keeps on disk lies in the `folder`.
    """

    def __init__(
        self,
        peer: str,
        case: str | tuple[str, ...],
        may_install: bool = True,
        *,
        folder: Path | None = None,
    ) -> None:
        tasks = TASKS.get(case, (case,)) if isinstance(case, str) else case
        words = command(peer, may_install)
        layout, count = LAYOUTS.get(peer, "processes"), len(tasks)
        single = {"processes": "process"}.get(layout, layout[:-1])
        self.layout = f"1 {single}" if count == 1 else f"{count} {layout}"
        self.participants = 1 if case == "long audit" else count
        # A server works too, and a lock keeps others waiting: no telling how many could run.
        self.parallel = 1 if count == 1 and peer not in ("manager", "redis") else 0
        self.said = tempfile.TemporaryFile("w+")  # noqa: SIM115  # closed with the case
        self.process = subprocess.Popen(
            [*words, str(self.participants), *tasks],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.said,
            text=True,
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        try:
            self.version = self._line()
            if may_install and peer in WARM_UP:
                self.measure(WARM_UP[peer])
        except BaseException:
            self.close()
            raise

    def _pipe(self, pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None
        return pipe

    def _line(self) -> str:
        line = self._pipe(self.process.stdout).readline()
        if line:
            return line.strip()
        code = self.process.wait()
        self.said.seek(0)
        words = self.said.read().strip().splitlines()
        raise RuntimeError(words[-1] if words else f"ended with exit code {code}")

    def measure(self, seconds: float) -> Timing:
        pipe = self._pipe(self.process.stdin)
        pipe.write(f"{seconds}\n")
        pipe.flush()
        return Timing(*json.loads(self._line()))

    def close(self) -> None:
        self._pipe(self.process.stdin).close()
        self.process.wait()
        self._pipe(self.process.stdout).close()
        self.said.close()
