"""One of everything that can be a value, an enum and a dataclass among them."""

import datetime as dt
import enum
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

from stmpy._native import register


class Colour(enum.Enum):
    RED = 1


@dataclass(frozen=True)
class Point:
    x: object = 0
    y: object = 0


register(Colour, "hostile.Colour")
register(Point, "hostile.Point")

# One of everything, so that its bytes have every sort of head in them.
RICH: list[Any] = [
    *(None, True, 1, 1000, -(2**40), 2**70, -(2**70), 1.5, 1.1, float("inf")),
    *("text", "ü" * 30, b"bytes", (), (1, (2,)), {"k": [1, {}]}, {1, "a"}, frozenset({(1,)})),
    *(1j, Decimal("1.5"), Decimal("NaN"), Fraction(1, 3), UUID(int=7)),
    *(dt.datetime(2020, 1, 2), dt.datetime(2020, 1, 2, tzinfo=dt.UTC), dt.date(2020, 1, 2)),
    *(dt.time(1, fold=1), dt.timedelta(1, 2, 3), Colour.RED, Point(1, {Point(): Colour.RED})),
]
