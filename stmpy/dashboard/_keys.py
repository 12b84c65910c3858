"""The keys of the dashboard: what is bound, what the foot shows and what help says is one list."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Key:
    """`keys` as textual names them, `shown` as a person does; `short` is for the foot."""

    keys: str
    shown: str
    action: str
    short: str
    help: str


KEYS: Final = (
    Key("1,2,3,4,5,6", "1–6", "", "", "keys, blocks, pairs, attempts, threads, waiters"),
    Key("s", "s", "sort", "sort", "sort by the next column, or click on its title"),
    Key("r", "r", "reverse", "reverse", "turn the order round"),
    Key("slash", "/", "filter", "filter", "show rows that mention a text; escape ends it"),
    Key("space", "space", "pause", "pause", "hold the picture, and go on"),
    Key("plus,equals_sign", "+ -", "slower", "", "a longer interval, a shorter one"),
    Key("minus", "", "faster", "", ""),
    Key("z", "z", "zero", "zero", "count totals from now on"),
    Key("d,enter", "d", "details", "details", "all about the chosen row, and what to try"),
    Key("h,question_mark", "h", "help", "help", "this page"),
    Key("q,ctrl+c", "q", "quit", "quit", "leave"),
)

MOVES: Final = (
    Key("up,k", "↑ ↓", "move(-1)", "", "choose a row; so do the wheel and a click"),
    Key("down,j", "", "move(1)", "", ""),
    Key("pageup", "page ↑ ↓", "page(-1)", "", "a screenful; home and end go all the way"),
    Key("pagedown", "", "page(1)", "", ""),
    Key("home", "", "move(-1000000)", "", ""),
    Key("end", "", "move(1000000)", "", ""),
    Key("escape", "", "clear", "", ""),
)
