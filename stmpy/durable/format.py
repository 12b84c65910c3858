"""The bytes on disk: records, rows and the row that describes the store. See README.md here."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, NamedTuple
from zlib import crc32

from stmpy import _native
from stmpy.durable.cbor import MOST_BYTES
from stmpy.errors import DecodeError

VERSION: Final = 2
TOMBSTONE: Final = 1
IN_PLACE: Final = 2
META_KEY: Final = b"stmpy"

TVAR: Final = 1
TREF: Final = 2
BARE: Final = 4
KINDS: Final = (TVAR, TREF, TVAR | BARE, TREF | BARE)

NAME_BYTES: Final = 255
KEY_BYTES: Final = 480

_RECORD = struct.Struct("<II")
_BODY = struct.Struct("<QI")
_WRITE = struct.Struct("<BBHHHI")
_CRC = struct.Struct(">I")


class Damaged(ValueError):
    """Stored bytes that are not what was written; the text says which."""


class Write(NamedTuple):
    """What one commit did to one key; `key` and `value` are CBOR."""

    kind: int
    flags: int
    name: str
    key: bytes
    value: bytes


class Record(NamedTuple):
    """One commit."""

    ts: int
    writes: list[Write]


@dataclass(slots=True)
class Meta:
    """How far `data` is, and what lies in it."""

    applied: int = 0
    rows: int = 0
    sum: int = 0


def check_next(known: int, ts: int) -> None:
    """Raise Damaged if there are commits between the last one that is known and this.

    The first of a store is number 2, as its region begins with 1; or 1 where a command made it.
    """
    if ts > max(known, 1) + 1:
        raise Damaged(f"log: commits {known + 1} to {ts - 1} are missing")


def group_key(ts: int) -> bytes:
    """The key in `log` of the group that begins with this commit."""
    return ts.to_bytes(8, "big")


def number_key(number: int) -> bytes:
    """The key in `names`, and the beginning of keys in `data`, of a variable."""
    return number.to_bytes(4, "big")


def encode_checked(key: bytes, rest: bytes) -> bytes:
    """A value of `names` or `data`."""
    return _CRC.pack(crc32(rest, crc32(key))) + rest


def row_sum(value: bytes) -> int:
    """What a row adds to `Meta.sum`."""
    return int.from_bytes(value[:4], "big")


def decode_checked(table: str, title: str, key: bytes, value: bytes) -> tuple[int, bytes]:
    """The first byte (kind or flags) and the rest; raises Damaged."""
    if len(value) < 5 or row_sum(value) != crc32(value[4:], crc32(key)):
        raise Damaged(f"{table}: the checksum of {title} is wrong")
    return value[4], value[5:]


def decode_name(number: int, key: bytes, value: bytes) -> tuple[str, int]:
    """A row of `names`: what the variable with this number is called, and its kind.

    Numbers are given from 1 on without a gap. Raises Damaged.
    """
    kind, name = decode_checked("names", f"variable {number}", key, value)
    if key != number_key(number):
        raise Damaged(f"names: {key.hex()} is there instead of variable {number}")
    if not 0 < len(name) <= NAME_BYTES or kind not in KINDS:
        raise Damaged(f"names: variable {number} has {len(name)} bytes of name and kind {kind}")
    try:
        return name.decode(), kind
    except UnicodeDecodeError:
        raise Damaged(f"names: variable {number} has no readable name") from None


def decode_row(title: str, key: bytes, value: bytes) -> tuple[int, bytes, int, bytes]:
    """A row of `data`: number of the variable, key, flags and value; raises Damaged."""
    flags, content = decode_checked("data", title, key, value)
    number, inner = int.from_bytes(key[:4], "big"), key[4:]
    if not _possible(flags, inner, content) or flags & TOMBSTONE:
        raise Damaged(f"data: {title} is nothing that stmpy writes")
    return number, inner, flags, content


def _possible(flags: int, key: bytes, value: bytes) -> bool:
    """Whether any commit could have written this."""
    known = flags & ~(TOMBSTONE | IN_PLACE) == 0
    return known and 0 < len(key) <= KEY_BYTES and len(value) <= MOST_BYTES


def encode_meta(meta: Meta) -> bytes:
    fields = {"format": VERSION, "applied": meta.applied, "rows": meta.rows, "sum": meta.sum}
    return encode_checked(META_KEY, _native.encode(fields))


def decode_meta(value: bytes) -> Meta:
    """Raises Damaged, also for a newer format."""
    if len(value) < 4 or row_sum(value) != crc32(value[4:], crc32(META_KEY)):
        raise Damaged("meta: the checksum is wrong")
    try:
        fields = _native.decode(value[4:])
    except DecodeError as error:
        raise Damaged(f"meta: {error}") from None
    match fields:
        case {"format": int(version)} if version != VERSION:
            raise Damaged(
                f"the format is version {version}, and this stmpy reads version {VERSION}: "
                "dump it with the stmpy that wrote it, and load that"
            )
        case {"format": _, "applied": int(applied), "rows": int(rows), "sum": int(total)}:
            if all(0 <= number < 1 << 64 for number in (applied, rows, total)):
                return Meta(applied, rows, total)
    raise Damaged("meta: it does not say what it must")


def applied_key(meta: bytes | None) -> bytes:
    """The key below which groups of the log are over, as far as this row of `meta` can be read."""
    with suppress(Damaged):
        return group_key(decode_meta(meta or b"").applied)
    return b""


def encode_record(record: Record) -> bytes:
    """One commit, as the core writes it into a group."""
    body = [_BODY.pack(record.ts, len(record.writes))]
    for write in record.writes:
        name = write.name.encode()
        sizes = (len(name), len(write.key), 0, len(write.value))
        body += [_WRITE.pack(write.kind, write.flags, *sizes), name, write.key, write.value]
    joined = b"".join(body)
    return _RECORD.pack(len(joined), crc32(joined)) + joined


def decode_group(key: bytes, group: bytes) -> Iterator[Record]:
    """The commits of a group in order; raises Damaged where it stops making sense."""
    place = f"log: group {int.from_bytes(key, 'big')}"
    at, previous = 0, None
    while at < len(group):
        if at + _RECORD.size > len(group):
            raise Damaged(f"{place}: cut off at byte {at}")
        length, crc = _RECORD.unpack_from(group, at)
        body = group[at + _RECORD.size : at + _RECORD.size + length]
        if len(body) != length or crc32(body) != crc:
            raise Damaged(f"{place}: the checksum of the record at byte {at} is wrong")
        record = _decode_body(place, body)
        if previous is None and group_key(record.ts) != key:
            raise Damaged(f"{place}: begins with commit {record.ts}")
        if previous is not None and record.ts <= previous:
            raise Damaged(f"{place}: commit {record.ts} after {previous}")
        previous = record.ts
        yield record
        at += _RECORD.size + length
    if previous is None:
        raise Damaged(f"{place}: empty")


def _decode_body(place: str, body: bytes) -> Record:
    try:
        ts, count = _BODY.unpack_from(body)
        at, writes = _BODY.size, []
        for _ in range(count):
            kind, flags, name_size, key_size, _zero, size = _WRITE.unpack_from(body, at)
            name_end = at + _WRITE.size + name_size
            key_end = name_end + key_size
            name = body[at + _WRITE.size : name_end].decode()
            at = key_end + size
            writes.append(Write(kind, flags, name, body[name_end:key_end], body[key_end:at]))
            named = 0 < name_size <= NAME_BYTES and kind in KINDS
            if not (named and _possible(flags, *writes[-1][3:])):
                raise Damaged(f"{place}: commit {ts} has what stmpy never writes")
    except (struct.error, UnicodeDecodeError) as error:
        raise Damaged(f"{place}: a record cannot be read: {error}") from None
    if at != len(body):
        raise Damaged(f"{place}: commit {ts} has {len(body)} bytes, not {at}")
    return Record(ts, writes)
