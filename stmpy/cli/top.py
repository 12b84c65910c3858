"""Watch a store of a running process live; prints once where no terminal is."""

import argparse
import shutil

from stmpy.cli._shared import CODES_HELP, FINE, add_target, reported
from stmpy.statistics import attach

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = CODES_HELP
    add_target(parser)


def run(args: argparse.Namespace) -> int:
    return reported(lambda: watch(args.target))


def watch(target: str | None) -> int:
    from stmpy.dashboard._once import once
    from stmpy.dashboard._timeline import Timeline

    with attach(target) as store:
        timeline = Timeline().add(store.read())
        print("\n".join(once(timeline, shutil.get_terminal_size().columns)))
    return FINE
