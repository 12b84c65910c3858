"""Interpreters index a source tree together, against one alone, and prove the result.

Three passes over the same files: one in plain dicts, which shares nothing and says what the result
must be; one by a single interpreter in blocks; one by several interpreters in the same blocks.
"""

import argparse
import json
import os
import platform
import sysconfig
from dataclasses import asdict
from functools import partial
from pathlib import Path

from stmpy.cli._index import PlainIndex, best
from stmpy.cli._passes import Pass, Progress, plain_pass, shared_pass, source_files
from stmpy.cli._terminal import Terminal
from stmpy.cli._watch import watched
from stmpy.cli._workers import add_workers, check_workers

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_workers(parser, "interpreters in the last pass")
    parser.add_argument(
        "--path", metavar="DIR", help="the tree to index (the standard library of this Python)"
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON, no bars")
    parser.add_argument(
        "--watch", action="store_true", help="show the dashboard in front of the last pass"
    )


def run(args: argparse.Namespace) -> int:
    check_workers(args)
    root = Path(args.path or sysconfig.get_path("stdlib"))
    try:
        paths = source_files(root)
    except OSError as error:
        args.fail(f"cannot read {root}: {error.strerror}")
    if not paths:
        args.fail(f"there is no .py file under {root}")
    terminal = Terminal()
    if args.watch and (args.json or not terminal.watched):
        args.fail("--watch needs a terminal, and goes without --json")

    def bar(title: str) -> Progress:
        return no_progress if args.json else terminal.bar(f"  {title:22}", len(paths))

    if not args.json:
        show_head(terminal, root, paths, args.workers)
    plain, seconds = plain_pass(paths, bar("plain dicts, no stmpy"))
    one = shared_pass(1, paths, plain, bar("1 interpreter"))
    last = partial(shared_pass, args.workers, paths, plain)
    last_bar = bar(f"{args.workers} interpreters")
    many = watched(last, last_bar) if args.watch else last(last_bar)
    if args.json:
        print(json.dumps(figures(root, plain, seconds, one, many), indent=2))
    else:
        show_result(terminal, plain, one, many)
    return 0 if one.equal and many.equal else 1


BUSY = ": other programs want the processors too, so the speed-up says little"


def starved(*passes: Pass) -> bool:
    """True if a pass got clearly less processor time than there are cores for it."""
    cores = os.process_cpu_count() or 1
    return any(one.cores < 0.85 * min(one.workers, cores) for one in passes)


def no_progress(done: int, seconds: float) -> None:
    """Shows nothing: for output that a program reads."""


def show_head(terminal: Terminal, root: Path, paths: list[str], workers: int) -> None:
    version, cores = platform.python_version(), os.process_cpu_count()
    size = sum(os.path.getsize(path) for path in paths) / 1e6
    terminal.line()
    terminal.line(
        terminal.bold("  stmpy demo")
        + f" · CPython {version} · {workers} interpreters with a GIL each, on {cores} cores"
    )
    terminal.line(
        terminal.dim(
            f"""
  {len(paths):,} Python files, {size:.1f} MB, under {root}
  Each file is read and tokenised, then one block adds its names to the shared index:
  occurrences and files per name, totals, and a top list that every block rewrites.
  The clock starts when the interpreters are up and have imported what they need.
"""
        )
    )


def show_result(terminal: Terminal, plain: PlainIndex, one: Pass, many: Pass) -> None:
    def row(title: str, text: str) -> None:
        terminal.line(f"  {title:12} {text}")

    def count(n: int) -> str:
        return f"{n:,} in {many.seconds:.1f} s, {n / many.seconds:,.0f} a second"

    terminal.line()
    row("speed-up", terminal.bold(f"{one.seconds / many.seconds:.2f} ×"))
    row(
        "cores used", f"{one.cores:.2f} and {many.cores:.2f}" + (BUSY if starved(one, many) else "")
    )
    row("commits", count(many.commits))
    row("conflicts", f"{count(many.conflicts)}, each resolved by running the block again")
    if many.hottest:
        row("hottest keys", " · ".join(f"{key} {count:,}" for key, count in many.hottest))
    top = best(plain.occurrences)[:5]
    row("top names", " · ".join(f"{name} {count:,}" for name, count in top))
    if plain.unreadable:
        row("left out", f"{plain.unreadable:,} files that are no valid Python source")
    names, uses = len(plain.occurrences), plain.occurrences.total()
    if one.equal and many.equal:
        row("result", terminal.good("equal") + f" to the plain one: {names:,} names, {uses:,} uses")
    else:
        row("result", terminal.bad("NOT EQUAL") + " to the plain one: this is a bug in stmpy")
    terminal.line()


def figures(
    root: Path, plain: PlainIndex, seconds: float, one: Pass, many: Pass
) -> dict[str, object]:
    return {
        "python": platform.python_version(),
        "cores": os.process_cpu_count(),
        "path": str(root),
        "files": plain.done,
        "unreadable": plain.unreadable,
        "names": len(plain.occurrences),
        "occurrences": plain.occurrences.total(),
        "plain_seconds": seconds,
        "one": asdict(one),
        "many": asdict(many),
        "speed_up": one.seconds / many.seconds,
        "equal": one.equal and many.equal,
    }
