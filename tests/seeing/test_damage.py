"""A region that is damaged in any way gives values or one typed error.

By hand, for longer: `python -m tests.seeing.test_damage COUNT [SEED]`.
"""

import os
import random
import struct
import sys
from collections.abc import Callable
from functools import partial

import pytest

import stmpy as stm
from stmpy import _native
from stmpy.statistics import OtherVersion, Stats, as_data, prometheus
from stmpy.statistics._gather import gather
from stmpy.statistics._image import LAYOUT, Image
from tests.seeing.planted import beat

type Read = Callable[[int, int], bytes]
type Patch = tuple[int, bytes]

INTERESTING = (0, 1, 2, 7, 0x7F, 0x80, 0xFF, 1 << 31, (1 << 32) - 1, 1 << 63, (1 << 64) - 1)


class Region:
    """What a store looks like that has seen conflicts, and where its bytes that count are."""

    def __init__(self) -> None:
        self.store = stm.open(name="damaged", max_bytes=1 << 20)
        beat(self.store, 5)
        self.file = self.store._file
        self.size = os.fstat(self.file).st_size
        self.image = Image.of_file(self.file)
        slots = self.image.slots_at
        self.ranges = [
            (0, LAYOUT["region.bytes"] + 8),
            (LAYOUT["region.slots_used"], 64),
            (0, LAYOUT["region.sites"]),
            (LAYOUT["region.sites"], LAYOUT["site_name"] * LAYOUT["REGION_SITES"]),
            (slots, LAYOUT["slot.stats"]),
            (slots + LAYOUT["slot.keys"], LAYOUT["slot.sites"] - LAYOUT["slot.keys"]),
            (slots, 2 * LAYOUT["slot"]),
            (self.image.arena_at, 4096),
        ]

    def damage(self, rng: random.Random) -> list[Patch]:
        patches = []
        for _ in range(rng.choice((1, 1, 2, 5, 40))):
            start, length = rng.choice(self.ranges)
            at = start + rng.randrange(length)
            word = rng.choice(INTERESTING) if rng.random() < 0.5 else rng.getrandbits(64)
            size = rng.choice((1, 4, 8))
            patches.append((at & -size, (word & ((1 << 8 * size) - 1)).to_bytes(size, "little")))
        return patches

    def reader(self, patches: list[Patch], size: int) -> Read:
        def read(offset: int, length: int) -> bytes:
            data = bytearray(os.pread(self.file, min(length, max(0, size - offset)), offset))
            for at, new in patches:
                if offset <= at and at + len(new) <= offset + len(data):
                    data[at - offset : at - offset + len(new)] = new
            return bytes(data)

        return read


def read_damaged(region: Region, rng: random.Random) -> str:
    """What reading it once ends in; raises what must not come."""
    cut = rng.randrange(region.size) if rng.random() < 0.05 else region.size
    try:
        stats = gather(Image(region.reader(region.damage(rng), cut), region.size), 1)
    except (stm.DecodeError, OtherVersion) as error:
        return type(error).__name__
    check(stats)
    return "values"


def check(stats: Stats) -> None:
    """What is shown has no control characters, and is complete."""
    names = [stats.store, *(b.name for b in stats.blocks), *(k.variable for k in stats.keys)]
    assert all(name.isprintable() for name in names)
    assert stats.conflicts == sum(b.conflicts for b in stats.blocks)
    as_data(stats)
    assert prometheus(stats).isascii() or prometheus(stats)


def test_damaged_regions(rng: random.Random) -> None:
    region = Region()
    ends = [read_damaged(region, rng) for _ in range(2000)]
    assert {"values", "DecodeError", "OtherVersion"} <= set(ends)


def test_a_reader_that_trusts_an_offset_is_caught(rng: random.Random) -> None:
    """The planted bug: bounds are not checked, so that what is cut short reaches the numbers."""
    region = Region()

    class Trusting(Image):
        def bytes(self, offset: int, length: int) -> bytes:
            return self._read(max(0, offset), length)

    untyped = 0
    for _ in range(100):
        cut = rng.randrange(region.size)
        try:
            gather(Trusting(region.reader(region.damage(rng), cut), region.size), 1)
        except (stm.StmError, IndexError):
            continue
        except struct.error:
            untyped += 1
    assert untyped > 0


def test_a_death_in_the_middle_of_a_write_hides_one_entry_only() -> None:
    region = Region()
    turn = region.image.slots_at + LAYOUT["slot.pairs"]
    (number,) = (n for n in range(4) if region.image.slot(n).data[LAYOUT["slot.pairs"] + 4])
    turn += number * LAYOUT["slot"] + LAYOUT["heat.turn"]
    whole = gather(region.image, 1)
    torn = gather(Image(region.reader([(turn, b"\x01\0\0\0")], region.size), region.size), 1)
    assert (len(whole.pairs), len(torn.pairs)) == (1, 0)
    assert torn.keys == whole.keys
    assert torn.blocks == whole.blocks


def part_of(data: bytes, offset: int, length: int) -> bytes:
    return data[offset:][:length]


def test_files_that_are_no_regions() -> None:
    for data in (b"", b"x", os.urandom(1000), bytes(1 << 16)):
        with pytest.raises(stm.DecodeError):
            Image(partial(part_of, data), len(data))
    region = Region()
    layout = (LAYOUT["region.layout"], (LAYOUT["REGION_LAYOUT"] + 1).to_bytes(4, "little"))
    with pytest.raises(OtherVersion, match="layout"):
        Image(region.reader([layout], region.size), region.size)


def test_the_clocks_are_those_of_the_region() -> None:
    ns, ticks = _native._clocks()
    later_ns, later_ticks = _native._clocks()
    assert later_ns >= ns
    assert later_ticks > ticks


if __name__ == "__main__":
    count, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    damaged, source = Region(), random.Random(seed)
    counts: dict[str, int] = {}
    for _ in range(count):
        end = read_damaged(damaged, source)
        counts[end] = counts.get(end, 0) + 1
    print(counts)
