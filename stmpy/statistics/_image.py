"""Reading a region that may be damaged, or change meanwhile, or be no region at all.

Nothing is mapped: `pread` neither crashes on a file that was cut short nor makes holes of the file
take memory, as touching a page would. Every offset and length is checked before it is used, and
what is read twice to be consistent is thrown away unless it was the same twice. So whatever lies in
the region, reading ends in values or in one of two errors.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property
from struct import Struct, error
from typing import Any, Final

from stmpy import _native
from stmpy.errors import DecodeError, StmError
from stmpy.statistics._model import UNKNOWN, CutKey
from stmpy.statistics._text import printable

LAYOUT: Final = _native._layout()
_U32, _U64 = Struct("<I"), Struct("<Q")
_PAGE: Final = 4096
_NAME_LIMIT: Final = 480


class OtherVersion(StmError):
    """The store was made by another version of stmpy, with another layout.

    Nothing was read. Look at it with the `stmpy` that the observed program uses.
    """


def _up(size: int) -> int:
    return -(-size // _PAGE) * _PAGE


class Fields:
    """Some bytes of a region, and the numbers in them by the names that the core gives them."""

    def __init__(self, room: str, data: bytes, start: int = 0) -> None:
        self.room, self.data, self.start = room, data, start

    def u32(self, name: str) -> int:
        found: int = _U32.unpack_from(self.data, self.place(name))[0]
        return found

    def u64(self, name: str) -> int:
        found: int = _U64.unpack_from(self.data, self.place(name))[0]
        return found

    def many(self, name: str, count: int) -> list[int]:
        return list(Struct(f"<{count}Q").unpack_from(self.data, self.place(name)))

    def text(self, name: str, size: int) -> str:
        """What stands in so many bytes up to the first 0, printable."""
        at = self.place(name)
        return printable(self.data[at : at + size].partition(b"\0")[0].decode(errors="replace"))

    def place(self, name: str) -> int:
        return self.start + LAYOUT[f"{self.room}.{name}"]


class Image:
    """One region, read through `read(offset, length)`, which may return too little.

    Raises `OtherVersion` for another layout, and `DecodeError` for what is no region or damaged.
    """

    def __init__(self, read: Callable[[int, int], bytes], size: int) -> None:
        self._read, self.size = read, size
        self._blocks: dict[int, str] = {}
        self._variables: dict[int, str | None] = {}
        self.check()

    @classmethod
    def of_file(cls, file: int) -> Image:
        """The region in an open file, which must stay open."""
        return cls(lambda offset, length: os.pread(file, length, offset), os.fstat(file).st_size)

    def bytes(self, offset: int, length: int) -> bytes:
        """So many bytes, all of them within the region."""
        if offset < 0 or length < 0 or offset + length > self.size:
            raise DecodeError(f"this region: damaged: it points to byte {offset}, beyond its end")
        data = self._read(offset, length)
        if len(data) != length:
            raise DecodeError("this region: it was cut short while it was read")
        return data

    @cached_property
    def slots_at(self) -> int:
        """Where the slots begin."""
        return _up(LAYOUT["region"])

    @cached_property
    def arena_at(self) -> int:
        """Where the blocks begin, behind the slots."""
        return _up(self.slots_at + LAYOUT["REGION_SLOTS"] * LAYOUT["slot"])

    def check(self) -> None:
        """Refuses what this code does not understand."""
        if self.size < LAYOUT["region.bytes"] + 8:
            raise DecodeError("this file: too short for a region of stmpy")
        start = Fields("region", self.bytes(0, LAYOUT["region.bytes"] + 8))
        if start.u64("magic") != LAYOUT["REGION_MAGIC"]:
            raise DecodeError("this file: no region of stmpy")
        if start.u32("layout") != LAYOUT["REGION_LAYOUT"]:
            raise OtherVersion(
                f"this store: layout {start.u32('layout')}, but this stmpy knows layout "
                f"{LAYOUT['REGION_LAYOUT']}; use the stmpy of the observed program"
            )
        if start.u32("slot_bytes") != LAYOUT["slot"]:
            raise OtherVersion(
                f"this store: slots of {start.u32('slot_bytes')} bytes, but this stmpy knows "
                f"{LAYOUT['slot']}; use the stmpy of the observed program"
            )
        if not self.arena_at <= start.u64("bytes") <= self.size:
            raise DecodeError(f"this region: damaged: its size is not {start.u64('bytes')} bytes")

    def header(self) -> Fields:
        """The fields of the region as a whole."""
        header = Fields("region", self.bytes(0, LAYOUT["region.sites"]))
        if header.u32("slots_used") > LAYOUT["REGION_SLOTS"]:
            raise DecodeError(f"this region: damaged: {header.u32('slots_used')} slots in use")
        return header

    def slot(self, number: int) -> Fields:
        """All of one slot."""
        return Fields("slot", self.bytes(self.slots_at + number * LAYOUT["slot"], LAYOUT["slot"]))

    # ---- names ---------------------------------------------------------------------------------

    def block_name(self, site: int) -> str:
        """The name of a block of code, printable."""
        if site not in self._blocks:
            name = self._find_block_name(site)
            if name is None:
                return UNKNOWN  # perhaps not yet: asked for again
            self._blocks[site] = name
        return self._blocks[site]

    def _find_block_name(self, site: int) -> str | None:
        if not 0 < site < LAYOUT["REGION_SITES"]:
            return None
        at = LAYOUT["region.sites"] + site * LAYOUT["site_name"]
        fields = Fields("name", self.bytes(at, LAYOUT["site_name"]))
        length = fields.u32("length")
        if not fields.u32("ready") or length > LAYOUT["SITE_TEXT"]:
            return None
        text = fields.data[LAYOUT["name.text"] :][:length]
        # What was cut in the middle of a character ends before it.
        return printable(text.decode(errors="ignore"))

    def variable_name(self, ref: int) -> str | None:
        """The name of a variable, printable; None if there is none of this number."""
        if ref not in self._variables:
            self._variables[ref] = self._find_variable_name(ref)
        return self._variables[ref]

    def _find_variable_name(self, ref: int) -> str | None:
        at = ref << 4
        if not self.arena_at <= at <= self.size - LAYOUT["variable.name"]:
            return None
        head = Fields("variable", self.bytes(at, LAYOUT["variable.name"]))
        length = head.u32("name_length")
        if length > _NAME_LIMIT or at + LAYOUT["variable.name"] + length > self.size:
            return None
        name = self.bytes(at + LAYOUT["variable.name"], length)
        return printable(name.decode(errors="replace"))


_KEY_BYTES: Final = 8 * LAYOUT["KEY_WORDS"]


def read_key(data: bytes, start: int) -> tuple[int, Any]:
    """The variable and the key that a `struct key_name` stands for."""
    try:
        variable, length = Struct("<II").unpack_from(data, start)
    except error as damage:
        raise DecodeError("this region: damaged: a key is cut off") from damage
    stored = data[start + 8 : start + 8 + _KEY_BYTES]
    if length == 0:
        return variable, None
    if length > _KEY_BYTES:
        return variable, CutKey(stored, length)
    try:
        return variable, _native.decode_key(stored[:length])
    except DecodeError:
        return variable, CutKey(stored[:length], length)
