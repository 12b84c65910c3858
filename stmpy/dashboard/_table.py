"""Tables as text: which columns fit a width, rows sorted and filtered, cells with a tone each."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from stmpy.dashboard._text import bar, fit
from stmpy.statistics import Stats

type Cell = tuple[str, str]
"""Text and tone. A tone says what the text is about; the view knows how that looks."""

GAP = 2
"""Columns between two cells."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `by` is what rows are ordered by, and what a bar shows where `show` is None.

    `width` is the least width, of which there are `grows` parts more where there is room. Columns
    with the highest `rank` are left out first where there is none.
    """

    title: str
    by: Callable[[Any], Any]
    show: Callable[[Any], str] | None
    width: int
    grows: int = 0
    align: str = ">"
    tone: str = ""
    rank: int = 0

    def cell(self, row: Any, width: int) -> Cell:
        text = bar(self.by(row), width) if self.show is None else self.show(row)
        return fit(text, width, self.align), self.tone


@dataclass(frozen=True, slots=True)
class Panel:
    """One table. `sort` is the column that it is ordered by at first, None for as it is."""

    name: str
    title: str
    empty: str
    columns: tuple[Column, ...]
    rows: Callable[[Stats, Stats], Sequence[Any]]
    identity: Callable[[Any], Hashable]
    sort: int | None = None


def chosen(columns: Iterable[Column], width: int) -> list[tuple[Column, int]]:
    """The columns that fit, with their widths, which fill the width if any of them can grow."""
    kept = list(columns)
    while len(kept) > 1 and sum(c.width + GAP for c in kept) - GAP > width:
        kept.remove(max(reversed(kept), key=lambda column: column.rank))
    left = max(0, width - sum(c.width + GAP for c in kept) + GAP)
    parts = sum(column.grows for column in kept)
    widths = []
    for column in kept:
        more = left * column.grows // parts if column.grows else 0
        left, parts = left - more, parts - column.grows
        widths.append((column, min(width, column.width + more)))
    return widths


def arranged(
    rows: Iterable[Any],
    panel: Panel,
    sort: int | None = None,
    *,
    reverse: bool = False,
    wanted: str = "",
) -> list[Any]:
    """The rows in which some text column has what is wanted, ordered by column `sort`.

    Figures begin with the greatest and names with A, unless `reverse`.
    """
    shows = [column.show for column in panel.columns if column.align == "<" and column.show]
    needle = wanted.casefold()
    found = [row for row in rows if not needle or _mentions(row, shows, needle)]
    if sort is None:
        return found[::-1] if reverse else found
    column = panel.columns[sort]
    return sorted(found, key=column.by, reverse=(column.align == ">") != reverse)


def _mentions(row: Any, shows: Iterable[Callable[[Any], str]], needle: str) -> bool:
    return any(needle in show(row).casefold() for show in shows)


def head(
    columns: Sequence[tuple[Column, int]], sorted_by: Column | None, reverse: bool
) -> list[Cell]:
    """The titles of the columns; an arrow marks the one that rows are ordered by."""
    line = []
    for column, width in columns:
        text = column.title
        if column is sorted_by:
            down = (column.align == ">") != reverse
            text += "▼" if down else "▲"
        line.append((fit(text, width, column.align), "sorted" if column is sorted_by else "head"))
    return line


def line(columns: Sequence[tuple[Column, int]], row: Any) -> list[Cell]:
    return [column.cell(row, width) for column, width in columns]


def spaced(cells: list[Cell]) -> list[Cell]:
    """Cells of a row with the gap between them."""
    result: list[Cell] = []
    for cell in cells:
        result += [cell, (" " * GAP, "")]
    return result[:-1]
