"""How figures and names are written: short, of a known width, and harmless to a terminal."""

import unicodedata
from typing import Any

from stmpy.statistics import Stats
from stmpy.statistics._text import printable

ELLIPSIS = "…"


def title(variable: str, key: Any) -> str:
    """A key as a program would write it; a TRef is a variable with the one key None."""
    return printable(variable) if key is None else f"{printable(variable)}[{printable(repr(key))}]"


def block_title(name: str) -> str:
    """The name of a block without the folder of its file, and what its function is local to.

    That is seldom what tells it apart from others.
    """
    head, mark, place = printable(name).rpartition(" (")
    if not mark:
        return place
    return head.rpartition(".<locals>.")[2] + mark + place.rpartition("/")[2]


def store_title(stats: Stats) -> str:
    """The name of a store; of a path its last two parts, as the title has to be short."""
    if stats.durability is not None:
        return "/".join(printable(stats.store).rsplit("/", 2)[-2:])
    return printable(stats.store) or "a store without a name"


def cells(text: str) -> int:
    """How many columns of a terminal the text takes."""
    return len(text) if text.isascii() else sum(map(_cells_of, text))


def _cells_of(char: str) -> int:
    if unicodedata.east_asian_width(char) in "WF":
        return 2
    return 0 if unicodedata.category(char) in ("Mn", "Me", "Cf") else 1


def fit(text: str, width: int, align: str = "<") -> str:
    """The text in exactly so many columns: filled with spaces, or cut and marked as cut."""
    room = width - cells(text)
    if room < 0:
        kept, left = [], width - 1
        for char in text:
            left -= _cells_of(char)
            if left < 0:
                break
            kept.append(char)
        text = "".join(kept) + ELLIPSIS if width > 0 else ""
        room = width - cells(text)
    return " " * room + text if align == ">" else text + " " * room


def number(value: float) -> str:
    """At most four digits: 7, 0.4, 999, 1.23k, 45.6M."""
    if 0 < value < 0.05:
        return "<0.1"
    if value < 9.95 and value != round(value):
        return f"{value:.1f}"
    for unit in ("", "k", "M", "G"):
        if value < 999.5:
            return _three_digits(value) + unit if unit else f"{value:.0f}"
        value /= 1000
    return _three_digits(value) + "T"


def _three_digits(value: float) -> str:
    return f"{value:.2f}" if value < 9.995 else f"{value:.1f}" if value < 99.95 else f"{value:.0f}"


def span(ns: float) -> str:
    """A time given in nanoseconds: 850 ns, 1.2 ms, 3 min; - for none."""
    if ns <= 0:
        return "-"
    for unit, size in (("ns", 1e3), ("µs", 1e6), ("ms", 1e9), ("s", 60e9)):
        if ns < 0.9995 * size:
            value = ns / {"ns": 1, "µs": 1e3, "ms": 1e6, "s": 1e9}[unit]
            return f"{value:.1f} {unit}" if value < 9.95 and unit != "ns" else f"{value:.0f} {unit}"
    minutes = ns / 60e9
    return f"{minutes:.0f} min" if minutes < 99.5 else f"{minutes / 60:.0f} h"


def size(count: float) -> str:
    """Bytes: 512 B, 1.5 KiB, 64 MiB."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1023.5:
            whole = unit == "B" or count >= 99.95 or count == round(count)
            return f"{count:.0f} {unit}" if whole else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def percent(share: float) -> str:
    """A share from 0 to 1."""
    value = 100 * share
    if 0 < value < 0.1:
        return "<0.1 %"
    return f"{value:.1f} %" if 0 < value < 9.95 else f"{value:.0f} %"


def bar(share: float, width: int) -> str:
    """A bar that fills this share of the width, to an eighth of a column."""
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    if share > 0:
        eighths = max(1, eighths)
    whole, part = divmod(eighths, 8)
    return fit("█" * whole + (" ▏▎▍▌▋▊▉"[part] if part else ""), width)
