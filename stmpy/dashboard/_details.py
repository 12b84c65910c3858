"""All about one row of a panel, as lines for a page of its own."""

from typing import Any

from stmpy.dashboard._advice import advice
from stmpy.dashboard._head import Line
from stmpy.dashboard._rows import (
    REASON_WORDS,
    BlockRow,
    CountRow,
    KeyRow,
    PairRow,
    ThreadRow,
    histogram_rows,
    time_label,
)
from stmpy.dashboard._text import bar, fit, number, percent, span, title
from stmpy.statistics import Pair, Stats, ranked
from stmpy.statistics._text import printable


def details(row: Any, total: Stats) -> list[Line]:
    """Everything that is known about what the row is about, and what to try."""
    match row:
        case KeyRow():
            return _key(row, total)
        case BlockRow():
            return _block(row, total)
        case PairRow():
            return _pair(row, total)
        case ThreadRow():
            return _thread(row)
        case CountRow():
            counted = f"{row.count:,}, {percent(row.share)}"
            return [_head(row.kind, row.label), _fact("count", counted)]
    return []


def _key(row: KeyRow, total: Stats) -> list[Line]:
    pairs = [p for p in total.pairs if title(p.variable, p.key) == row.key]
    return [
        _head("key", row.key),
        _fact("lost over it", f"{row.conflicts:,} attempts, {percent(row.share)} of all"),
        _fact("now", f"{number(row.rate)} a second"),
        *_pairs("who loses over it", pairs),
        *_advice(total, key=row.key),
    ]


def _block(row: BlockRow, total: Stats) -> list[Line]:
    block = row.source
    lines = [
        _head("block", row.name),
        _fact(
            "committed", f"{block.commits:,}, and {block.read_only_commits:,} that wrote nothing"
        ),
        _fact("lost", f"{row.conflicts:,} attempts, {percent(row.lost_share)} of all"),
        _fact("wasted", f"{span(row.wasted_ns)}, {percent(row.wasted_share)} of its time"),
        _fact("serial", f"{row.serial:,} attempts"),
        _fact("parked", f"{row.waits:,} times, by retry()"),
        _fact("raised", f"{row.aborts:,} times"),
    ]
    lost = {reason: count for reason, count in block.reasons.items() if count}
    if lost:
        lines += [[], [("why it lost", "sorted")]]
    for reason, count in sorted(lost.items(), key=lambda item: -item[1]):
        lines.append(_fact(f"{count:,}", REASON_WORDS.get(reason, reason)))
    lines += _pairs("who beats it", [p for p in total.pairs if p.loser == block.name])
    lines += _pairs("whom it beats", [p for p in total.pairs if p.winner == block.name])
    if block.block_ns.total:
        lines += [[], [("how long it takes", "sorted")]]
    for time in histogram_rows("", block.block_ns, time_label):
        drawn = (bar(time.share, 24), "bar")
        lines.append([(fit(time.label, 16), "dim"), drawn, (f" {percent(time.share)}", "")])
    return [*lines, *_advice(total, row.name)]


def _pair(row: PairRow, total: Stats) -> list[Line]:
    return [
        [("loser    ", "dim"), (row.loser, "loser")],
        [("winner   ", "dim"), (row.winner, "winner")],
        [("key      ", "dim"), (row.key, "key")],
        [],
        _fact("so often", f"{row.count:,} times; now {number(row.rate)} a second"),
        _fact("cost", f"{span(row.cost_ns)} of lost work, {percent(row.cost_share)} of all"),
        *_advice(total, row.loser, row.key),
    ]


def _thread(row: ThreadRow) -> list[Line]:
    return [
        _head("thread", str(row.thread)),
        _fact("interpreter", str(row.interpreter)),
        _fact("process", str(row.process)),
        _fact("state", row.state),
        _fact("block", row.block or "none"),
        _fact("attempt", str(row.attempt or "-")),
        _fact("age", span(row.age_ns)),
        _fact("snapshot", f"{row.behind:,} commits behind" if row.source.snapshot else "none"),
        _fact("waits for", row.waits_for or "nothing"),
    ]


def _head(kind: str, name: str) -> Line:
    return [(fit(kind, 14), "dim"), (name, "sorted")]


def _fact(name: str, value: str) -> Line:
    return [(fit(name, 14), "dim"), (value, "")]


def _pairs(heading: str, pairs: list[Pair]) -> list[Line]:
    if not pairs:
        return []
    lines: list[Line] = [[], [(heading, "sorted")]]
    for pair in ranked(pairs, "cost_ns")[:8]:
        lines.append(
            [
                (fit(number(pair.count), 6, ">") + "  ", "strong"),
                (printable(pair.loser), "loser"),
                (" loses to ", "dim"),
                (printable(pair.winner), "winner"),
                (" over ", "dim"),
                (title(pair.variable, pair.key), "key"),
                (f"  {span(pair.cost_ns)}", "cost"),
            ]
        )
    return lines


def _advice(total: Stats, loser: str | None = None, key: str | None = None) -> list[Line]:
    """What the rules say about a block that loses, or a key, or both."""
    lines: list[Line] = []
    for one in advice(total):
        if loser in (None, *one.about[:1]) and key in (None, *one.about):
            lines += [[], [("try: ", "good-strong"), (one.remedy, "")]]
    return lines
