"""What the verbs that look at other processes share: their exit codes and how they name a store."""

import argparse
import sys
from collections.abc import Callable
from typing import Final

from stmpy.errors import StmError
from stmpy.statistics import OtherVersion, StoreGone, StoreNotFound

FINE: Final = 0
FAILED: Final = 1
CODES: Final = {StoreNotFound: 2, StoreGone: 3, OtherVersion: 4}
CODES_HELP: Final = (
    "Exits with 0, 2 if there is no such store, 3 if it is gone, 4 for another version."
)


def add_target(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "target",
        nargs="?",
        metavar="PID|NAME",
        help="the process, or the name or path of its store, or PID:FILE as `stmpy list` shows it",
    )


def reported(work: Callable[[], int]) -> int:
    """Runs it; a StmError is told and becomes its exit code."""
    try:
        return work()
    except StmError as error:
        print(f"stmpy: {error}", file=sys.stderr)
        return CODES.get(type(error), FAILED)
    except BrokenPipeError:  # who read the output has what it wanted
        sys.stderr.close()
        return FINE
