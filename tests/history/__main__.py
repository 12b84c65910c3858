"""python -m tests.history: record a run of the real store, check it, say what was found.

Ends with status 1 where there is an anomaly. `--check` looks at the records of an earlier run.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.history.check import Isolation, check
from tests.history.record import load
from tests.history.run import Plan, record


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.history", description=__doc__)
    parser.add_argument("--transactions", type=int, default=100_000)
    parser.add_argument("--interpreters", type=int, default=2, help="of each process")
    parser.add_argument("--threads", type=int, default=4, help="of each interpreter")
    parser.add_argument("--no-fork", action="store_true", help="one process instead of two")
    parser.add_argument("--isolation", choices=("serializable", "snapshot"), default="serializable")
    parser.add_argument("--plant", type=int, default=0, metavar="N", help="skip validation 1 in N")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave the records there")
    parser.add_argument("--check", type=Path, metavar="DIR", help="check these records")
    args = parser.parse_args(arguments)
    if args.check:
        return report(args.check, args.isolation)
    print(f"replay the choices of the workers with --seed {args.seed}")
    plan = Plan(
        transactions=args.transactions,
        interpreters=args.interpreters,
        threads=args.threads,
        fork=not args.no_fork,
        isolation=args.isolation,
        plant=args.plant,
        seed=args.seed,
    )
    with tempfile.TemporaryDirectory() as scratch:
        directory = args.keep or Path(scratch)
        directory.mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        record(plan, directory)
        print(f"recorded in {time.monotonic() - started:.1f} s", flush=True)
        return report(directory, plan.isolation)


def report(directory: Path, isolation: Isolation) -> int:
    started = time.monotonic()
    found = check(load(directory), isolation)
    print(f"{found}\nchecked in {time.monotonic() - started:.1f} s")
    return 0 if found.clean else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
