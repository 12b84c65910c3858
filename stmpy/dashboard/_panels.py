"""The six panels: their columns, from the one that matters most to those left out first."""

from operator import attrgetter
from typing import Any, Final

from stmpy.dashboard._rows import (
    block_rows,
    count_rows,
    key_rows,
    pair_rows,
    thread_rows,
    waiter_rows,
)
from stmpy.dashboard._table import Column, Panel
from stmpy.dashboard._text import block_title, number, percent, span


def _text(title: str, name: str, width: int, grows: int, tone: str, rank: int = 0) -> Column:
    get = attrgetter(name)
    return Column(title, get, get, width, grows, "<", tone, rank)


def _block(title: str, name: str, width: int, grows: int, tone: str = "block") -> Column:
    get = attrgetter(name)
    return Column(title, get, lambda row: block_title(get(row)), width, grows, "<", tone)


def _count(title: str, name: str, rank: int = 0, tone: str = "", width: int = 6) -> Column:
    get = attrgetter(name)
    return Column(title, get, lambda row: number(get(row)), width, tone=tone, rank=rank)


def _rate(title: str, name: str, rank: int = 0, tone: str = "now") -> Column:
    """A rate of now; a dot where nothing happens, so that what moves stands out."""
    get = attrgetter(name)

    def show(row: Any) -> str:
        return number(get(row)) if get(row) else "·"

    return Column(title, get, show, max(6, len(title) + 1), tone=tone, rank=rank)


def _some(title: str, name: str, width: int, rank: int) -> Column:
    """A count of what a thread in a block has; a dot for a thread that is in none."""
    get = attrgetter(name)
    return Column(
        title, get, lambda row: number(get(row)) if row.attempt else "·", width, rank=rank
    )


def _share(title: str, name: str, rank: int = 0, tone: str = "") -> Column:
    get = attrgetter(name)
    return Column(title, get, lambda row: percent(get(row)), 7, tone=tone, rank=rank)


def _bar(name: str, rank: int, width: int = 8, grows: int = 1) -> Column:
    return Column("", attrgetter(name), None, width, grows, "<", "bar", rank)


def _time(title: str, name: str, rank: int = 0, tone: str = "") -> Column:
    get = attrgetter(name)
    return Column(title, get, lambda row: span(get(row)), 7, tone=tone, rank=rank)


def _number(title: str, name: str, width: int, rank: int = 0) -> Column:
    """A number that is a name: no unit, no rounding."""
    get = attrgetter(name)
    return Column(title, get, lambda row: str(get(row)), width, tone="dim", rank=rank)


def _winner(row: Any) -> str:
    return "itself" if row.winner == row.loser else block_title(row.winner)


KEYS: Final = Panel(
    name="keys",
    title="hot keys",
    empty="no block has lost an attempt over a key",
    columns=(
        _text("key", "key", 16, 3, "key"),
        _count("lost", "conflicts", tone="strong"),
        _rate("/s", "rate", 1),
        _share("share", "share", 3),
        _bar("share", 4, 6),
        _text("most often", "fight", 20, 3, "pair", 2),
    ),
    rows=key_rows,
    identity=attrgetter("key"),
    sort=1,
)

BLOCKS: Final = Panel(
    name="blocks",
    title="blocks",
    empty="no block has ended yet",
    columns=(
        _block("block", "name", 16, 4),
        _rate("commits/s", "rate"),
        _rate("lost/s", "lost_rate", 2),
        _share("lost", "lost_share", 1),
        _time("wasted", "wasted_ns", tone="cost"),
        _share("wasted%", "wasted_share", 3, "cost"),
        _time("p50", "p50_ns", 5),
        _time("p99", "p99_ns", 4),
        _count("tries", "attempts", 6),
        _count("commits", "commits", 9, width=7),
        _count("lost#", "conflicts", 10),
        _count("serial", "serial", 7),
        _count("parked", "waits", 8),
        _count("raised", "aborts", 11),
    ),
    rows=block_rows,
    identity=attrgetter("name"),
    sort=4,
)

PAIRS: Final = Panel(
    name="pairs",
    title="who beats whom",
    empty="no block has beaten another",
    columns=(
        _block("loser", "loser", 18, 3, "loser"),
        Column("lost to", _winner, _winner, 12, 3, "<", "winner"),
        _text("over", "key", 14, 3, "key"),
        _count("times", "count", tone="strong"),
        _rate("/s", "rate", 1),
        _time("cost", "cost_ns", tone="cost"),
        _bar("cost_share", 2, 5),
    ),
    rows=pair_rows,
    identity=attrgetter("winner", "loser", "key"),
    sort=5,
)

ATTEMPTS: Final = Panel(
    name="attempts",
    title="attempts and times",
    empty="no block has ended yet",
    columns=(
        _text("", "kind", 11, 0, "dim"),
        _text("", "label", 16, 4, ""),
        _count("count", "count", tone="strong"),
        _share("share", "share", 1),
        _bar("share", 2, 6, 2),
    ),
    rows=count_rows,
    identity=attrgetter("kind", "label"),
)

THREADS: Final = Panel(
    name="threads",
    title="interpreters and threads",
    empty="no thread has used the store",
    columns=(
        _number("thread", "thread", 8),
        _number("interp", "interpreter", 6, 4),
        _number("process", "process", 8, 5),
        _text("state", "state", 18, 0, "state"),
        _block("block", "block", 10, 2),
        _some("try", "attempt", 5, 3),
        _time("age", "age_ns", 1),
        _some("behind", "behind", 6, 6),
        _text("waits for", "waits_for", 10, 3, "key", 2),
    ),
    rows=thread_rows,
    identity=attrgetter("process", "interpreter", "thread"),
    sort=6,
)

WAITERS: Final = Panel(
    name="waiters",
    title="waiters",
    empty="nobody waits",
    columns=(
        _text("waits for", "waits_for", 16, 3, "key"),
        _time("since", "age_ns", tone="strong"),
        _block("block", "block", 10, 2),
        _number("thread", "thread", 8),
        _number("interp", "interpreter", 6, 1),
        _number("process", "process", 8, 2),
    ),
    rows=waiter_rows,
    identity=attrgetter("process", "interpreter", "thread"),
    sort=1,
)

ALL: Final = (KEYS, BLOCKS, PAIRS, ATTEMPTS, THREADS, WAITERS)
"""In the order of the keys 1 to 6."""
