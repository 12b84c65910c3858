"""One shot: the head and the first rows of each panel as plain text, for output nobody watches."""

from stmpy.dashboard._head import Line, head_lines
from stmpy.dashboard._panels import ALL
from stmpy.dashboard._table import Panel, arranged, chosen, head, line, spaced
from stmpy.dashboard._timeline import Timeline

ROWS = 8
"""The most rows of a panel; how many more there are is said."""


def once(timeline: Timeline, width: int) -> list[str]:
    """The lines, without spaces at their ends."""
    total = timeline.total
    lines = head_lines(timeline, width, 0, [])
    for panel in ALL:
        rows = panel.rows(total, timeline.now)
        if rows:
            lines += [[], [(panel.title, "sorted")], *_table(panel, list(rows), width)]
    return ["".join(text for text, _ in cells).rstrip() for cells in lines]


def _table(panel: Panel, rows: list[object], width: int) -> list[Line]:
    columns = chosen(panel.columns, width - 2)
    sorted_by = None if panel.sort is None else panel.columns[panel.sort]
    first = arranged(rows, panel, panel.sort)
    lines = [head(columns, sorted_by, False), *(line(columns, row) for row in first[:ROWS])]
    shown: list[Line] = [[("  ", ""), *spaced(cells)] for cells in lines]
    if len(first) > ROWS:
        shown.append([(f"  and {len(first) - ROWS:,} more", "dim")])
    return shown
