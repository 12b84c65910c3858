"""Write a store on disk, also one that is open, as lines of JSON or as a CBOR sequence."""

import argparse
import sys
from pathlib import Path
from typing import BinaryIO

from stmpy.cli._disk import Meter, add_path, on_disk
from stmpy.cli._shared import FINE
from stmpy.durable.dumps import as_cbor, as_line, dump
from stmpy.durable.launch import resolve
from stmpy.durable.reader import reading

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_path(parser)
    parser.add_argument("--cbor", action="store_true", help="a CBOR sequence, not JSON")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="a new file, not standard output"
    )


def run(args: argparse.Namespace) -> int:
    return on_disk(lambda: write(resolve(args.path), args.cbor, args.output))


def write(path: str, in_cbor: bool, output: Path | None) -> int:
    if output is None:
        return write_to(path, in_cbor, sys.stdout.buffer)
    with output.open("xb") as file:
        try:
            return write_to(path, in_cbor, file)
        except BaseException:
            output.unlink()
            raise


def write_to(path: str, in_cbor: bool, out: BinaryIO) -> int:
    with reading(path) as journal:
        meter = Meter("dump", journal.most_rows(), "keys")
        dump(journal, as_cbor if in_cbor else as_line, out, meter.show)
        meter.end()
        out.flush()
    return FINE
