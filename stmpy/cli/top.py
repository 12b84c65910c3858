"""Watch a store of a running process live; prints once where no terminal is."""

import argparse
import shutil
import sys

from stmpy.cli._shared import CODES_HELP, FINE, add_target, reported
from stmpy.statistics import attach

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = CODES_HELP
    add_target(parser)
    parser.add_argument("-i", "--interval", type=float, default=1.0, metavar="SECONDS")


def run(args: argparse.Namespace) -> int:
    if args.interval <= 0:
        args.fail(f"the interval is more than 0 seconds, not {args.interval}")
    return reported(lambda: watch(args.target, args.interval))


def watch(target: str | None, interval: float) -> int:
    with attach(target) as store:
        if sys.stdout.isatty():
            from stmpy.cli._live import dashboard_class

            return dashboard_class()(store, interval).run() or FINE
        from stmpy.dashboard._once import once
        from stmpy.dashboard._timeline import Timeline

        timeline = Timeline().add(store.read())
        print("\n".join(once(timeline, shutil.get_terminal_size().columns)))
    return FINE
