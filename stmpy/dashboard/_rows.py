"""The rows of the panels: what happened in all beside how fast it happens now."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from stmpy.dashboard._text import block_title, span, title
from stmpy.statistics import Block, Histogram, KeyHeat, Pair, Stats, Thread, rates
from stmpy.statistics._text import printable

BETWEEN = " ▸ "
"""Stands between the block that won and the one that lost."""

REASON_WORDS = {
    "read": "read was stale, at commit",
    "early": "read was stale, earlier",
    "write": "wrote what another had written",
    "structure": "keys came or went",
    "gone": "a deleted key came back",
    "injected": "asked for by a test",
    "exception": "left by an exception",
}

STATE_MARKS = {
    "idle": "○",
    "in block": "●",
    "committing": "◆",
    "waiting for lock": "▲",
    "waiting for disk": "▼",
    "parked": "‖",
}


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key, what it cost, and who most often fights over it."""

    key: str
    conflicts: int
    rate: float
    share: float
    fight: str
    source: KeyHeat


@dataclass(frozen=True, slots=True)
class BlockRow:
    name: str
    commits: int
    rate: float
    conflicts: int
    lost_rate: float
    lost_share: float
    wasted_ns: int
    wasted_share: float
    p50_ns: float
    p99_ns: float
    attempts: float
    serial: int
    waits: int
    aborts: int
    source: Block


@dataclass(frozen=True, slots=True)
class PairRow:
    winner: str
    loser: str
    key: str
    count: int
    rate: float
    cost_ns: int
    cost_share: float
    source: Pair


@dataclass(frozen=True, slots=True)
class CountRow:
    """One bucket of a histogram, or one reason."""

    kind: str
    label: str
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class ThreadRow:
    process: int
    interpreter: int
    thread: int
    state: str
    block: str
    attempt: int
    age_ns: int
    waits_for: str
    behind: int
    source: Thread


def key_rows(total: Stats, now: Stats) -> list[KeyRow]:
    rate = {(heat.variable, repr(heat.key)): heat.conflicts for heat in now.keys}
    all_lost = sum(heat.conflicts for heat in total.keys)
    fights: dict[tuple[str, str], Pair] = {}
    for pair in sorted(total.pairs, key=lambda pair: pair.count):
        fights[pair.variable, repr(pair.key)] = pair
    rows = []
    for heat in total.keys:
        identity = heat.variable, repr(heat.key)
        fight = fights.get(identity)
        rows.append(
            KeyRow(
                key=title(heat.variable, heat.key),
                conflicts=heat.conflicts,
                rate=_per_second(rate.get(identity, 0), now),
                share=_share(heat.conflicts, all_lost),
                fight=fight_of(fight) if fight else "",
                source=heat,
            )
        )
    return rows


def fight_of(pair: Pair) -> str:
    loser = "itself" if pair.loser == pair.winner else block_title(pair.loser)
    return block_title(pair.winner) + BETWEEN + loser


def block_rows(total: Stats, now: Stats) -> list[BlockRow]:
    current = {block.name: block for block in now.blocks}
    return [_block_row(block, current.get(block.name), now) for block in total.blocks]


def _block_row(block: Block, current: Block | None, now: Stats) -> BlockRow:
    over_all, finished = rates(block), block.commits + block.read_only_commits
    speed = rates(current, now.seconds) if current else None
    return BlockRow(
        name=printable(block.name),
        commits=finished,
        rate=speed.commits + speed.read_only_commits if speed else 0.0,
        conflicts=block.conflicts,
        lost_rate=speed.conflicts if speed else 0.0,
        lost_share=over_all.conflict_share,
        wasted_ns=block.wasted_ns,
        wasted_share=over_all.wasted_share,
        p50_ns=over_all.p50_ns,
        p99_ns=over_all.p99_ns,
        attempts=1 + _share(block.conflicts, finished),
        serial=block.serial,
        waits=block.waits,
        aborts=block.aborts,
        source=block,
    )


def pair_rows(total: Stats, now: Stats) -> list[PairRow]:
    rate = {_pair(pair): pair.count for pair in now.pairs}
    cost = sum(pair.cost_ns for pair in total.pairs)
    return [
        PairRow(
            winner=printable(pair.winner),
            loser=printable(pair.loser),
            key=title(pair.variable, pair.key),
            count=pair.count,
            rate=_per_second(rate.get(_pair(pair), 0), now),
            cost_ns=pair.cost_ns,
            cost_share=_share(pair.cost_ns, cost),
            source=pair,
        )
        for pair in total.pairs
    ]


def count_rows(total: Stats, _now: Stats) -> list[CountRow]:
    rows = list(histogram_rows("attempts", total.attempts, attempts_label))
    aborts = {reason: count for reason, count in total.aborts.items() if count}
    for reason, count in sorted(aborts.items(), key=lambda item: -item[1]):
        words = REASON_WORDS.get(reason, printable(reason))
        rows.append(CountRow("undone", words, count, _share(count, sum(aborts.values()))))
    rows += histogram_rows("block took", added(b.block_ns for b in total.blocks), time_label)
    rows += histogram_rows("commit took", added(b.commit_ns for b in total.blocks), time_label)
    if total.durability is not None:
        rows += histogram_rows("sync took", total.durability.sync_micros, micros_label)
        rows += histogram_rows("synced", total.durability.group_sizes, commits_label)
    return rows


def histogram_rows(
    kind: str, histogram: Histogram, label: Callable[[int], str]
) -> Iterator[CountRow]:
    for least, count in histogram.rows():
        yield CountRow(kind, label(least), count, _share(count, histogram.total))


def attempts_label(least: int) -> str:
    return str(least) if least <= 1 else f"{least}–{2 * least - 1}"


def commits_label(least: int) -> str:
    return f"{attempts_label(least)} commit{'s' if least > 1 else ''} together"


def time_label(least: int) -> str:
    return f"up to {span(max(1, 2 * least))}"


def micros_label(least: int) -> str:
    return time_label(1000 * least)


def added(histograms: Iterator[Histogram]) -> Histogram:
    """Histograms with the same buckets as one."""
    return Histogram(tuple(map(sum, zip(*(h.counts for h in histograms), strict=True))))


def thread_rows(total: Stats, _now: Stats) -> list[ThreadRow]:
    return [_thread_row(thread, total) for thread in total.threads]


def waiter_rows(total: Stats, _now: Stats) -> list[ThreadRow]:
    return [_thread_row(thread, total) for thread in total.waiters]


def _thread_row(thread: Thread, total: Stats) -> ThreadRow:
    keeper = total.durability is not None and thread.process == total.durability.keeper
    return ThreadRow(
        process=thread.process,
        interpreter=thread.interpreter,
        thread=thread.thread,
        state=STATE_MARKS.get(thread.state, "?")
        + f" {thread.state}{', serial' if thread.serial else ''}",
        block=printable(thread.block or ("(keeper)" if keeper else "")),
        attempt=thread.attempt,
        age_ns=thread.age_ns,
        waits_for=waited_for(thread),
        behind=max(0, total.version - thread.snapshot) if thread.snapshot else 0,
        source=thread,
    )


def waited_for(thread: Thread) -> str:
    if thread.holder is not None:
        return f"thread {thread.holder}, which commits"
    if thread.state == "waiting for disk":
        return "the disk"
    if thread.variable is None:
        return ""
    first = title(thread.variable, thread.key)
    return first if thread.keys <= 1 else f"{first} and {thread.keys - 1} more"


def _pair(pair: Pair) -> tuple[str, str, str, str]:
    return pair.winner, pair.loser, pair.variable, repr(pair.key)


def _per_second(count: int, stats: Stats) -> float:
    return _share(count, stats.seconds)


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
