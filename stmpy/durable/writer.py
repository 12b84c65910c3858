"""Writing a store on disk that no process has open, without loading it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from stmpy.durable import cbor, files, format
from stmpy.durable.format import BARE, KINDS, TREF, Record, Write
from stmpy.durable.journal import BACKLOG_BYTES, Journal
from stmpy.durable.pages import check_header
from stmpy.durable.reader import explained
from stmpy.errors import DecodeError, EncodeError

BLOCK_ROWS: Final = 1000
BLOCK_BYTES: Final = 4 << 20
"""A block is full with so many rows, or when its keys and values have so many bytes."""

REF_KEY: Final = b"\xf6"


class Writer:
    """Puts rows into blocks, and blocks into the store: each whole or not at all, in order."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._kinds = dict(journal.names.values())
        self._block: list[Write] = []
        self._bytes = 0
        self.rows = 0  # put so far
        self.stored = 0  # of these, in the store

    def declare(self, name: str, kind: int) -> None:
        """Make a variable if it is missing; raises EncodeError if its name is one of another."""
        if not 0 < len(name.encode()) <= format.NAME_BYTES:
            raise EncodeError(f"the name of a variable has 1 to {format.NAME_BYTES} bytes")
        if kind not in KINDS:
            raise DecodeError(f"{name}: kind {kind} is none of a variable")
        known = self._kinds.get(name)
        if known is None:
            self._kinds[name] = kind
            self._add(Write(kind, format.TOMBSTONE, name, REF_KEY, b""))
        elif known & ~BARE != kind & ~BARE:
            raise EncodeError(f"{name}: is a {kind_name(known)} here, not a {kind_name(kind)}")

    def put(self, name: str, key: Any, value: Any) -> None:
        """Set a key of a variable that is declared; key and value are trees of `cbor`."""
        if name not in self._kinds:
            raise DecodeError(f"{name}: no variable of this name is declared before its keys")
        kind, key = self._kinds[name], cbor.checked_key(key)
        if kind & TREF and key != REF_KEY:
            raise DecodeError(f"{name}: a TRef has no keys")
        flags = format.IN_PLACE if cbor.can_change(value) else 0
        content = cbor.checked_value(value)
        self.rows += 1
        self._add(Write(kind, flags, name, key, content))

    def _add(self, write: Write) -> None:
        self._block.append(write)
        self._bytes += len(write.key) + len(write.value)
        if len(self._block) >= BLOCK_ROWS or self._bytes >= BLOCK_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write the block that is begun; it is durable then."""
        if self._block:
            ts = self._journal.last + 1
            self._journal.append(ts, format.encode_record(Record(ts, self._block)))
            self._block, self._bytes, self.stored = [], 0, self.rows
        if self._journal.backlog > BACKLOG_BYTES:
            self.apply()

    def apply(self) -> None:
        """Move what is in the log to its place."""
        while self._journal.apply():
            pass


@contextmanager
def writing(path: str, *, make: bool) -> Iterator[Writer]:
    """Own the store at a path and write to it; `make` it if it is missing.

    What is left in the last block is written at the end, unless an error ends it. Raises
    DurabilityError, naming the owner, if another process has it open.
    """
    with explained(path):
        from stmpy.durable.lmdb_backend import LmdbBackend

        if make:
            files.prepare(path)
        else:
            files.check_present(path)
        lock = files.lock(path, os.getpid(), 0.0)
        try:
            check_header(path)
            journal = Journal(LmdbBackend(path))
            try:
                writer = Writer(journal)
                yield writer
                writer.flush()
                writer.apply()
            finally:
                journal.close()
        finally:
            os.close(lock)


def kind_name(kind: int) -> str:
    """What the class of such a variable is called."""
    return "TRef" if kind & TREF else "TVar"
