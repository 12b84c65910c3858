"""Whether the files of a store are what was written: every page, row and record of a private copy.

The copy is read in a process of its own. LMDB trusts its pages, so that damaged ones may end the
process: that is a finding, too.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress

from stmpy.durable import cbor, files, format, log_files, spelling
from stmpy.durable.backend import TREES, Backend
from stmpy.durable.backup import in_process
from stmpy.durable.format import Damaged, Meta
from stmpy.durable.pages import check_header
from stmpy.durable.reader import Reader
from stmpy.errors import StmError

_PROGRAM = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); "
    "from stmpy.durable.check import main; main()"
)
_SECONDS = 60
_BYTES_A_SECOND = 1 << 20


def check(path: str) -> list[str]:
    """What is damaged in the store at a path, one line each; empty if it is sound.

    The store may be open. Raises DurabilityError if there is none, or its directory is not safe.
    """
    files.check_present(path)
    with tempfile.TemporaryDirectory(prefix="stmpy-check-") as folder:
        copy = os.path.join(folder, "copy")
        try:
            _copy(path, copy)
        except StmError as error:
            return [str(error)]
        return [found.replace(copy, path) for found in _findings_of_process(copy)]


def _copy(path: str, copy: str) -> None:
    """Bytes as they are, or what a reader of LMDB sees where somebody writes to them."""
    if files.owner_of(path) is None:
        os.mkdir(copy, 0o700)
        for name in ("data.mdb", *log_files.FILES):
            with suppress(FileNotFoundError):  # which is for those to find who read the copy
                shutil.copyfile(os.path.join(path, name), os.path.join(copy, name))
                os.chmod(os.path.join(copy, name), 0o600)
        if files.owner_of(path) is None:
            return
        shutil.rmtree(copy)
    in_process(path, copy)


def _findings_of_process(copy: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-I", "-c", _PROGRAM, json.dumps(sys.path), copy],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
    found = done.stdout.splitlines()
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        found.append(f"data.mdb: its pages are damaged: reading them ended a process by {name}")
    elif done.returncode:
        last = (done.stderr.strip().splitlines() or ["without a word"])[-1]
        found.append(f"data.mdb: reading it failed: {last}")
    return found


def main() -> None:
    """Print what is damaged in the copy that the last argument names."""
    path = sys.argv[-1]
    seconds = _SECONDS + os.stat(os.path.join(path, "data.mdb")).st_size // _BYTES_A_SECOND
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for finding in findings(path):
        print(finding, flush=True)


def findings(path: str) -> Iterator[str]:
    """What is damaged. The process may not survive it."""
    import lmdb

    try:
        try:
            check_header(path)
        except Damaged as error:
            yield str(error)
        reader = Reader(path)
        yield from of_tables(reader)
        yield from _of_pages(reader)
    except (Damaged, StmError) as error:
        yield str(error)
    except lmdb.Error as error:
        yield f"data.mdb: {error}"


def _of_pages(reader: Reader) -> Iterator[str]:
    """Each key is found where a search looks for it, and the pages in use and free are all."""
    for table in TREES:
        previous = None
        for key, value in reader.scan(table):
            if previous is not None and key <= previous:
                yield f"{table}: key {key.hex()} is out of order"
                return
            if reader.get(table, key) != value:
                yield f"{table}: a search does not find key {key.hex()}"
            previous = key
    file = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    try:
        reader.env.copyfd(file, compact=True)
    finally:
        os.close(file)


def of_tables(reader: Backend) -> Iterator[str]:
    """What is damaged in the rows themselves."""
    meta = None
    value = reader.get("meta", format.META_KEY)
    try:
        if value is None:
            raise Damaged("meta: the row that describes the store is missing")
        meta = format.decode_meta(value)
    except Damaged as error:
        yield str(error)
    for key, _ in reader.scan("meta"):
        if key != format.META_KEY:
            yield f"meta: a row {key.hex()} that nobody writes"
    names: dict[int, str] = {}
    for number, (key, value) in enumerate(reader.scan("names"), 1):
        try:
            name, _ = format.decode_name(number, key, value)
            if name in names.values():
                yield f"names: there are two variables {name}"
            names[number] = name
        except Damaged as error:
            yield str(error)
    yield from _of_data(reader, names, meta)
    last = 0
    for key, value in reader.scan("log"):
        try:
            for record in format.decode_group(key, value):
                if meta is not None:
                    format.check_next(max(last, meta.applied), record.ts)
                last = max(last, record.ts)
        except Damaged as error:
            yield str(error)
    if last and meta is not None and last < meta.applied:
        yield f"log: ends with commit {last}, before commit {meta.applied}, which is applied"


def _of_data(reader: Backend, names: dict[int, str], meta: Meta | None) -> Iterator[str]:
    rows = total = 0
    previous = b""
    for key, value in reader.scan("data"):
        if key <= previous:
            yield f"data: key {key.hex()} is out of order"
            return
        previous = key
        rows += 1
        total += format.row_sum(value)
        number = int.from_bytes(key[:4], "big")
        if number not in names:
            yield f"data: key {key.hex()} of variable {number}, which has no name"
        try:
            format.decode_row(_title(names, key), key, value)
        except Damaged as error:
            yield str(error)
    if meta is not None and rows != meta.rows:
        yield f"data: {meta.rows} rows were written, and {rows} are there"
    elif meta is not None and total % (1 << 64) != meta.sum:
        yield "data: the checksums of all rows do not add up to what was written"


def _title(names: dict[int, str], key: bytes) -> str:
    """A row as a person would name it, as far as it can be read."""
    variable = names.get(int.from_bytes(key[:4], "big"), "an unknown variable")
    try:
        return f"{variable}[{spelling.to_json(cbor.decode(key[4:]))}]"
    except StmError:
        return f"{variable}[0x{key[4:].hex()}]"
