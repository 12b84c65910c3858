"""Plots as SVG text: lines over time, and a heat map. Colours are classes of the page."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 720, 190
LEFT, RIGHT, TOP, BOTTOM = 58, 24, 12, 26

type Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Series:
    """A line: its name, its class, and seconds with values."""

    name: str
    tone: str
    points: Points


@dataclass(frozen=True, slots=True)
class Scale:
    """From a value to a place. A logarithmic one begins at `low`, which is above 0."""

    low: float
    high: float
    begin: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        if self.log:
            value = max(value, self.low)
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.begin + share * (self.end - self.begin)


def steps(high: float, most: int = 4) -> list[float]:
    """Round values from 0 to the first at or above `high`: 0, 5, 10, 15."""
    if high <= 0:
        return [0.0, 1.0]
    rough = high / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * n for n in (1, 2, 2.5, 5, 10) if power * n >= rough * 0.999999)
    return [i * step for i in range(math.ceil(high / step - 1e-9) + 1)]


def binary_steps(high: float) -> list[float]:
    """Round numbers of bytes, KiB, MiB or GiB."""
    unit = 1024.0 ** min(3, max(0, math.floor(math.log(max(high, 1), 1024))))
    return [mark * unit for mark in steps(high / unit)]


def decades(low: float, high: float) -> list[float]:
    """Powers of ten from at or below `low` to at or above `high`, at least two."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return [10.0**n for n in range(first, max(last, first + 1) + 1)]


def line_chart(
    title: str, series: Sequence[Series], say: Callable[[float], str], kind: str = "plain"
) -> str:
    """Lines over seconds; the first has its area filled. What is at a place shows on pointing.

    `kind` is that of the axis: plain, log or binary.
    """
    values = [value for one in series for _, value in one.points if value > 0]
    log = kind == "log"
    if log:
        marks = decades(min(values, default=1.0), max(values, default=10.0))
    else:
        marks = (binary_steps if kind == "binary" else steps)(max(values, default=0.0))
    seconds = max((at for one in series for at, _ in one.points), default=1.0)
    x = Scale(0.0, seconds or 1.0, LEFT, WIDTH - RIGHT)
    y = Scale(marks[0], marks[-1], HEIGHT - BOTTOM, TOP, log)
    parts = [_grid(marks, say, x, y, seconds)]
    for i, one in enumerate(series):
        points = [(x.at(at), y.at(value)) for at, value in one.points if value > 0 or not log]
        parts.append(_line(points, one.tone, filled=i == 0 and not log))
    parts.append(_pointing(series, say, x))
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        + "".join(parts)
        + "</svg>"
    )


def _grid(
    marks: Sequence[float], say: Callable[[float], str], x: Scale, y: Scale, seconds: float
) -> str:
    parts = []
    for mark in marks:
        at = y.at(mark)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}"')
        parts.append(f' y2="{at:.1f}"/><text class="axis end" x="{LEFT - 8}" y="{at + 4:.1f}">')
        parts.append(f"{escape(re.sub(r'\.0+(?=\D|$)', '', say(mark)))}</text>")
    for mark in steps(seconds, 6):
        if mark <= seconds:
            parts.append(f'<text class="axis middle" x="{x.at(mark):.1f}" y="{HEIGHT - 6}">')
            parts.append(f"{mark:g} s</text>")
    return "".join(parts)


def _line(points: Points, tone: str, *, filled: bool) -> str:
    if not points:
        return ""
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    area = ""
    if filled:
        floor = HEIGHT - BOTTOM
        area = f'<path class="area {tone}" d="{path}L{points[-1][0]:.1f} {floor}'
        area += f'L{points[0][0]:.1f} {floor}Z"/>'
    dot = ""
    if len(points) == 1:
        dot = f'<circle class="dot {tone}" cx="{points[0][0]:.1f}" cy="{points[0][1]:.1f}" r="3"/>'
    return f'{area}<path class="line {tone}" d="{path}"/>{dot}'


def _pointing(series: Sequence[Series], say: Callable[[float], str], x: Scale) -> str:
    """Invisible bands, one for each moment, with the values as a tip."""
    if not series or not series[0].points:
        return ""
    moments = [at for at, _ in series[0].points]
    parts, before = [], 0.0
    for i, at in enumerate(moments):
        tip = ", ".join(f"{one.name} {say(one.points[i][1])}" for one in series)
        left, width = x.at(before), x.at(at) - x.at(before)
        parts.append(
            f'<rect class="band" x="{left:.1f}" width="{width:.1f}" y="{TOP}"'
            f' height="{HEIGHT - TOP - BOTTOM}"><title>{at:.1f} s: {escape(tip)}</title></rect>'
        )
        before = at
    return "".join(parts)


@dataclass(frozen=True, slots=True)
class Heat:
    """A table of counts: rows are keys, columns are blocks."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


def heat_table(heat: Heat, say: Callable[[float], str]) -> str:
    """The heat map as a table: the more, the stronger the colour; the number is there as well."""
    most = max((count for row in heat.counts for count in row), default=0) or 1
    head = "".join(f"<th scope=col>{name(column)}</th>" for column in heat.columns)
    parts = [f'<table class="heat"><tr><td></td>{head}</tr>']
    for key, counts in zip(heat.rows, heat.counts, strict=True):
        parts.append(f"<tr><th scope=row>{name(key)}</th>")
        for column, count in zip(heat.columns, counts, strict=True):
            share = round(100 * math.sqrt(count / most))
            tip = escape(f"{column} lost {count:,} times over {key}")
            shade = f' style="--heat:{share}%"' if count else ""
            parts.append(f'<td{shade} title="{tip}">{say(count) if count else ""}</td>')
        parts.append("</tr>")
    return "".join(parts) + "</table>"


def name(text: str) -> str:
    """A name as the page shows it: no markup, and no reach beyond its place if it turns round."""
    return f"<bdi>{escape(text)}</bdi>"
