"""Put what `stmpy dump` wrote, in either form, into a store on disk that no process has open.

The store is made if it is missing; keys that it has already are set anew. A block of at most 1000
keys, or 4 MiB and one value, is put in whole or not at all, in order.
"""

import argparse
import os
import stat
import sys
from pathlib import Path
from typing import BinaryIO

from stmpy.cli._disk import Meter, add_path, on_disk
from stmpy.cli._shared import FINE
from stmpy.durable.dumps import load
from stmpy.durable.launch import resolve
from stmpy.durable.writer import writing

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (__doc__ or "").partition("\n\n")[2]
    add_path(parser)
    parser.add_argument(
        "source", nargs="?", type=Path, metavar="FILE", help="instead of standard input"
    )


def run(args: argparse.Namespace) -> int:
    return on_disk(lambda: read(resolve(args.path), args.source))


def read(path: str, source: Path | None) -> int:
    if source is None:
        return read_from(path, sys.stdin.buffer)
    with source.open("rb") as file:
        return read_from(path, file)


def read_from(path: str, source: BinaryIO) -> int:
    info = os.fstat(source.fileno())
    meter = Meter("load", info.st_size if stat.S_ISREG(info.st_mode) else 0, "bytes")
    with writing(path, make=True) as writer:
        load(source, writer, lambda: meter.show(source.tell()) if meter.total else None)
    meter.end()
    print(f"{path}: {writer.rows:,} keys were put in", file=sys.stderr)
    return FINE
