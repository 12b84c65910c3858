"""List the variables of a store on disk, or the keys of one of them in JSON."""

import argparse
from collections import Counter

from stmpy.cli._disk import add_path, number_of, on_disk
from stmpy.cli._shared import FINE
from stmpy.durable import cbor
from stmpy.durable.launch import resolve
from stmpy.durable.reader import reading
from stmpy.durable.spelling import to_json
from stmpy.durable.writer import kind_name

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_path(parser)
    parser.add_argument("variable", nargs="?", metavar="VAR")


def run(args: argparse.Namespace) -> int:
    return on_disk(lambda: show(resolve(args.path), args.variable))


def show(path: str, variable: str | None) -> int:
    with reading(path) as journal:
        if variable is not None:
            number = number_of(journal, variable)
            for row in journal.contents():
                if row.number == number:
                    print(to_json(cbor.decode(row.key)))
            return FINE
        counts = Counter(row.number for row in journal.contents())
        for number, (name, kind) in journal.names.items():
            print(f"{counts[number]:>12,} {kind_name(kind)} {name}")
    return FINE
