"""The command: `python -m bench QUESTION`, `python -m bench compare OLD NEW`."""

import argparse
import json
import sys
import traceback
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from bench.compare import compare
from bench.harness import Effort
from bench.machine import describe
from bench.publish import RESULTS, publish
from bench.report import as_data, as_text

QUESTIONS = {
    "core": "all that a store in memory promises: the next three, and what blocks cost",
    "startup": "what `import stmpy` costs",
    "memory": "many keys: the memory of each, and the time to find one",
    "waiting": "waking up, queues between interpreters, and parked threads",
    "history": "readers beside writers, and a snapshot that is held",
    "versus": "the peers: the same cases by other means",
    "workloads": "bank, sets, STAMP's and others', each with its invariant checked",
    "scale": "1 to twice the cores of participants, in each layout; conflicts by contention",
    "size": "many keys, large values, long reads",
    "latency": "how long single blocks take, not on average",
    "statistics": "blocks that are named and timed, beside some that are not",
    "durable": "commits that survive a power cut, beside others' on the same disk; opening",
    "codec": "values to bytes and back, beside cbor2, msgspec, pickle, json",
    "instructions": "instructions per block, counted by callgrind",
    "hotpath": "whose instructions those are: CPython's protocol, stmpy's, and between",
}
PARTS = {"startup", "memory", "history"}  # of core
COMMANDS = {
    "all": "every question in turn",
    "compare OLD NEW": "what changed between two results, or folders of them, beyond noise",
    "draw": "pictures and the table, from what is saved in bench/results",
}


def parser() -> argparse.ArgumentParser:
    listed = "\n".join(f"  {name:16} {about}" for name, about in (QUESTIONS | COMMANDS).items())
    made = argparse.ArgumentParser(
        prog="python -m bench",
        description=f"Measures stmpy. Questions:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [name.split()[0] for name in (*QUESTIONS, *COMMANDS)]
    made.add_argument("question", nargs="?", default="core", choices=names, metavar="QUESTION")
    made.add_argument("files", nargs="*", type=Path, help=argparse.SUPPRESS)
    made.add_argument("--json", action="store_true", help="print JSON instead of a table")
    made.add_argument(
        "--save", action="store_true", help="keep the JSON in bench/results, and draw"
    )
    made.add_argument("--tiny", action="store_true", help="only see whether everything runs")
    made.add_argument(
        "--rounds", type=int, metavar="N", default=15, help="rounds of each case (%(default)s)"
    )
    made.add_argument(
        "--keys", type=int, metavar="N", default=1_000_000, help="the most keys (%(default)s)"
    )
    return made


def ask(question: str, args: argparse.Namespace) -> None:
    """Measures, prints, and saves where that is wanted."""
    effort = Effort.tiny() if args.tiny else Effort(rounds=args.rounds, keys=args.keys)
    found = import_module(f"bench.{question}").answer(effort)
    machine = describe()
    data = json.dumps(as_data(question, machine, asdict(effort), found), indent=1)
    if args.save:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{question}.json").write_text(data + "\n")
    print(data if args.json else as_text(question, machine, found), flush=True)


def ask_all(args: argparse.Namespace) -> list[str]:
    """Every question, also after one that failed; those that did."""
    failed = []
    for question in QUESTIONS:
        if question in PARTS:
            continue
        try:
            ask(question, args)
        except Exception:
            traceback.print_exc()
            failed.append(question)
        except SystemExit as error:  # a tool is missing, and it says which
            print(f"{question}: {error}")
        print(flush=True)
    return failed


def main() -> int:
    made = parser()
    args = made.parse_args()
    if len(args.files) != (2 if args.question == "compare" else 0):
        made.error("two results for `compare`, and none for the others")
    failed: list[str] = []
    if args.question == "compare":
        print(compare(*args.files))
    elif args.question == "all":
        failed = ask_all(args)
    elif args.question != "draw":
        ask(args.question, args)
    if args.save or args.question == "draw":
        for path in publish():
            print(f"wrote {path.relative_to(RESULTS.parent.parent)}", file=sys.stderr)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
