"""The command `stmpy`, also `python -m stmpy`: one verb per file of this folder.

A verb is a module with `add_arguments(parser)` and `run(args)`, which returns the exit code; the
first line of its docstring is its help.
"""

import argparse
import sys
from collections.abc import Sequence

from stmpy.cli import demo
from stmpy.errors import StmError

__all__ = ["main"]

_VERBS = (demo,)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command line. Returns 0, 1 when the command failed, or 130 when interrupted.

    A command line that makes no sense exits with 2, as argparse does.
    """
    parser = argparse.ArgumentParser(prog="stmpy", description="Transactions between interpreters.")
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    for verb in _VERBS:
        name = verb.__name__.rpartition(".")[2]
        summary = (verb.__doc__ or "").partition("\n")[0]
        verb_parser = verbs.add_parser(name, help=summary, description=summary)
        verb.add_arguments(verb_parser)
        verb_parser.set_defaults(run=verb.run, fail=verb_parser.error)
    args = parser.parse_args(argv)
    try:
        code: int = args.run(args)
    except StmError as error:
        print(f"stmpy: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstmpy: stopped", file=sys.stderr)
        return 130
    return code
