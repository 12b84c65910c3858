"""Copy a store on disk, also one that is open, into a new directory."""

import argparse

from stmpy.cli._disk import add_path, on_disk
from stmpy.cli._shared import FINE
from stmpy.durable.backup import backup
from stmpy.durable.launch import resolve

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_path(parser)
    parser.add_argument("target", metavar="TARGET", help="must not exist")


def run(args: argparse.Namespace) -> int:
    return on_disk(lambda: copy(resolve(args.path), resolve(args.target)))


def copy(path: str, target: str) -> int:
    backup(path, target)
    print(f"{target}: a store as it was on disk a moment ago")
    return FINE
