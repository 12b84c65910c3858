"""Record a store for a while, and write one page of HTML: plots, conflicts, and what to try next.

Either that of a running process, or that of a command that is run for it; of several stores of a
command, the one that did most.
"""

import argparse
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from stmpy.cli._shared import CODES_HELP, FAILED, FINE, add_target, reported
from stmpy.dashboard._page import page
from stmpy.dashboard._record import Recording, record
from stmpy.statistics import Attached, StoreGone, StoreNotFound, attach, difference
from stmpy.statistics._attach import stores_of

__all__ = ["add_arguments", "run"]

LOOK_SECONDS = 0.02
"""How long to wait between two looks for the first store of a command."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = CODES_HELP
    add_target(parser)
    parser.add_argument(
        "-t",
        "--time",
        type=float,
        metavar="SECONDS",
        help="how long to record: 10 for a running process; a command to its end, or from its first"
        " store on for this long, and then it is asked to end",
    )
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("stmpy-report.html"), metavar="FILE"
    )
    parser.add_argument(
        "--run",
        nargs=argparse.REMAINDER,
        dest="command",
        metavar="COMMAND",
        help="run this command, all that follows, and record the store that it opens",
    )


def run(args: argparse.Namespace) -> int:
    if args.time is not None and args.time <= 0:
        args.fail(f"the time is more than 0 seconds, not {args.time}")
    if args.command is not None and not args.command:
        args.fail("--run wants a command after it")
    if args.command and args.target:
        args.fail("give a running process or a command to run, not both")
    return reported(lambda: write(args))


def write(args: argparse.Namespace) -> int:
    began = time.strftime("%Y-%m-%d %H:%M")
    if args.command:
        recording = of_command(args.command, args.time, began)
    else:
        with attach(args.target) as store:
            recording = of_store(store, until(args.time or 10.0), began)
    try:
        args.output.write_text(page(recording), encoding="utf-8")
    except OSError as error:
        print(f"stmpy: cannot write {args.output}: {error.strerror}", file=sys.stderr)
        return FAILED
    seconds, count = recording.whole.seconds, len(recording.records)
    print(f"{args.output}: {seconds:.1f} seconds in {count} records")
    return FINE


def until(seconds: float | None) -> Callable[[float], bool]:
    """A wait that says whether the time is not yet over; an interrupt ends it before."""
    end = None if seconds is None else time.monotonic() + seconds

    def wait(step: float) -> bool:
        left = step if end is None else min(step, end - time.monotonic())
        try:
            time.sleep(max(0.0, left))
        except KeyboardInterrupt:
            return False
        return end is None or time.monotonic() < end

    return wait


def of_store(store: Attached, wait: Callable[[float], bool], began: str) -> Recording:
    """Raises StoreGone if there is but one record, which says nothing about any time."""
    records, ended = record(store, wait)
    if len(records) < 2:
        raise StoreGone(ended or f"store {store.found.target}: no time has passed")
    return Recording(store.found.command, began, tuple(records), ended)


def of_command(command: list[str], seconds: float | None, began: str) -> Recording:
    """Runs the command to its end, or for so many seconds from its first store on.

    Stores are recorded one after the other, as long as each is open, and all that they ever counted
    belongs to the record. Raises StoreNotFound if there is none.
    """
    wait, go_on = until(None), True

    def waited(step: float) -> bool:
        nonlocal go_on
        go_on = wait(step) and process.poll() is None
        return go_on

    try:
        process = subprocess.Popen(command)
    except OSError as error:
        raise StoreNotFound(f"cannot run {shlex.join(command)}: {error.strerror}") from error
    recordings: list[Recording] = []
    try:
        while go_on:
            with suppress(StoreGone), _newest(process.pid) as store:
                if not recordings:
                    wait = until(seconds)
                recordings.append(_from_its_start(of_store(store, waited, began)))
            waited(LOOK_SECONDS)
    finally:
        process.terminate()
        process.wait()
    if not recordings:
        raise StoreNotFound(f"{shlex.join(command)}: it has opened no store that could be read")
    busiest = max(recordings, key=lambda one: one.whole.commits + one.whole.read_only_commits)
    return Recording(shlex.join(command), began, busiest.records, busiest.ended)


def _from_its_start(recording: Recording) -> Recording:
    """With a first record from when the store was opened and nothing had happened."""
    first = recording.records[0]
    nothing = replace(difference(first, first), seconds=0.0)
    return replace(recording, records=(nothing, *recording.records))


def _newest(process: int) -> Attached:
    """The open store that the process opened last. Raises StoreGone if it has none."""
    with suppress(OSError):
        for found in reversed(list(stores_of(process))):
            if found.name is not None and not found.closed:
                return Attached(found)
    raise StoreGone(f"process {process}: it has no open store")
