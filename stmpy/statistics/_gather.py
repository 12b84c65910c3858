"""From a region to a record: the counters of all threads added up, and what each is doing.

Counters are read while their threads write them, without a lock. Each is a word with one writer, so
it is a little old at worst; entries of several words carry a turn number and are taken only if they
were at rest and the same twice.
"""

from collections.abc import Iterator
from typing import Any, Final

from stmpy import _native
from stmpy.statistics._durability import durability_of, store_path
from stmpy.statistics._image import LAYOUT, Fields, Image, read_key
from stmpy.statistics._model import (
    REASONS,
    UNKNOWN,
    Block,
    Histogram,
    KeyHeat,
    Memory,
    Pair,
    Stats,
    Thread,
)

_COUNTS: Final = (
    "commits",
    "read_only_commits",
    "aborts",
    "serial",
    "waits",
    "wasted_ns",
    "commit_ns_sum",
    "block_ns_sum",
)
_TABLES: Final = {
    "attempts": LAYOUT["HISTOGRAM_BUCKETS"],
    "conflicts": LAYOUT["STAT_REASONS"],
    "commit_ns": LAYOUT["TIME_BUCKETS"],
    "block_ns": LAYOUT["TIME_BUCKETS"],
}
_SETS: Final = ("read_set", "write_set")
_HEAT: Final = slice(LAYOUT["slot.keys"], LAYOUT["slot.waits_for"])
_NO_HEAT: Final = bytes(_HEAT.stop - _HEAT.start)
_UNUSED: Final = bytes(LAYOUT["site_stats"])
_WORD: Final = 1 << 64
_NEVER: Final = 1 << 62  # nanoseconds: what is longer ago is damage


class _Sums:
    """What the slots add up to."""

    def __init__(self) -> None:
        self.blocks: dict[str, dict[str, Any]] = {}
        self.sets = {name: [0] * LAYOUT["HISTOGRAM_BUCKETS"] for name in _SETS}
        self.keys: dict[tuple[Any, ...], list[int]] = {}
        self.pairs: dict[tuple[Any, ...], list[int]] = {}
        self.threads: list[Thread] = []
        self.allocated = 0

    def add_block(self, name: str, entry: Fields) -> None:
        block = self.blocks.setdefault(
            name, dict.fromkeys(_COUNTS, 0) | {table: [0] * n for table, n in _TABLES.items()}
        )
        for count in _COUNTS:
            block[count] = (block[count] + entry.u64(count)) % _WORD
        for table, size in _TABLES.items():
            block[table] = _added(block[table], entry.many(table, size))


def _added(some: list[int], more: list[int]) -> list[int]:
    return [(a + b) % _WORD for a, b in zip(some, more, strict=True)]


def gather(image: Image, process: int) -> Stats:
    """The record of a region that `process` was asked for."""
    header = image.header()
    now_ns, now_ticks = _native._clocks()
    sums = _Sums()
    for number in range(header.u32("slots_used")):
        slot = image.slot(number)
        _add_counters(image, slot, sums)
        if slot.data[_HEAT] != _NO_HEAT:
            again = image.slot(number)
            _add_heat(image, "keys", slot, again, sums.keys)
            _add_heat(image, "pairs", slot, again, sums.pairs)
        if slot.u64("owner") != 0:
            sums.threads.append(_thread(image, header, number, slot, now_ticks))
    blocks = sorted((_block(name, raw) for name, raw in sums.blocks.items()), key=_by_conflicts)
    reasons = {reason: sum(block.reasons[reason] for block in blocks) for reason in REASONS}
    snapshots = [thread.snapshot for thread in sums.threads if thread.snapshot]
    return Stats(
        store=store_name(header),
        process=process,
        closed=header.u32("closed") != 0,
        seconds=max(0, now_ns - header.u64("opened_ns")) / 1e9,
        commits=sum(block.commits for block in blocks),
        read_only_commits=sum(block.read_only_commits for block in blocks),
        conflicts=sum(reasons.values()),
        serial=sum(block.serial for block in blocks),
        aborts={"exception": sum(block.aborts for block in blocks), **reasons},
        attempts=_summed([block.attempts for block in blocks], LAYOUT["HISTOGRAM_BUCKETS"]),
        read_set=Histogram(tuple(sums.sets["read_set"])),
        write_set=Histogram(tuple(sums.sets["write_set"])),
        blocks=tuple(blocks),
        keys=tuple(
            KeyHeat(variable, key, count)
            for (_, _, variable, _, key), (count, _) in _hottest_first(sums.keys)
        ),
        pairs=tuple(
            Pair(winner, loser, variable, key, count, cost)
            for (winner, loser, variable, _, key), (count, cost) in _hottest_first(sums.pairs)
        ),
        threads=tuple(sums.threads),
        memory=Memory(
            used_bytes=(header.u64("retired_bytes") + sums.allocated) % _WORD,
            max_bytes=header.u64("bytes") - image.arena_at,
            history_bytes=header.u64("history_bytes"),
            history_limit=header.u64("history_limit"),
        ),
        version=header.u64("clock"),
        oldest_snapshot=min([*snapshots, header.u64("clock")]),
        durability=durability_of(header),
    )


def store_name(header: Fields) -> str:
    """The path of a store on disk, else its name, printable; empty if it has none."""
    return store_path(header) or header.text("name", 64)


def _by_conflicts(block: Block) -> tuple[int, int, str]:
    return -block.conflicts, -block.commits - block.read_only_commits, block.name


def _summed(histograms: list[Histogram], buckets: int) -> Histogram:
    sums = [0] * buckets
    for histogram in histograms:
        sums = _added(sums, list(histogram.counts))
    return Histogram(tuple(sums))


def _hottest_first(
    table: dict[tuple[Any, ...], list[int]],
) -> Iterator[tuple[tuple[Any, ...], list[int]]]:
    return iter(sorted(table.items(), key=lambda item: -item[1][0]))


# ---- one slot ----------------------------------------------------------------------------------


def _add_counters(image: Image, slot: Fields, sums: _Sums) -> None:
    sums.allocated += slot.u64("allocated_bytes")
    for name in _SETS:
        sums.sets[name] = _added(sums.sets[name], slot.many(name, LAYOUT["HISTOGRAM_BUCKETS"]))
    for i in range(LAYOUT["SLOT_SITES"] + 1):
        at = slot.place("sites") + i * LAYOUT["site_stats"]
        entry = Fields("site", slot.data, at)
        site = entry.u32("site")
        if site != 0:
            sums.add_block(image.block_name(site), entry)
        elif i == LAYOUT["SLOT_SITES"] and slot.data[at : at + len(_UNUSED)] != _UNUSED:
            sums.add_block(UNKNOWN, entry)


def _add_heat(
    image: Image, which: str, slot: Fields, again: Fields, table: dict[tuple[Any, ...], list[int]]
) -> None:
    for i in range(LAYOUT["HEAT_ENTRIES"]):
        at = slot.place(which) + i * LAYOUT["heat"]
        named = slice(at, at + LAYOUT["heat.count"])
        entry = Fields("heat", slot.data, at)
        if entry.u32("turn") % 2 or slot.data[named] != again.data[named]:
            continue
        ref, key = read_key(slot.data, entry.place("key"))
        variable = image.variable_name(ref) if ref else None
        if variable is None:
            continue
        pair = which == "pairs"
        winner = image.block_name(entry.u32("winner")) if pair else ""
        loser = image.block_name(entry.u32("loser")) if pair else ""
        counts = table.setdefault((winner, loser, variable, type(key), key), [0, 0])
        counts[0] += entry.u64("count")
        counts[1] += entry.u64("cost_ns")


def _block(name: str, raw: dict[str, Any]) -> Block:
    attempts = raw["attempts"]
    # Only those that took more than one attempt were counted there.
    attempts[1] = max(0, raw["commits"] + raw["read_only_commits"] - sum(attempts[2:]))
    return Block(
        name=name,
        commits=raw["commits"],
        read_only_commits=raw["read_only_commits"],
        aborts=raw["aborts"],
        serial=raw["serial"],
        waits=raw["waits"],
        reasons=dict(zip(REASONS, raw["conflicts"][1:], strict=False)),
        attempts=Histogram(tuple(attempts)),
        wasted_ns=raw["wasted_ns"],
        commit_ns=Histogram(tuple(raw["commit_ns"])),
        commit_ns_sum=raw["commit_ns_sum"],
        block_ns=Histogram(tuple(raw["block_ns"])),
        block_ns_sum=raw["block_ns_sum"],
    )


def _thread(image: Image, header: Fields, number: int, slot: Fields, now_ticks: int) -> Thread:
    attempt = slot.u32("attempt")
    serial = attempt & LAYOUT["ATTEMPT_SERIAL"] != 0
    sleep, open_block = slot.u32("sleep"), attempt != 0
    owner = (header.u32("lock") >> 1 & 0x1FFF) - 1
    snapshot = slot.u64("snapshot")
    variable = key = None
    parked = open_block and sleep == LAYOUT["SLEEP_CHANGE"]
    locking = sleep == LAYOUT["SLEEP_LOCK"]
    syncing = open_block and sleep == LAYOUT["SLEEP_DISK"]
    if parked:
        ref, key = read_key(slot.data, slot.place("waits_for"))
        variable = image.variable_name(ref) if ref else None
    if parked:
        state = "parked"
    elif locking:
        state = "waiting for lock"
    elif syncing:
        state = "waiting for disk"
    elif owner == number and not serial:
        state = "committing"
    else:
        state = "in block" if open_block or snapshot else "idle"
    age = (now_ticks - slot.u64("started")) * header.u64("tick_scale") >> 32
    return Thread(
        process=slot.u64("owner") >> 32,
        interpreter=slot.u64("interpreter"),
        thread=slot.u64("thread"),
        state=state,
        serial=serial,
        block=image.block_name(slot.u32("site")) if open_block else None,
        attempt=attempt & ~LAYOUT["ATTEMPT_SERIAL"],
        age_ns=age if open_block and 0 < age < _NEVER else 0,
        snapshot=snapshot,
        keys=slot.u32("waits_for_keys") if parked else 0,
        variable=variable,
        key=key if variable is not None else None,
        holder=_thread_of(image, owner) if locking else None,
    )


def _thread_of(image: Image, number: int) -> int | None:
    """The thread that has a slot; None for no slot."""
    if not 0 <= number < LAYOUT["REGION_SLOTS"]:
        return None
    return image.slot(number).u64("thread") or None
