"""The live view: reads the source at an interval, and puts on screen what pure functions make."""

import os
from typing import ClassVar

from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.theme import Theme
from textual.timer import Timer
from textual.widgets import Input

from stmpy.dashboard._details import details
from stmpy.dashboard._head import Line, head_lines
from stmpy.dashboard._keys import KEYS, MOVES
from stmpy.dashboard._panels import ALL
from stmpy.dashboard._screens import Page, help_lines
from stmpy.dashboard._source import Source
from stmpy.dashboard._timeline import Timeline
from stmpy.dashboard._widgets import Lines, Links, Table
from stmpy.errors import StmError
from stmpy.statistics._text import printable

INTERVALS = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Seconds between two readings, for + and -."""

WIDE, TALL = 120, 36
"""From this size on all panels are shown at once."""

THEME = Theme(
    name="stmpy",
    primary="#6cbdf0",
    foreground="#c3ccd6",
    background="#10151b",
    surface="#10151b",
    panel="#1b232c",
    dark=True,
)

STYLE = """
Screen { background: $background; }
#head { height: auto; }
#tabs, #foot { height: 1; padding: 0 1; }
#panels { height: 1fr; }
.row { height: 1fr; }
.blocks { height: 0.8fr; }
#pairs { width: 1.2fr; }
#threads { height: 1.6fr; }
.panel {
    width: 1fr; height: 1fr; padding: 0 1;
    border: round #3a4653; border-title-color: #7f8b99; border-subtitle-color: #7f8b99;
}
.panel.active { border: round #6cbdf0; border-title-color: #e8edf2; border-title-style: bold; }
#filter { display: none; height: 1; border: none; padding: 0 1; background: $panel; }
#filter.open { display: block; }
Page { align: center middle; background: #10151b 60%; }
#page {
    width: 90%; max-width: 92; height: auto; max-height: 100%; padding: 0 2;
    scrollbar-size-vertical: 1; scrollbar-color: #7f8b99; scrollbar-background: $panel;
    background: $panel; border: round #6cbdf0;
    border-title-color: #e8edf2; border-subtitle-color: #7f8b99;
}
"""


class Dashboard(App[int]):
    """`run()` returns 0, or 3 if the store was gone when the view was left.

    The source is read at once, so that a store that is not there is an error before the screen
    changes.
    """

    TITLE = "stmpy"
    CSS = STYLE
    ENABLE_COMMAND_PALETTE = False
    AUTO_FOCUS = None
    BINDINGS: ClassVar = [
        *(Binding(str(i), f"panel({i})", show=False) for i in range(1, len(ALL) + 1)),
        *(Binding(key.keys, key.action, show=False) for key in (*KEYS, *MOVES) if key.action),
    ]

    def __init__(self, source: Source, interval: float = 1.0) -> None:
        super().__init__(ansi_color="NO_COLOR" in os.environ)
        self.register_theme(THEME)
        self.theme = THEME.name
        self.source = source
        self.interval = interval
        self.timeline = Timeline().add(source.read())
        self.held = False
        self.gone = ""
        self.wanted = ""
        self.timer: Timer | None = None
        self.tables = [Table(panel, i) for i, panel in enumerate(ALL, 1)]
        # Who beats whom is what people come for.
        self.active = self.tables[2]

    def compose(self) -> ComposeResult:
        keys, blocks, pairs, attempts, threads, waiters = self.tables
        yield Lines(id="head")
        yield Links(id="tabs")
        with Vertical(id="panels"):
            yield Horizontal(pairs, keys, classes="row")
            yield Horizontal(blocks, classes="row blocks")
            yield Horizontal(attempts, Vertical(threads, waiters), classes="row")
        yield Input(id="filter", placeholder="show rows that mention …", compact=True)
        yield Links(id="foot")

    def on_ready(self) -> None:
        self.query_one("#foot", Links).set(foot())
        self.lay_out(self.size.width, self.size.height)
        self.start()

    def on_resize(self, event: events.Resize) -> None:
        if self.timer is not None:
            self.lay_out(event.size.width, event.size.height)

    def start(self) -> None:
        if self.timer is not None:
            self.timer.stop()
        self.timer = self.set_interval(self.interval, self.tick)

    def tick(self) -> None:
        """Reads once, unless the view is held or the store is gone."""
        if self.held or self.gone:
            return
        try:
            self.timeline = self.timeline.add(self.source.read())
        except StmError as error:
            self.gone = printable(str(error))
        self.draw()

    def lay_out(self, width: int, height: int) -> None:
        """All panels where there is room for them, otherwise the active one."""
        self.all_shown = width >= WIDE and height >= TALL
        self.query_one("#tabs").display = not self.all_shown
        for table in self.tables:
            table.display = self.all_shown or table is self.active
            table.active = table is self.active
            table.set_class(table.active, "active")
        for box in self.query("#panels Horizontal, #panels Vertical Vertical"):
            box.display = any(table.display for table in box.query(Table))
        self.draw()

    def draw(self) -> None:
        tall = 2 if self.all_shown else 1
        lines = head_lines(self.timeline, self.size.width, tall, self.status())
        head = self.query_one("#head", Lines)
        head.show(lines)
        head.styles.height = len(lines)
        total, now = self.timeline.total, self.timeline.now
        for table in self.tables:
            table.set(total, now, self.wanted)
        if not self.all_shown:
            self.query_one("#tabs", Links).set(tabs(self.tables, self.active))

    def status(self) -> Line:
        if self.gone:
            return [(f" gone: {self.gone} ", "stopped")]
        if self.timeline.latest.closed:
            return [(" closed ", "stopped")]
        if self.held:
            return [(" paused ", "stopped")]
        zero = self.timeline.zero
        since = f"since {self.timeline.latest.seconds - zero.seconds:.0f} s  " if zero else ""
        return [(since, "dim"), ("● live", "status"), (f"  every {self.interval:g} s", "dim")]

    def activate(self, table: Table) -> None:
        self.active = table
        self.lay_out(self.size.width, self.size.height)

    def action_panel(self, number: int) -> None:
        self.activate(self.tables[number - 1])

    def action_sort(self) -> None:
        self.active.sort_by_next()

    def action_reverse(self) -> None:
        self.active.sort_by(self.active.sort)

    def action_move(self, by: int) -> None:
        self.active.move(by)

    def action_page(self, by: int) -> None:
        self.active.move(by * max(1, self.active.size.height - 1))

    def action_pause(self) -> None:
        self.held = not self.held
        self.tick()
        self.draw()

    def action_slower(self, by: int = 1) -> None:
        """The next longer of the intervals; the next shorter one with -1."""
        if by > 0:
            self.interval = next((x for x in INTERVALS if x > self.interval), INTERVALS[-1])
        else:
            self.interval = next((x for x in INTERVALS[::-1] if x < self.interval), INTERVALS[0])
        self.start()
        self.draw()

    def action_faster(self) -> None:
        self.action_slower(-1)

    def action_zero(self) -> None:
        self.timeline = self.timeline.zeroed()
        self.draw()

    def action_help(self) -> None:
        self.push_screen(Page("stmpy top", help_lines()))

    def action_details(self) -> None:
        if self.active.row is not None:
            lines = details(self.active.row, self.timeline.total)
            self.push_screen(Page(self.active.panel.title, lines))

    async def action_quit(self) -> None:
        self.exit(3 if self.gone else 0)

    def action_filter(self) -> None:
        box = self.query_one("#filter", Input)
        box.add_class("open")
        box.focus()

    def action_clear(self) -> None:
        """Escape: shows all rows again."""
        box = self.query_one("#filter", Input)
        box.value = ""
        box.remove_class("open")
        self.set_focus(None)

    def on_input_changed(self, event: Input.Changed) -> None:
        self.wanted = event.value
        self.draw()

    def on_input_submitted(self) -> None:
        self.set_focus(None)

    def on_table_chosen(self, event: Table.Chosen) -> None:
        self.activate(event.table)
        if event.twice:
            self.action_details()


def tabs(tables: list[Table], active: Table) -> list[tuple[Line, str]]:
    """The names of the panels, to click on."""
    return [
        (
            [(f" {t.number} {t.panel.name} ", "tab" if t is active else "dim"), (" ", "")],
            f"panel({t.number})",
        )
        for t in tables
    ]


def foot() -> list[tuple[Line, str]]:
    """The keys with a short name, to click on as well."""
    return [
        ([(key.shown, "sorted"), (f" {key.short}  ", "dim")], key.action)
        for key in KEYS
        if key.short
    ]
