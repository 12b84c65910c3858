"""The command: `python -m bench QUESTION`."""

import argparse
import json
import sys
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from bench.harness import Effort
from bench.machine import describe
from bench.report import as_data, as_text

QUESTIONS = {
    "core": "all that a store in memory promises: the next three, and what blocks cost",
    "startup": "what `import stmpy` costs",
    "memory": "many keys: the memory of each, and the time to find one",
    "waiting": "waking up, queues between interpreters, and parked threads",
    "history": "readers beside writers, and a snapshot that is held",
    "versus": "the peers: the same cases by other means",
    "scale": "1 to twice the cores of participants, in each layout; conflicts by contention",
    "codec": "values to bytes and back, beside cbor2, msgspec, pickle, json",
    "size": "many keys, large values, long reads",
    "workloads": "bank, sets, STAMP's and others', each with its invariant checked",
    "latency": "how long single blocks take, not on average",
    "statistics": "blocks that are named and timed, beside some that are not",
    "instructions": "instructions per block, counted by callgrind",
}
RESULTS = Path(__file__).parent / "results"


def parser() -> argparse.ArgumentParser:
    listed = "\n".join(f"  {name:13} {about}" for name, about in QUESTIONS.items())
    made = argparse.ArgumentParser(
        prog="python -m bench",
        description=f"Measures stmpy. Questions:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("question", nargs="?", default="core", choices=QUESTIONS, metavar="QUESTION")
    made.add_argument("--json", action="store_true", help="print JSON instead of a table")
    made.add_argument("--save", action="store_true", help="keep the JSON in bench/results")
    made.add_argument("--tiny", action="store_true", help="only see whether everything runs")
    made.add_argument(
        "--rounds", type=int, metavar="N", default=15, help="rounds of each case (%(default)s)"
    )
    made.add_argument(
        "--keys", type=int, metavar="N", default=1_000_000, help="the most keys (%(default)s)"
    )
    return made


def main() -> int:
    args = parser().parse_args()
    effort = Effort.tiny() if args.tiny else Effort(rounds=args.rounds, keys=args.keys)
    found = import_module(f"bench.{args.question}").answer(effort)
    machine = describe()
    data = json.dumps(as_data(args.question, machine, asdict(effort), found), indent=1)
    if args.save:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{args.question}.json").write_text(data + "\n")
    print(data if args.json else as_text(args.question, machine, found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
