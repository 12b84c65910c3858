"""Recording a store for a while: records at an interval, few enough to plot them."""

from collections.abc import Callable
from dataclasses import dataclass

from stmpy.dashboard._source import Source
from stmpy.errors import StmError
from stmpy.statistics import Stats, difference

MOST = 480
"""More records than this are thinned out, and the interval is doubled."""


@dataclass(frozen=True, slots=True)
class Recording:
    """Records of one store in the order of time, two or more. `ended` says what ended it."""

    what: str
    began: str
    records: tuple[Stats, ...]
    ended: str = ""

    @property
    def whole(self) -> Stats:
        """What happened between the first and the last record."""
        return difference(self.records[-1], self.records[0])

    @property
    def steps(self) -> list[tuple[float, Stats]]:
        """What happened between each two records, with the seconds since the first at its end."""
        start = self.records[0].seconds
        pairs = zip(self.records, self.records[1:], strict=False)
        return [(b.seconds - start, difference(b, a)) for a, b in pairs]


def record(
    source: Source,
    wait: Callable[[float], bool],
    interval: float = 0.1,
    most: int = MOST,
) -> tuple[list[Stats], str]:
    """Reads at the interval until `wait`, which waits so many seconds, returns False.

    One more record is read then. Returns the records and, if the store was gone before, what was
    said of that.
    """
    records = [source.read()]
    ended = ""
    go_on = True
    while go_on:
        go_on = wait(interval)
        try:
            stats = source.read()
        except StmError as error:
            ended = str(error)
            break
        if stats.seconds > records[-1].seconds:
            records.append(stats)
        if len(records) > most:
            # The first one stays, since all is counted from it.
            records = [records[0], *records[2::2]]
            interval *= 2
    return records, ended
