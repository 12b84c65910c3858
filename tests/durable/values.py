"""One value of each kind that a store can hold, for those that carry them elsewhere."""

import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final
from uuid import UUID

VALUES: Final[list[Any]] = [
    *(None, True, False, 0, -1, 1 << 70, -(1 << 70), (1 << 64) - 1, -(1 << 64), 10**5000),
    *(1.5, 1.0, -0.0, math.nan, math.inf, -math.inf),
    *("", "x", "é\u2028\n", "$a", b"", b"\0\xff"),
    *([1, [2]], (1, (2,)), {1, 2, 3}, frozenset("ab"), [{"a": (1, [b"x"])}]),
    *({}, {"b": 1, "a": 2}, {"$a": 1}, {"a": 1, "$b": 2}, {1: 2, (1, 2): 3}),
    *(Decimal("1.50"), Decimal("NaN"), Decimal("-0"), Decimal("1E+400"), Decimal("sNaN12")),
    *(Fraction(1, 3), UUID(int=7), 1 + 2j, timedelta(1, 2, 3)),
    *(date(2026, 1, 2), time(1, 2, 3), time(1, 2, fold=1)),
    *(datetime(2026, 1, 2, 3, 4, 5, 6), datetime(2026, 1, 2, 3, tzinfo=UTC)),
    datetime(2026, 1, 2, fold=1),
]
