"""What textual is told to draw: lines of cells, and tables of them with a chosen row."""

import os
from collections.abc import Hashable
from typing import Any

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from stmpy.dashboard._head import Line
from stmpy.dashboard._table import GAP, Panel, arranged, chosen, head, line, spaced
from stmpy.dashboard._text import cells
from stmpy.statistics import Stats

# The colours are those of Okabe and Ito, made for all eyes, lightened for a dark ground. What they
# say is said by a word, a place or a mark as well.
BLUE, ORANGE, GREEN, YELLOW, RED = "#6cbdf0", "#e8a42c", "#35b592", "#e9dc6a", "#ee8354"
GREY, PALE = "#7f8b99", "#e8edf2"

TONES = {
    "dim": Style(color=GREY),
    "head": Style(color=GREY),
    "sorted": Style(color=PALE, bold=True),
    "strong": Style(color=PALE, bold=True),
    "value": Style(color=PALE),
    "key": Style(color=YELLOW),
    "winner": Style(color=BLUE),
    "loser": Style(color=ORANGE),
    "loser-strong": Style(color=ORANGE, bold=True),
    "cost": Style(color=RED),
    "cost-strong": Style(color=RED, bold=True),
    "good": Style(color=GREEN),
    "good-strong": Style(color=GREEN, bold=True),
    "bar": Style(color="#a97a2c"),
    "good-graph": Style(color="#27705e"),
    "loser-graph": Style(color="#94702f"),
    "cost-graph": Style(color="#a0583a"),
    "warn": Style(color=RED, bold=True),
    "brand": Style(color="#10151b", bgcolor=GREEN, bold=True),
    "tab": Style(color="#10151b", bgcolor=BLUE, bold=True),
    "status": Style(color=GREEN, bold=True),
    "stopped": Style(color="#10151b", bgcolor=ORANGE, bold=True),
}
NO_STYLE = Style()
CHOSEN = Style(reverse=True) if "NO_COLOR" in os.environ else Style(bgcolor="#2b3947", bold=True)


class Lines(Widget):
    """Lines of cells, as a pure function made them."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.lines: list[Line] = []

    def show(self, lines: list[Line]) -> None:
        self.lines = lines
        self.refresh()

    def render_line(self, y: int) -> Strip:
        cells = self.lines[y] if y < len(self.lines) else []
        return self.strip(cells)

    def strip(self, cells: Line, style: Style = NO_STYLE) -> Strip:
        segments = [Segment(text, TONES.get(tone, NO_STYLE) + style) for text, tone in cells]
        width = self.size.width
        return Strip(segments).adjust_cell_length(width, style).apply_style(self.rich_style)


class Links(Lines):
    """One line of words to click on, each with the action of the app that it stands for."""

    def set(self, links: list[tuple[Line, str]]) -> None:
        self.links = links
        self.show([[cell for cells_, _ in links for cell in cells_]])

    def on_click(self, event: events.Click) -> None:
        at = event.get_content_offset(self)
        x = -1 if at is None else at.x
        for line_, action in self.links:
            x -= sum(cells(text) for text, _ in line_)
            if x < 0:
                self.app.call_next(self.app.run_action, action)
                return


class Table(Lines):
    """One panel. The chosen row is kept when rows change places."""

    class Chosen(Message):
        """A row of this table, or one of its titles, was clicked."""

        def __init__(self, table: "Table", twice: bool) -> None:
            super().__init__()
            self.table = table
            self.twice = twice

    def __init__(self, panel: Panel, number: int) -> None:
        super().__init__(id=panel.name, classes="panel")
        self.panel = panel
        self.number = number
        self.sort = panel.sort
        self.reverse = False
        self.rows: list[Any] = []
        self.total = self.now = None  # type: Stats | None
        self.wanted = ""
        self.cursor = 0
        self.top = 0
        self.kept: Hashable = None
        self.active = False

    def set(self, total: Stats, now: Stats, wanted: str) -> None:
        self.total, self.now, self.wanted = total, now, wanted
        self.refill()

    def refill(self) -> None:
        if self.total is None or self.now is None or not self.display:
            return
        rows = self.panel.rows(self.total, self.now)
        self.rows = arranged(rows, self.panel, self.sort, reverse=self.reverse, wanted=self.wanted)
        if self.kept is not None:
            for i, row in enumerate(self.rows):
                if self.panel.identity(row) == self.kept:
                    self.cursor = i
                    break
        self.border_title = f"{self.number} {self.panel.title}"
        self.move(0)

    def move(self, by: int) -> None:
        """Chooses the row so many further on; after that the choice stays with the row."""
        last = max(0, len(self.rows) - 1)
        self.cursor = max(0, min(last, self.cursor + by))
        if by and self.rows:
            self.kept = self.panel.identity(self.rows[self.cursor])
        room = max(1, self.size.height - 1)
        self.top = max(0, min(self.top, self.cursor, len(self.rows) - room))
        self.top = max(self.top, self.cursor - room + 1)
        end = min(len(self.rows), self.top + room)
        self.border_subtitle = f"{self.top + 1}–{end} of {len(self.rows)}" if self.rows else ""
        self.refresh()

    @property
    def row(self) -> Any:
        """The chosen row, None if there is none."""
        return self.rows[self.cursor] if self.cursor < len(self.rows) else None

    def sort_by(self, column: int | None) -> None:
        """Orders by another column; by the same one, turns the order round."""
        self.reverse = column == self.sort and not self.reverse
        self.sort = column
        self.refill()

    def sort_by_next(self) -> None:
        """Orders by the next column that is shown, after the last one as the first."""
        shown = [self.panel.columns.index(column) for column, _ in self.columns if column.show]
        later = [i for i in shown if self.sort is None or i > self.sort]
        self.reverse = False
        self.sort = later[0] if later else shown[0]
        self.refill()

    @property
    def columns(self) -> list[tuple[Any, int]]:
        return chosen(self.panel.columns, max(1, self.size.width))

    def render_line(self, y: int) -> Strip:
        if not self.rows:
            text = f"no row mentions {self.wanted!r}" if self.wanted else self.panel.empty
            return self.strip([(text, "dim")] if y == 1 else [])
        columns = self.columns
        if y == 0:
            by = None if self.sort is None else self.panel.columns[self.sort]
            return self.strip(spaced(head(columns, by, self.reverse)))
        at = self.top + y - 1
        if at >= len(self.rows):
            return self.strip([])
        is_chosen = self.active and at == self.cursor
        return self.strip(spaced(line(columns, self.rows[at])), CHOSEN if is_chosen else NO_STYLE)

    def on_click(self, event: events.Click) -> None:
        at = event.get_content_offset(self)
        if at is None:
            return
        if at.y == 0:
            self._sort_at(at.x)
        elif self.top + at.y - 1 < len(self.rows):
            self.move(self.top + at.y - 1 - self.cursor)
        self.post_message(self.Chosen(self, twice=event.chain == 2 and at.y > 0))

    def _sort_at(self, x: int) -> None:
        for column, width in self.columns:
            if x < width + GAP:
                self.sort_by(self.panel.columns.index(column))
                return
            x -= width + GAP

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.move(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.move(-3)

    def on_resize(self) -> None:
        self.refill()
