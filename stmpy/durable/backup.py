"""Copies of a store on disk while it is written to: one moment of it, as its readers see it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

from stmpy.durable import files, log_files
from stmpy.durable.reader import Reader, explained
from stmpy.errors import DurabilityError

_PROGRAM = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); "
    "from stmpy.durable.backup import main; sys.exit(main())"
)


def backup(path: str, target: str) -> None:
    """Copy what is durable in the store at `path` into a new directory, which must not exist.

    The copy is a store; it is durable when this returns. Raises DurabilityError.
    """
    with explained(path):
        files.check_present(path)
        reader = Reader(path)
        try:
            _copy(reader, target)
        except DurabilityError:
            raise
        except OSError as error:
            raise DurabilityError(f"{target}: {error.strerror or error}") from error
        finally:
            reader.close()


def _copy(reader: Reader, target: str) -> None:
    """The file gets its name when all is whole: what is cut off could pass for a store.

    The log is read after the tables were copied: it has all that they may lack.
    """
    try:
        os.mkdir(target, 0o700)
    except FileExistsError:
        raise DurabilityError(f"{target}: is there already; a backup overwrites nothing") from None
    part, whole = os.path.join(target, "data.part"), os.path.join(target, "data.mdb")
    try:
        file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            reader.env.copyfd(file)
            os.fsync(file)
        finally:
            os.close(file)
        log_files.make(target, reader.scan("log"))
        os.rename(part, whole)
    except BaseException:
        shutil.rmtree(target)
        raise
    for folder in (target, os.path.dirname(os.path.abspath(target))):
        files.sync_names(folder)


def in_process(path: str, target: str) -> None:
    """`backup` in a process of its own, as LMDB opens a path once in a process."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", _PROGRAM, json.dumps(sys.path), path, target],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"the copy ended with {done.returncode}"]
        raise DurabilityError(said[-1])


def main() -> str | None:
    """Copy from the last argument but one to the last; what went wrong, or None."""
    try:
        backup(sys.argv[-2], sys.argv[-1])
    except Exception as error:
        return str(error)
    return None
