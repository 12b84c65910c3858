"""The lines above the panels, for any width: who is watched, gauges with their minute, facts."""

from stmpy.dashboard._summary import Fact, Gauge, facts, few_facts, gauges, threads, verdict
from stmpy.dashboard._table import Cell
from stmpy.dashboard._text import cells, fit, span, store_title
from stmpy.dashboard._timeline import Timeline, filled, graph
from stmpy.statistics import Stats

type Line = list[Cell]

TITLE, VALUE, FACT = 11, 7, 32
"""Columns of a gauge's title and value, and of a fact."""

NAMES = ("winner", "loser", "key")
"""The tones of names."""

GRAPH = 60
"""At most one column for each second of the minute."""


def head_lines(timeline: Timeline, width: int, tall: int, status: Line) -> list[Line]:
    """The head in lines of just this width; each graph is `tall` lines high, or left out at 0."""
    now = timeline.now
    rows = _rows(now, 2 if width >= 2 * FACT + TITLE + VALUE + 50 else 1)
    room = max(0, width - TITLE - VALUE - 4 - FACT * len(rows[0]) - 2) if tall else 0
    lines = [title_line(timeline.latest, width, status)]
    for i, gauge in enumerate(gauges(now)):
        drawn = _graph(timeline, gauge, min(room, GRAPH), tall)
        for j, part in enumerate(drawn):
            lines.append(_gauge_line(gauge, part, j == 0, rows, i if j == 0 else -1, width))
    lines.append(fitted([(" ", ""), *sentence(timeline, width - 1)], width))
    return lines


def _rows(now: Stats, across: int) -> list[list[Fact]]:
    """Facts in rows beside the gauges."""
    if across == 1:
        return [[fact] for fact in few_facts(now)]
    shown = facts(now)
    return [list(shown[i : i + 2]) for i in range(0, len(shown), 2)]


def _gauge_line(
    gauge: Gauge, drawn: str, first: bool, rows: list[list[Fact]], row: int, width: int
) -> Line:
    line = [
        (" " + fit(gauge.title if first else "", TITLE), "dim"),
        (fit(gauge.value if first else "", VALUE, ">") + "  ", gauge.tone + "-strong"),
        (drawn + "  ", gauge.tone + "-graph"),
    ]
    for fact in rows[row] if 0 <= row < len(rows) else []:
        mark = "! " if fact.tone == "warn" else ""
        line += [
            (fit(fact.title, 10), "dim"),
            (fit(mark + fact.value, FACT - 10), fact.tone or "value"),
        ]
    return fitted(line, width)


def _graph(timeline: Timeline, gauge: Gauge, width: int, tall: int) -> list[str]:
    if width < 1:
        return [""] * max(1, tall)
    course = filled(timeline.course(gauge.course, width))
    return graph(course, tall, gauge.top)


def sentence(timeline: Timeline, width: int) -> Line:
    """The verdict; names are cut rather than figures where it is too long."""
    said = verdict(timeline)
    for most in range(60, 7, -1):
        if sum(cells(text) for text, _ in said) <= width:
            break
        said = [
            (fit(text, most), tone) if tone in NAMES and cells(text) > most else (text, tone)
            for text, tone in said
        ]
    return said


def title_line(stats: Stats, width: int, status: Line) -> Line:
    right = [("  ", ""), *status, (" ", "")]
    room = width - sum(cells(text) for text, _ in right)
    left: Line = [
        (" stmpy ", "brand"),
        (f" {store_title(stats)}", "strong"),
        (f"  process {stats.process}", ""),
        (f"  up {span(stats.seconds * 1e9)}", "dim"),
        (f"  threads {threads(stats)}", "dim"),
    ]
    while len(left) > 2 and sum(cells(text) for text, _ in left) > room:
        left.pop()
    return fitted([*fitted(left, max(0, room)), *right], width)


def fitted(line: Line, width: int) -> Line:
    """The line in exactly so many columns; what comes last is cut first."""
    result, left = [], width
    for text, tone in line:
        taken = cells(text)
        if taken > left:
            text, taken = fit(text, left), left
        result.append((text, tone))
        left -= taken
        if left == 0:
            break
    return [*result, (" " * left, "")] if left else result
