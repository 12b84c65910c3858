"""Say what is damaged in a store on disk, also one that is open; exits with 1 if anything is."""

import argparse

from stmpy.cli._disk import add_path, on_disk
from stmpy.cli._shared import FAILED, FINE
from stmpy.durable.check import check
from stmpy.durable.launch import resolve
from stmpy.durable.reader import explained

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_path(parser)


def run(args: argparse.Namespace) -> int:
    return on_disk(lambda: tell(resolve(args.path)))


def tell(path: str) -> int:
    with explained(path):
        found = check(path)
    for finding in found:
        print(f"{path}: {finding}")
    if not found:
        print(f"{path}: sound")
    return FAILED if found else FINE
