"""Runs the fuzz targets that `.ci/fuzz` has built; says there how it is called."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import time
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Final

from tests.fuzz.start import write

ROOT: Final = Path(__file__).parents[2]
CORPUS: Final = ROOT / "tests" / "fuzz" / "corpus"
BUILD: Final = ROOT / "build" / "fuzz"
IN_C: Final = ("attach", "blocks", "codec")
IN_PYTHON: Final = ("dumps", "keys", "records", "region", "values")
TARGETS: Final = (*IN_C, *IN_PYTHON)
MOST_BYTES: Final = {"blocks": 1000}  # of an input; others have this many:
FEW_BYTES: Final = 600
KEPT_BYTES: Final = 40_000  # of the corpus of a target, in the repository


def corpus(target: str) -> list[bytes]:
    """The inputs that lie in the repository: a line of Base64 each."""
    path = CORPUS / f"{target}.b64"
    return [b64decode(line) for line in path.read_text().splitlines()] if path.exists() else []


def longest(target: str) -> str:
    return f"-max_len={MOST_BYTES.get(target, FEW_BYTES)}"


def environment(target: str) -> dict[str, str]:
    """What the program of a target needs to know."""
    leaks = int(target in IN_C)  # CPython frees little at its end
    return {
        **os.environ,
        "STMPY_FUZZ": target,
        "STMPY_PYTHON": sys.executable,
        "STMPY_SEEDS": str(BUILD / "corpus" / target),
        "PYTHONPATH": str(ROOT),
        "PYTHONMALLOC": "malloc",
        "PYTHONHASHSEED": "0",
        "ASAN_OPTIONS": f"detect_leaks={leaks}",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }


def call(target: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = BUILD / "targets" / (target if target in IN_C else "host")
    return subprocess.run(
        [program, *arguments],
        env=environment(target),
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )


def fuzz(target: str, seconds: float, seed: int) -> bool:
    """Runs one target for a while; True if nothing was found."""
    folder, found = BUILD / "corpus" / target, BUILD / "found"
    write(folder, corpus(target))
    found.mkdir(exist_ok=True)
    before = set(found.iterdir())
    started = time.monotonic()
    done = call(
        target,
        f"-max_total_time={max(1, round(seconds))}",
        f"-seed={seed}",
        longest(target),
        "-len_control=10",
        "-timeout=300",
        "-rss_limit_mb=4096",
        "-print_final_stats=1",
        f"-artifact_prefix={found}/{target}-",
        str(folder),
    )
    took = time.monotonic() - started
    if done.returncode == 0:
        print(f"{target:8} {runs(done.stderr):>11,} inputs in {took:6.1f} s{branches(done.stderr)}")
        return True
    print(f"{target:8} FAILED after {took:.1f} s\n{done.stderr[-6000:]}")
    for path in sorted(set(found.iterdir()) - before):
        print(f"run it again: .ci/fuzz {target} {path.relative_to(ROOT)}")
    return False


def runs(output: str) -> int:
    return int(re.findall(r"Done (\d+) runs", output)[-1])


def branches(output: str) -> str:
    """What libFuzzer says of its coverage at the end."""
    last = re.findall(r"DONE +cov: (\d+) ft: (\d+) corp: (\d+)", output)
    return ", {} edges, {} features, {} inputs in the corpus".format(*last[-1]) if last else ""


def fuzz_all(seconds: float, seed: int) -> int:
    """All targets, one after the other; how many of them found something."""
    targets: tuple[str, ...] = TARGETS
    if not (BUILD / "targets" / "host").exists():
        print("fuzz: this CPython has no library to embed, so those in Python are left out")
        targets = IN_C
    print(f"fuzz: {len(targets)} targets in {seconds:g} s, seed {seed}", flush=True)
    failed = [target for target in targets if not fuzz(target, seconds / len(targets), seed)]
    print(f"found something in {', '.join(failed)}" if failed else "nothing was found")
    return len(failed)


def keep(target: str) -> None:
    """The fewest inputs that reach what those of the last runs reached, into the repository."""
    small = BUILD / "small" / target
    for path in small.glob("*"):
        path.unlink()
    small.mkdir(parents=True, exist_ok=True)
    call(target, "-merge=1", longest(target), str(small), str(BUILD / "corpus" / target))
    inputs = sorted((path.read_bytes() for path in small.iterdir()), key=lambda d: (len(d), d))
    # Of too many every second, third, …: some of every length.
    inputs = inputs[:: 1 + sum(map(len, inputs)) // KEPT_BYTES]
    CORPUS.mkdir(exist_ok=True)
    (CORPUS / f"{target}.b64").write_text(
        "".join(f"{b64encode(data).decode()}\n" for data in inputs)
    )
    print(f"{target:8} {len(inputs):5} inputs of {sum(map(len, inputs)):7,} bytes")


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["keep"]:
        for target in TARGETS:
            keep(target)
        return 0
    if arguments and arguments[0] in TARGETS:
        done = call(*arguments)
        print(done.stderr)
        return done.returncode
    seconds = float(arguments[0]) if arguments else 60.0
    seed = int(arguments[1]) if len(arguments) > 1 else random.SystemRandom().randrange(1, 1 << 31)
    return fuzz_all(seconds, seed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
