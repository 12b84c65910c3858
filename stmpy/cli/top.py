"""Watch a store of a running process live, or print one picture of it."""

import argparse

from stmpy.cli._live import dashboard_class
from stmpy.cli._shared import CODES_HELP, FINE, add_target, reported
from stmpy.cli._terminal import Terminal
from stmpy.statistics import attach

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = CODES_HELP
    add_target(parser)
    parser.add_argument(
        "--once", action="store_true", help="print one picture, as where no terminal is"
    )
    parser.add_argument(
        "-i",
        "--interval",
        type=float,
        default=1.0,
        metavar="SECONDS",
        help="between two readings (%(default)s)",
    )


def run(args: argparse.Namespace) -> int:
    if not 0.05 <= args.interval <= 3600:
        args.fail(f"the interval is from 0.05 to 3600 seconds, not {args.interval}")
    terminal = Terminal()
    live = terminal.watched and not args.once
    return reported(lambda: watch(args.target, args.interval if live else None, terminal))


def watch(target: str | None, interval: float | None, terminal: Terminal) -> int:
    """Live at an interval, once without one."""
    with attach(target) as store:
        if interval is not None:
            return dashboard_class()(store, interval).run() or FINE
        from stmpy.dashboard._once import once
        from stmpy.dashboard._timeline import Timeline

        for line in once(Timeline().add(store.read()), terminal.width):
            terminal.line(line)
    return FINE
