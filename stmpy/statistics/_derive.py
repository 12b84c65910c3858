"""Pure functions of records: what happened between two of them, how fast, and in which order."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any

from stmpy.statistics._model import Block, Durability, Histogram, KeyHeat, Pair, Stats


@dataclass(frozen=True, slots=True)
class Rates:
    """How fast a store went over the time that a record covers. Shares are from 0 to 1.

    `commits` and `conflicts` are per second, of blocks that wrote and of those that did not.
    `conflict_share` is that of attempts that were lost and `wasted_share` that of the time in
    blocks that went into them. The quantiles are nanoseconds of whole blocks.
    """

    commits: float
    read_only_commits: float
    conflicts: float
    conflict_share: float
    wasted_share: float
    p50_ns: float
    p99_ns: float


def rates(stats: Stats | Block, seconds: float | None = None) -> Rates:
    """The rates of a store, or of one of its blocks over so many seconds.

    Of all that has happened, or, given a `difference`, of what happened in between.
    """
    blocks = stats.blocks if isinstance(stats, Stats) else (stats,)
    if seconds is None:
        seconds = stats.seconds if isinstance(stats, Stats) else 0.0
    finished = stats.commits + stats.read_only_commits
    wasted, busy = sum(b.wasted_ns for b in blocks), sum(b.busy_ns for b in blocks)
    # Buckets of equal bounds: those of all blocks together are their sums.
    times = Histogram(tuple(map(sum, zip(*(b.block_ns.counts for b in blocks), strict=True))))
    return Rates(
        commits=_share(stats.commits, seconds),
        read_only_commits=_share(stats.read_only_commits, seconds),
        conflicts=_share(stats.conflicts, seconds),
        conflict_share=_share(stats.conflicts, finished + stats.conflicts),
        wasted_share=_share(wasted, busy),
        p50_ns=times.quantile(0.5),
        p99_ns=times.quantile(0.99),
    )


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def difference(later: Stats, earlier: Stats) -> Stats:
    """What was counted between two records of one store; the state is that of the later one.

    Rows that nothing happened in are left out. A count that went back, as an upper bound of a hot
    key may, gives 0.
    """
    return replace(
        later,
        seconds=max(0.0, later.seconds - earlier.seconds),
        commits=_less(later.commits, earlier.commits),
        read_only_commits=_less(later.read_only_commits, earlier.read_only_commits),
        conflicts=_less(later.conflicts, earlier.conflicts),
        serial=_less(later.serial, earlier.serial),
        aborts=_less(later.aborts, earlier.aborts),
        attempts=_less(later.attempts, earlier.attempts),
        read_set=_less(later.read_set, earlier.read_set),
        write_set=_less(later.write_set, earlier.write_set),
        blocks=_rows_less(later.blocks, earlier.blocks, attrgetter("name"), _did_something),
        keys=_rows_less(later.keys, earlier.keys, _key_of_heat, attrgetter("conflicts")),
        pairs=_rows_less(later.pairs, earlier.pairs, _key_of_pair, attrgetter("count")),
        durability=_disk_less(later.durability, earlier.durability),
    )


def ranked[Row](rows: Iterable[Row], by: str, *, reverse: bool = False) -> tuple[Row, ...]:
    """Rows by one of their attributes, the greatest first unless `reverse`.

    Histograms are ordered by their 99th percentile. Equal rows keep their order, and those that
    lack the value come last.
    """

    def value(row: Row) -> Any:
        found = getattr(row, by)
        return found.quantile(0.99) if isinstance(found, Histogram) else found

    lacking = [row for row in rows if value(row) is None]
    rest = [row for row in rows if value(row) is not None]
    return (*sorted(rest, key=value, reverse=not reverse), *lacking)


def _key_of_heat(heat: KeyHeat) -> Hashable:
    return heat.variable, type(heat.key), heat.key


def _key_of_pair(pair: Pair) -> Hashable:
    return pair.winner, pair.loser, pair.variable, type(pair.key), pair.key


def _did_something(block: Block) -> bool:
    return bool(
        block.commits or block.read_only_commits or block.aborts or block.conflicts or block.waits
    )


def _less(later: Any, earlier: Any) -> Any:
    """One counter, or all of a histogram or mapping, minus what it was."""
    if isinstance(later, Histogram):
        pairs = zip(later.counts, earlier.counts, strict=True)
        return Histogram(tuple(max(0, a - b) for a, b in pairs))
    if isinstance(later, Mapping):
        return {name: max(0, count - earlier.get(name, 0)) for name, count in later.items()}
    return max(0, later - earlier)


def _disk_less(later: Durability | None, earlier: Durability | None) -> Durability | None:
    if later is None or earlier is None:
        return later
    return replace(
        later,
        groups=_less(later.groups, earlier.groups),
        group_sizes=_less(later.group_sizes, earlier.group_sizes),
        sync_micros=_less(later.sync_micros, earlier.sync_micros),
    )


def _rows_less[Row: (Block, KeyHeat, Pair)](
    later: tuple[Row, ...],
    earlier: tuple[Row, ...],
    identity: Callable[[Row], Hashable],
    counts: Callable[[Row], object],
) -> tuple[Row, ...]:
    before = {identity(row): row for row in earlier}
    rows = []
    for row in later:
        old = before.get(identity(row))
        if old is not None:
            row = _row_less(row, old)
        if counts(row):
            rows.append(row)
    return tuple(rows)


def _row_less[Row: (Block, KeyHeat, Pair)](row: Row, old: Row) -> Row:
    """Every field that is a counter, minus what it was."""
    changes = {
        name: _less(getattr(row, name), getattr(old, name))
        for name in row.__slots__
        if name not in ("name", "winner", "loser", "variable", "key")
    }
    return replace(row, **changes)
