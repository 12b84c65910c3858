"""Statistics of a region that is damaged: values, or one of two errors.

The input says how much of the region is left (4 bytes) and what to write where into a region that
has seen conflicts: for each a range (1 byte), a place in it (3 bytes) and a word (8 bytes).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

import stmpy as stm
from stmpy.dashboard._page import page
from stmpy.dashboard._record import Recording
from stmpy.statistics import OtherVersion, as_data
from stmpy.statistics._durability import store_keeper, store_path
from stmpy.statistics._gather import gather, store_name
from stmpy.statistics._image import Image
from tests.seeing.test_damage import INTERESTING, Patch, Region

_REGION: Final = Region()
_WHOLE: Final = gather(_REGION.image, 1)
_CUT: Final = struct.Struct("<I")
_PATCH: Final = struct.Struct("<IQ")


def seeds() -> list[bytes]:
    """Inputs to start from: nothing damaged, and the beginning of each range."""
    whole = _CUT.pack(0)
    return [whole] + [
        whole + _PATCH.pack(number, word)
        for number in range(len(_REGION.ranges))
        for word in INTERESTING[::5]
    ]


def check(data: bytes) -> None:
    cut, patches = parse(data)
    size = cut % _REGION.size or _REGION.size
    try:
        image = Image(_REGION.reader(patches, size), _REGION.size)
        header = image.header()
        store_keeper(header)
        assert (store_name(header) + store_path(header)).isprintable()
        stats = gather(image, 1)
    except (stm.DecodeError, OtherVersion):
        return
    names = [stats.store, *(b.name for b in stats.blocks), *(k.variable for k in stats.keys)]
    assert all(name.isprintable() for name in names)
    as_data(stats)
    html = page(Recording("fuzz", "now", (_WHOLE, stats)))
    assert html.replace("\n", "").isprintable()


def parse(data: bytes) -> tuple[int, list[Patch]]:
    """What is left of the region, and what is written into it."""
    (cut,) = _CUT.unpack(data[:4].ljust(4, b"\0"))
    return cut, list(patches_of(data[4:]))


def patches_of(data: bytes) -> Iterator[Patch]:
    for at in range(0, len(data) - _PATCH.size + 1, _PATCH.size):
        place, word = _PATCH.unpack_from(data, at)
        start, length = _REGION.ranges[place % 256 % len(_REGION.ranges)]
        yield start + (place >> 8) % length & -8, word.to_bytes(8, "little")
