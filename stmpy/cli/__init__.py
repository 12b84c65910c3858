"""The command `stmpy`, also `python -m stmpy`: one verb per file of this folder.

A verb is a module with `add_arguments(parser)` and `run(args)`, which returns the exit code; the
first line of its docstring is its help. Only the verb that is asked for is imported, so that
looking at another process starts at once.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

import stmpy
from stmpy.errors import StmError

__all__ = ["main"]

_VERBS = (
    *("demo", "bench", "top", "report", "stat", "list", "doctor"),
    *("keys", "get", "set", "dump", "load", "check", "backup"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command line. Returns 0, 1 when the command failed, or 130 when interrupted.

    Those that look at other processes return 2 if there is no such store, 3 if it is gone and 4 if
    it is another version's. A command line that makes no sense exits with 2, as argparse does.
    """
    words = sys.argv[1:] if argv is None else [*argv]
    parser = argparse.ArgumentParser(prog="stmpy", description="Transactions between interpreters.")
    parser.add_argument("--version", action=_Version, nargs=0, help="show it and exit")
    verbs = parser.add_subparsers(metavar="VERB")
    wanted = [verb for verb in _VERBS if verb in words[:1]] or _VERBS
    for name in wanted:
        _add(verbs, name, import_module(f"stmpy.cli.{name}"))
    args = parser.parse_args(words)
    if "run" not in args:
        parser.print_help()
        return 2
    try:
        code: int = args.run(args)
    except StmError as error:
        print(f"stmpy: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstmpy: stopped", file=sys.stderr)
        return 130
    return code


class _Version(argparse.Action):
    """Looks the version up where it is asked for: that takes longer than all else at the start."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        parser.exit(message=f"stmpy {stmpy.__version__}\n")


def _add(
    verbs: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, verb: ModuleType
) -> None:
    summary = (verb.__doc__ or "").partition("\n")[0]
    parser = verbs.add_parser(name, help=summary, description=summary)
    verb.add_arguments(parser)
    parser.set_defaults(run=verb.run, fail=parser.error)
