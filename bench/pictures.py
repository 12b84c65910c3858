"""Series as pictures: one SVG file each, drawn with what the standard library has.

Lines go through the medians, and a band shows the quartiles. Colours are those of Okabe and Ito
(2008), which people who see fewer colours can tell apart; the text is dark on white in any theme.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from bench.harness import Series, Spread

WIDTH, HEIGHT = 640, 400
LEFT, RIGHT, TOP, BOTTOM = 70, 30, 50, 90  # margins
COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
FONT: Final = 'font-family="sans-serif" font-size="12" fill="#222"'


@dataclass(frozen=True, slots=True)
class Axis:
    """Where values lie between two ends of the picture, in pixels."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool

    def at(self, value: float) -> float:
        low, high = self.low, self.high
        if self.logarithmic:
            low, high, value = math.log(low), math.log(high), math.log(max(value, low))
        share = (value - low) / (high - low) if high > low else 0.5
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Round values within it."""
        if self.logarithmic:
            powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            steps = (1,) if len(powers) > 3 else (1, 2, 5)
            values = [step * 10.0**power for power in powers for step in steps]
        else:
            step = round_up((self.high - self.low) / 5)
            values = [step * n for n in range(int(self.high / step) + 1)]
        return [value for value in values if self.low * 0.999 <= value <= self.high * 1.001]


def round_up(value: float) -> float:
    """The next of 1, 2, 5, 10, 20 and so on."""
    power = 10.0 ** math.floor(math.log10(value)) if value > 0 else 1.0
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value * 0.999)


def axis(values: Sequence[float], start: float, end: float, logarithmic: bool) -> Axis:
    """One that holds all values; from 0 on where it is not logarithmic."""
    if logarithmic:
        positive = [value for value in values if value > 0] or [1.0]
        low, high = min(positive), max(positive)
        return Axis(low, high if high > low else low * 10, start, end, True)
    return Axis(0.0, max(values) * 1.05 or 1.0, start, end, False)


def label(value: float) -> str:
    """A number as an axis shows it."""
    if value >= 1e6:
        return f"{value / 1e6:.3g} M"
    if value >= 1e3:
        return f"{value / 1e3:.3g} k"
    return f"{value:g}"


def draw(series: Series, note: str = "") -> str:
    """The picture of a series, with a word in its corner on how it was taken."""
    points = [point for line in series.lines.values() for point in line]
    if not points:
        raise ValueError(f"{series.title!r} has no points to draw")
    spreads = [value for _, value in points]
    log_x, log_y = "x" in series.logarithmic, "y" in series.logarithmic
    across = axis([x for x, _ in points], LEFT, WIDTH - RIGHT, log_x)
    up = axis(
        [end for value in spreads for end in (value.low, value.high)],
        HEIGHT - BOTTOM, TOP, log_y,
    )  # fmt: skip
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{escape(series.title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        text(LEFT, 24, series.title, "start", 'font-weight="bold"'),
        text(LEFT, 42, series.y, "start"),
        text(WIDTH - RIGHT, 42, note, "end", 'opacity="0.7"'),
        text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - BOTTOM + 36, series.x, "middle"),
        *grid(across, up, sorted({x for x, _ in points})),
    ]
    for number, (name, line) in enumerate(series.lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        parts += drawn(line, colour, across.at, up.at)
        parts += legend(number, name, colour)
    return "\n".join([*parts, "</svg>"]) + "\n"


def text(x: float, y: float, words: str, anchor: str, more: str = "") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {FONT} {more}>{escape(words)}</text>'
    )


def grid(across: Axis, up: Axis, measured: list[float]) -> list[str]:
    """Lines at the round values of y, and marks at x: where measured, if those are few."""
    parts = []
    for value in up.ticks():
        y = up.at(value)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(text(LEFT - 8, y + 4, label(value), "end"))
    for value in measured if len(measured) <= 8 else across.ticks():
        x = across.at(value)
        parts.append(f'<path d="M{x:.1f} {HEIGHT - BOTTOM}v5" stroke="#222"/>')
        parts.append(text(x, HEIGHT - BOTTOM + 18, label(value), "middle"))
    parts.append(f'<path d="M{LEFT} {HEIGHT - BOTTOM}H{WIDTH - RIGHT}" stroke="#222"/>')
    return parts


def drawn(
    line: list[tuple[float, Spread]],
    colour: str,
    across: Callable[[float], float],
    up: Callable[[float], float],
) -> list[str]:
    """The band of the quartiles, the line of the medians, and a dot at each."""
    there = [(across(x), up(value.low)) for x, value in line]
    back = [(across(x), up(value.high)) for x, value in reversed(line)]
    middle = [(across(x), up(value.median)) for x, value in line]
    return [
        f'<path d="{path(there + back)}Z" fill="{colour}" opacity="0.15"/>',
        f'<path d="{path(middle)}" fill="none" stroke="{colour}" stroke-width="2"/>',
        *(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in middle),
    ]


def path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def legend(number: int, name: str, colour: str) -> list[str]:
    """Below the picture, two in a row."""
    x = LEFT + number % 2 * (WIDTH - LEFT - RIGHT) / 2
    y = HEIGHT - 34 + number // 2 * 17
    return [
        f'<path d="M{x:.1f} {y}h24" stroke="{colour}" stroke-width="3"/>',
        text(x + 32, y + 4, name, "start"),
    ]


def file_name(title: str) -> str:
    """A title as the name of its picture."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") + ".svg"
