"""Print a value of a store on disk in JSON, or all of a variable as lines of [key, value].

A KEY is JSON, too; what is no JSON is the string itself.
"""

import argparse

from stmpy.cli._disk import add_path, number_of, on_disk
from stmpy.cli._shared import FINE
from stmpy.durable import cbor
from stmpy.durable.format import TREF
from stmpy.durable.launch import resolve
from stmpy.durable.reader import reading
from stmpy.durable.spelling import key_from_words, to_json
from stmpy.durable.writer import REF_KEY
from stmpy.errors import StmError

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (__doc__ or "").partition("\n\n")[2]
    add_path(parser)
    parser.add_argument("variable", metavar="VAR")
    parser.add_argument("key", nargs="?", metavar="KEY", help="in JSON, or a plain word")


def run(args: argparse.Namespace) -> int:
    return on_disk(lambda: show(resolve(args.path), args.variable, args.key))


def show(path: str, variable: str, word: str | None) -> int:
    with reading(path) as journal:
        number = number_of(journal, variable)
        _, kind = journal.names[number]
        if word is None and not kind & TREF:
            for row in journal.contents():
                if row.number == number:
                    print(to_json([cbor.decode(row.key), cbor.decode(row.value)]))
            return FINE
        key = REF_KEY if word is None else cbor.checked_key(key_from_words(word))
        value = journal.get(number, key)
        if value is None:
            raise StmError(f"{variable}: has no key {word}" if word else f"{variable}: is not set")
        print(to_json(cbor.decode(value)))
    return FINE
