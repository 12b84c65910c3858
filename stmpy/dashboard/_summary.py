"""The head of the dashboard: how fast, how much is lost, and one sentence on who costs most."""

from dataclasses import dataclass

from stmpy.dashboard._table import Cell
from stmpy.dashboard._text import block_title, number, percent, size, span, title
from stmpy.dashboard._timeline import Timeline
from stmpy.statistics import UNKNOWN, Durability, Pair, Stats, Thread, rates

CALM_SHARE = 0.01
"""Below this share of lost attempts there is nothing to worry about,"""

CALM_COST = 0.05
"""unless they took more than this share of the time: a thread may wait long within an attempt."""

HANGING_NS = 3e9
"""A block that takes longer than this, while no other one ends, is said to hang."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """A figure with its course over the last minute. `top` is the least height of a full column."""

    title: str
    value: str
    course: str
    top: float
    tone: str


@dataclass(frozen=True, slots=True)
class Fact:
    title: str
    value: str
    tone: str = ""


def gauges(now: Stats) -> tuple[Gauge, ...]:
    speed = rates(now)
    return (
        Gauge("commits/s", number(speed.commits + speed.read_only_commits), "commits", 1, "good"),
        Gauge("conflicts/s", number(speed.conflicts), "conflicts", 1, "loser"),
        Gauge("conflict %", percent(speed.conflict_share), "conflict_share", 0.1, "loser"),
        Gauge("wasted %", percent(speed.wasted_share), "wasted_share", 0.1, "cost"),
    )


def facts(now: Stats) -> tuple[Fact, ...]:
    """All of them, in pairs."""
    speed, memory = rates(now), now.memory
    used = _part(memory.used_bytes, memory.max_bytes)
    kept = _part(memory.history_bytes, memory.history_limit)
    return (
        Fact("p50", span(speed.p50_ns)),
        Fact("p99", span(speed.p99_ns)),
        Fact("oldest", *_oldest(now)),
        Fact("memory", f"{size(memory.used_bytes)} of {size(memory.max_bytes)}", _alarm(used)),
        Fact("history", f"{size(memory.history_bytes)}, {percent(kept)} full", _alarm(kept)),
        Fact("threads", threads(now)),
        Fact("disk", *_disk(now.durability)),
        Fact("durable", *_durable(now.durability)),
    )


def few_facts(now: Stats) -> tuple[Fact, ...]:
    """The four that matter most, for where there is room for no more."""
    speed, memory = rates(now), now.memory
    used = _part(memory.used_bytes, memory.max_bytes)
    kept = _part(memory.history_bytes, memory.history_limit)
    return (
        Fact("p50 · p99", f"{span(speed.p50_ns)} · {span(speed.p99_ns)}"),
        Fact("oldest", *_oldest(now)),
        Fact("memory", f"{percent(used)}, history {percent(kept)}", _alarm(max(used, kept))),
        Fact("disk", *_disk(now.durability)),
    )


def _oldest(now: Stats) -> tuple[str, str]:
    thread = now.oldest
    if thread is None:
        return "no block runs", "dim"
    behind = max(0, now.version - thread.snapshot)
    return f"{span(thread.age_ns)}, {number(behind)} behind", "warn" if behind > 100_000 else ""


def threads(now: Stats) -> str:
    return f"{len(now.threads)}: {now.running} run, {now.waiting} wait"


def _disk(disk: Durability | None) -> tuple[str, str]:
    if disk is None:
        return "none, memory only", "dim"
    if disk.state == "running":
        return f"{disk.mode}, {number(disk.lag)} behind", "warn" if disk.lag > 100_000 else ""
    return f"{disk.state}, {number(disk.lag)} behind", "" if disk.writable else "warn"


def _durable(disk: Durability | None) -> tuple[str, str]:
    return ("-", "dim") if disk is None else (f"commit {disk.version:,}", "")


def _part(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _alarm(share: float) -> str:
    return "warn" if share > 0.9 else ""


def verdict(timeline: Timeline) -> list[Cell]:
    """Which block loses most to which other one, over which key, and what that costs: one sentence.

    Of now, if anything is lost now, otherwise of the time since the zero. If no block ends any
    more, who keeps it.
    """
    now, total = timeline.now, timeline.total
    hanging = _hanging(now)
    if hanging is not None:
        return [
            ("Nothing ends: ", "cost"),
            (block_title(hanging.block or UNKNOWN), "loser"),
            (f" has been {hanging.state} for ", "dim"),
            (span(hanging.age_ns), "cost"),
        ]
    stats, when = (now, "") if now.pairs else (total, "So far ")
    worst = max(stats.pairs, key=lambda pair: (pair.cost_ns, pair.count), default=None)
    if worst is None:
        if stats.conflicts == 0:
            return [("Nobody loses: ", "good"), ("no block had to run again.", "dim")]
        lost = f"{number(stats.conflicts)} attempts were lost, none to a block that is known."
        return [(lost, "dim")]
    speed = rates(stats)
    share = percent(speed.conflict_share)
    if speed.conflict_share >= CALM_SHARE:
        start = []
    elif speed.wasted_share < CALM_COST:
        start = [("All is calm: ", "good"), (f"{share} lost. ", "dim")]
    else:
        start = [("Few lose, but it costs: ", "cost"), (f"{share} lost. ", "dim")]
    now_often = number(worst.count / stats.seconds) if stats.seconds else "0"
    often = f"{number(worst.count)} times" if when else f"{now_often}/s"
    return [
        *start,
        (when, "dim"),
        (block_title(worst.loser), "loser"),
        (" loses to ", "dim"),
        ("itself" if worst.winner == worst.loser else block_title(worst.winner), "winner"),
        (" over ", "dim"),
        (title(worst.variable, worst.key), "key"),
        (f" {often}", "dim"),
        *_cost(worst, stats),
    ]


def _hanging(now: Stats) -> Thread | None:
    """The thread that is longest in a block, where none has ended lately; parked ones may wait."""
    if now.commits or now.read_only_commits or now.conflicts:
        return None
    busy = [t for t in now.threads if t.age_ns > HANGING_NS and t.state not in ("idle", "parked")]
    return max(busy, key=lambda thread: thread.age_ns, default=None)


def _cost(worst: Pair, stats: Stats) -> list[Cell]:
    busy = sum(block.busy_ns for block in stats.blocks)
    if not busy:
        return [(": cost ", "dim"), (span(worst.cost_ns), "cost")]
    share = min(1.0, worst.cost_ns / busy)
    return [(": ", "dim"), (percent(share), "cost"), (" of all block time", "dim")]
