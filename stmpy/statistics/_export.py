"""A record as JSON, as lines of figures, and in the text format of Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from stmpy.statistics._derive import Rates, rates
from stmpy.statistics._model import STATES, Block, Durability, Histogram, Pair, Stats, Thread
from stmpy.statistics._text import key_text

# ---- JSON --------------------------------------------------------------------------------------


def as_data(stats: Stats) -> dict[str, Any]:
    """The record in lists and dicts, as `docs/stats.schema.json` describes them.

    Histograms are pairs of the least value of a bucket and its count. Keys are as Python writes
    them, so that 1 and '1' stay apart.
    """
    return {
        "store": stats.store,
        "process": stats.process,
        "closed": stats.closed,
        "seconds": stats.seconds,
        "commits": stats.commits,
        "read_only_commits": stats.read_only_commits,
        "conflicts": stats.conflicts,
        "serial": stats.serial,
        "aborts": dict(stats.aborts),
        "attempts": stats.attempts.rows(),
        "read_set": stats.read_set.rows(),
        "write_set": stats.write_set.rows(),
        "rates": _fields(rates(stats), Rates),
        "blocks": [_block(block) for block in stats.blocks],
        "keys": [
            {"variable": k.variable, "key": key_text(k.key), "conflicts": k.conflicts}
            for k in stats.keys
        ],
        "pairs": [_fields(pair, Pair) | {"key": key_text(pair.key)} for pair in stats.pairs],
        "threads": [_thread(thread) for thread in stats.threads],
        "memory": _fields(stats.memory, type(stats.memory)),
        "version": stats.version,
        "oldest_snapshot": stats.oldest_snapshot,
        "durability": _record(stats.durability, Durability) if stats.durability else None,
    }


def _fields(record: object, kind: type) -> dict[str, Any]:
    return {name: getattr(record, name) for name in kind.__slots__}  # type: ignore[attr-defined]


def _record(record: object, kind: type) -> dict[str, Any]:
    """Its fields, with histograms as rows."""
    return {
        name: value.rows() if isinstance(value, Histogram) else value
        for name, value in _fields(record, kind).items()
    }


def _block(block: Block) -> dict[str, Any]:
    return _record(block, Block) | {
        "conflicts": block.conflicts,
        "reasons": dict(block.reasons),
    }


def _thread(thread: Thread) -> dict[str, Any]:
    shown = key_text(thread.key) if thread.variable is not None else None
    return _fields(thread, Thread) | {"key": shown}


# ---- lines of figures --------------------------------------------------------------------------

COLUMNS: Final = (
    "commits/s",
    "reads/s",
    "conflicts/s",
    "lost %",
    "wasted %",
    "p50 us",
    "p99 us",
    "used MiB",
    "history MiB",
    "threads",
    "waiting",
    "disk lag",
)


def figures(stats: Stats) -> tuple[float | None, ...]:
    """One line of `COLUMNS`; `reads` are blocks that wrote nothing.

    The lag of the disk is in commits, and None for a store in memory.
    """
    found = rates(stats)
    return (
        round(found.commits, 1),
        round(found.read_only_commits, 1),
        round(found.conflicts, 1),
        round(100 * found.conflict_share, 2),
        round(100 * found.wasted_share, 2),
        round(found.p50_ns / 1000, 2),
        round(found.p99_ns / 1000, 2),
        round(stats.memory.used_bytes / 2**20, 2),
        round(stats.memory.history_bytes / 2**20, 2),
        len(stats.threads),
        len(stats.waiters),
        stats.durability.lag if stats.durability else None,
    )


# ---- Prometheus --------------------------------------------------------------------------------

type Sample = tuple[dict[str, str], float]
type Figure[Record] = tuple[str, str, Callable[[Record], float]]

OF_BLOCKS: Final[tuple[Figure[Block], ...]] = (
    ("commits", "Blocks committed that wrote something.", lambda b: b.commits),
    ("read_only_commits", "Blocks finished that wrote nothing.", lambda b: b.read_only_commits),
    ("aborts", "Blocks left by an exception.", lambda b: b.aborts),
    ("serial_attempts", "Attempts that ran where they cannot lose.", lambda b: b.serial),
    ("waits", "Times that a block was parked by retry.", lambda b: b.waits),
    ("wasted_seconds", "Time of attempts that were lost.", lambda b: b.wasted_ns / 1e9),
)
GAUGES: Final[tuple[Figure[Stats], ...]] = (
    ("memory_used_bytes", "Bytes of keys and values.", lambda s: s.memory.used_bytes),
    ("memory_limit_bytes", "The most bytes it may take.", lambda s: s.memory.max_bytes),
    ("history_bytes", "Bytes of old versions.", lambda s: s.memory.history_bytes),
    ("history_limit_bytes", "The most bytes of old versions.", lambda s: s.memory.history_limit),
    ("snapshot_lag", "Commits since the oldest snapshot.", lambda s: s.version - s.oldest_snapshot),
)
DISK_GAUGES: Final[tuple[Figure[Durability], ...]] = (
    ("disk_lag", "Commits that are not on disk yet.", lambda d: d.lag),
    ("disk_queue_bytes", "Bytes of commits that are not written yet.", lambda d: d.log_bytes),
    ("disk_writable", "1 unless the disk is full or has failed.", lambda d: int(d.writable)),
)
DISK_COUNTERS: Final[tuple[Figure[Durability], ...]] = (
    ("disk_syncs", "Groups of commits that were written with a sync each.", lambda d: d.groups),
)


def prometheus(stats: Stats) -> str:
    """The record in the text format of Prometheus (0.0.4)."""
    return "".join(f"{line}\n" for line in _lines(stats))


def _lines(stats: Stats) -> Iterator[str]:
    base = {"store": stats.store, "process": str(stats.process)}

    def of_blocks(value: Callable[[Block], float]) -> Iterator[Sample]:
        return ((base | {"block": b.name}, value(b)) for b in stats.blocks)

    for name, about, value in OF_BLOCKS:
        yield from _family(f"{name}_total", "counter", about, of_blocks(value))
    conflicts = (
        (base | {"block": b.name, "reason": reason}, count)
        for b in stats.blocks
        for reason, count in b.reasons.items()
    )
    yield from _family("conflicts_total", "counter", "Attempts that were lost.", conflicts)
    keys = ((base | _key(k.variable, k.key), k.conflicts) for k in stats.keys)
    yield from _family("key_conflicts_total", "counter", "Attempts lost over a key.", keys)
    pairs = (
        (base | _key(p.variable, p.key) | {"winner": p.winner, "loser": p.loser}, p.count)
        for p in stats.pairs
    )
    yield from _family("pair_conflicts_total", "counter", "Attempts lost to a block.", pairs)
    for name, about, total in GAUGES:
        yield from _family(name, "gauge", about, [(base, total(stats))])
    states = [thread.state for thread in stats.threads]
    threads = ((base | {"state": state}, states.count(state)) for state in STATES)
    yield from _family("threads", "gauge", "Threads by what they are doing.", threads)
    yield from _times(base, stats.blocks)
    if stats.durability is not None:
        yield from _disk(base, stats.durability)


def _disk(base: dict[str, str], disk: Durability) -> Iterator[str]:
    for name, about, value in DISK_GAUGES:
        yield from _family(name, "gauge", about, [(base, value(disk))])
    for name, about, value in DISK_COUNTERS:
        yield from _family(f"{name}_total", "counter", about, [(base, value(disk))])


def _key(variable: str, key: Any) -> dict[str, str]:
    return {"variable": variable, "key": key_text(key)}


def _times(base: dict[str, str], blocks: tuple[Block, ...]) -> Iterator[str]:
    kinds: tuple[tuple[str, str, Callable[[Block], tuple[Histogram, int]]], ...] = (
        ("commit_seconds", "Commits, one in 16.", lambda b: (b.commit_ns, b.commit_ns_sum)),
        ("block_seconds", "Whole blocks, one in 16.", lambda b: (b.block_ns, b.block_ns_sum)),
    )
    for name, about, of in kinds:
        yield from _head(name, "histogram", about)
        for block in blocks:
            yield from _histogram(f"stmpy_{name}", base | {"block": block.name}, *of(block))


def _histogram(
    name: str, labels: dict[str, str], histogram: Histogram, sum_ns: int
) -> Iterator[str]:
    """Cumulative buckets; those of one bound are the same in every record, as they must be."""
    below = 0
    for i, count in enumerate(histogram.counts[:-1]):
        below += count
        yield _sample(f"{name}_bucket", labels | {"le": repr(2**i / 1e9)}, below)
    yield _sample(f"{name}_bucket", labels | {"le": "+Inf"}, histogram.total)
    yield _sample(f"{name}_sum", labels, sum_ns / 1e9)
    yield _sample(f"{name}_count", labels, histogram.total)


def _family(name: str, kind: str, about: str, samples: Iterable[Sample]) -> Iterator[str]:
    yield from _head(name, kind, about)
    for labels, value in samples:
        yield _sample(f"stmpy_{name}", labels, value)


def _head(name: str, kind: str, about: str) -> Iterator[str]:
    yield f"# HELP stmpy_{name} {about}"
    yield f"# TYPE stmpy_{name} {kind}"


def _sample(name: str, labels: dict[str, str], value: float) -> str:
    quoted = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
    return f"{name}{{{quoted}}} {value!r}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
