"""The records of the last minute: what happens now, since when it is counted, and its course."""

from dataclasses import dataclass, replace
from typing import Self

from stmpy.statistics import Rates, Stats, difference, rates

SHOWN_SECONDS = 60.0
"""How far back the course goes."""

NOW_SECONDS = 3.0
"""What "now" means: long enough that figures can be read before they change."""


@dataclass(frozen=True, slots=True)
class Point:
    """The rates between a record and the one before it; `seconds` is the time of the later."""

    seconds: float
    rates: Rates


@dataclass(frozen=True, slots=True)
class Timeline:
    """Records in the order in which they were read. Their own clock counts, so a pause is no gap.

    `zero` is the record that totals are counted from: none, for all since the store was opened.
    """

    records: tuple[Stats, ...] = ()
    points: tuple[Point, ...] = ()
    zero: Stats | None = None

    def add(self, stats: Stats) -> Self:
        """With one more record. One of the same moment as the last replaces it.

        An earlier one is of another store, opened since: it begins anew.
        """
        records, points = self.records, self.points
        if records and stats.seconds < records[-1].seconds:
            return type(self)((stats,))
        if records and stats.seconds > records[-1].seconds:
            step = difference(stats, records[-1])
            points = (*points, Point(stats.seconds, rates(step)))
        elif records:
            records = records[:-1]
        oldest = stats.seconds - SHOWN_SECONDS
        return replace(
            self,
            records=_enough((*records, stats), stats.seconds - NOW_SECONDS),
            points=tuple(point for point in points if point.seconds > oldest),
        )

    def zeroed(self) -> Self:
        """With totals counted from the last record on."""
        return replace(self, zero=self.latest)

    @property
    def latest(self) -> Stats:
        return self.records[-1]

    @property
    def total(self) -> Stats:
        """What happened since the zero, or since the store was opened."""
        return difference(self.latest, self.zero) if self.zero else self.latest

    @property
    def now(self) -> Stats:
        """What happened in the last seconds; with one record only, since the store was opened."""
        first = self.records[0]
        return difference(self.latest, first) if len(self.records) > 1 else first

    def course(self, name: str, count: int) -> list[float | None]:
        """One of the rates over the last minute in equal steps; None where nothing is known.

        The steps begin at multiples of their length, so that a value keeps its place while the
        picture moves on.
        """
        step = SHOWN_SECONDS / count
        end = int(self.latest.seconds / step) if self.records else 0
        found: dict[int, list[float]] = {}
        for point in self.points:
            # A record stands for the time before it.
            found.setdefault(int((point.seconds - 1e-6) / step), []).append(
                getattr(point.rates, name)
            )
        values: list[float | None] = []
        for at in range(end - count + 1, end + 1):
            here = found.get(at)
            values.append(sum(here) / len(here) if here else None)
        return values


def _enough(records: tuple[Stats, ...], since: float) -> tuple[Stats, ...]:
    """The records after that time, and one from before it to count from."""
    before = [i for i, record in enumerate(records) if record.seconds <= since]
    return records[before[-1] :] if before else records


def filled(values: list[float | None]) -> list[float | None]:
    """Gaps between values closed with the one before: steps shorter than the interval have none."""
    last: float | None = None
    result = []
    for i, value in enumerate(values):
        if value is None and last is not None and any(v is not None for v in values[i:]):
            value = last
        last = value if value is not None else last
        result.append(value)
    return result


def graph(values: list[float | None], height: int = 1, top: float = 0.0) -> list[str]:
    """Columns of block characters, the first line uppermost. `top` is the least full height.

    An eighth at the top stays empty, so that graphs above one another do not touch.
    """
    known = [value for value in values if value is not None]
    full = max([top, *known]) or 1.0
    lines = []
    for level in reversed(range(height)):
        line = ""
        for value in values:
            eighths = 0 if value is None else round(value / full * (height * 8 - 1))
            if value:
                eighths = max(1, eighths)
            line += " ▁▂▃▄▅▆▇█"[max(0, min(8, eighths - 8 * level))]
        lines.append(line)
    return lines
