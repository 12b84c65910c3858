"""Set a key, or the value of a TRef, in a store on disk that no process has open.

A VALUE is JSON, and so is a KEY; a KEY that is no JSON is the string itself.
"""

import argparse

from stmpy.cli._disk import add_path, on_disk
from stmpy.cli._shared import FINE
from stmpy.durable.format import BARE, TREF, TVAR
from stmpy.durable.launch import resolve
from stmpy.durable.spelling import from_json, key_from_words
from stmpy.durable.writer import writing

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (__doc__ or "").partition("\n\n")[2]
    add_path(parser)
    parser.add_argument("variable", metavar="VAR")
    parser.add_argument("words", nargs="+", metavar="[KEY] VALUE", help="without a KEY: a TRef")


def run(args: argparse.Namespace) -> int:
    if len(args.words) > 2:
        args.fail("give KEY and VALUE, or VALUE alone for a TRef")
    return on_disk(lambda: put(resolve(args.path), args.variable, args.words))


def put(path: str, variable: str, words: list[str]) -> int:
    value = from_json(words[-1])
    key = key_from_words(words[0]) if len(words) == 2 else None
    with writing(path, make=False) as writer:
        writer.declare(variable, BARE | (TVAR if len(words) == 2 else TREF))
        writer.put(variable, key, value)
    return FINE
