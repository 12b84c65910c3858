"""The pages in front of the panels: help, and all about one row."""

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from stmpy.dashboard._head import Line
from stmpy.dashboard._keys import KEYS, MOVES
from stmpy.dashboard._text import fit
from stmpy.dashboard._widgets import TONES


class Page(ModalScreen[None]):
    """Lines in a box; the keys that open it close it, and so does escape."""

    BINDINGS: ClassVar = [Binding("escape,q,h,d,enter,question_mark", "dismiss", show=False)]

    def __init__(self, title: str, lines: list[Line]) -> None:
        super().__init__()
        self.heading = title
        self.text = text_of(lines)

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="page") as box:
            box.border_title = self.heading
            box.border_subtitle = "escape closes"
            yield Static(self.text)

    def on_click(self) -> None:
        self.dismiss()


def text_of(lines: list[Line]) -> Text:
    """Lines that are wrapped where they are too long."""
    text = Text()
    for i, line in enumerate(lines):
        if i:
            text.append("\n")
        for part, tone in line:
            text.append(part, TONES.get(tone))
    return text


def help_lines() -> list[Line]:
    lines: list[Line] = []
    for key in (*KEYS, *MOVES):
        if key.shown:
            lines.append([(fit(key.shown, 10), "sorted"), (key.help, "")])
    return [
        *lines,
        [],
        [("lost     ", "loser"), ("attempts that a block lost to another, and ran again", "")],
        [("wasted   ", "cost"), ("the time of those attempts, of all time in blocks", "")],
        [("/s       ", "sorted"), ("of the last three seconds; all else since the zero", "")],
        [("p50 p99  ", "sorted"), ("half of the blocks, and 99 %, took no longer than that", "")],
        [("behind   ", "sorted"), ("commits that a snapshot, or the disk, has not seen", "")],
    ]
