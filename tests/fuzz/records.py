"""What a keeper finds on disk: tables whose rows nobody vouches for.

The input is rows, each with four bytes before it: the table, whether its checksum is put right (or
all would end there), the size of the key, and that of the value in two bytes. Recovery gives rows
or `Damaged`, and where it does that, `stmpy check` finds something. What it gives goes into a
region, and reading that gives values or a `DecodeError`.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import Final
from zlib import crc32

import stmpy as stm
from stmpy import _native
from stmpy.durable import format, keeper
from stmpy.durable.backend import TABLES, Change
from stmpy.durable.check import of_tables
from stmpy.durable.format import TREF, TVAR, Damaged, Meta, Record, Write
from stmpy.durable.journal import Journal
from stmpy.durable.memory import MemoryBackend

_ROW: Final = struct.Struct("<BBH")
_MENDED: Final = 0x80


def seeds() -> list[bytes]:
    """Inputs to start from: a store as it is, one with rows and a log, and the same damaged."""
    key, value = _native.encode_key(1), _native.encode(["value"])
    row = format.encode_checked(format.number_key(1) + key, b"\2" + value)
    log = Record(9, [Write(TVAR, 2, "v", key, value), Write(TREF, 1, "r", b"\xf6", b"")])
    whole = [
        part(0, format.META_KEY, format.encode_meta(Meta(5, 1, format.row_sum(row)))),
        part(1, format.number_key(1), format.encode_checked(format.number_key(1), b"\5v")),
        part(2, format.number_key(1) + key, row),
        part(3, format.group_key(9), format.encode_record(log)),
    ]
    mended = [bytes([one[0] | _MENDED]) + one[1:] for one in whole]
    return [b"", b"".join(whole), b"".join(mended), *whole, *mended]


def part(table: int, key: bytes, value: bytes) -> bytes:
    return _ROW.pack(table, len(key), len(value)) + key + value


def changes(data: bytes) -> Iterator[Change]:
    at = 0
    while at + _ROW.size <= len(data):
        head, key_size, size = _ROW.unpack_from(data, at)
        middle = at + _ROW.size + key_size
        key, value = data[at + _ROW.size : middle], data[middle : middle + size]
        at = middle + size
        table = TABLES[head % len(TABLES)]
        yield (table, *mended(table, key, value)) if head & _MENDED else (table, key, value)


def mended(table: str, key: bytes, value: bytes) -> tuple[bytes, bytes]:
    """The row with the checksum that its other bytes have."""
    if table != "log":
        return key, format.encode_checked(key, value[4:])
    body = value[8:]
    return body[:8][::-1].rjust(8, b"\0"), struct.pack("<II", len(body), crc32(body)) + body


def check(data: bytes) -> None:
    backend = MemoryBackend()
    backend.write(list(changes(data)))
    found = list(of_tables(backend))
    try:
        journal = Journal(backend)
        rows = sorted(journal.contents())
    except Damaged:
        assert found or not backend.get("meta", format.META_KEY)
        return
    load(journal)
    while journal.apply():
        pass
    assert sorted(journal.contents()) == rows
    assert sorted(Journal(backend).contents()) == rows


def load(journal: Journal) -> None:
    """Into a region as the keeper does it, and then reads it as a program does."""
    with stm.open(max_bytes=1 << 18) as store:
        region = _native.Keeper(os.dup(store._file))
        try:
            keeper.load(region, journal)
        except (Damaged, MemoryError):
            return
        rows: dict[str, int] = {}
        for row in journal.contents():
            name = journal.names[row.number][0]
            rows[name] = rows.get(name, 0) + 1
        for name, kind in journal.names.values():
            read(store, name, kind, rows.get(name, 0))


def read(store: stm.Store, name: str, kind: int, rows: int) -> None:
    try:
        if kind & TREF:
            assert store.TRef(name).value is None or rows
        else:
            assert len(store.TVar(name)) == rows
            assert len(store.TVar(name).copy()) == rows
    except stm.DecodeError:
        return
