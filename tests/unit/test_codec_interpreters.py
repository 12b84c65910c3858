"""One interpreter reads what another wrote, each with its own classes."""

import datetime as dt
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

from stmpy._native import encode

PROGRAM = """
    from dataclasses import dataclass
    from stmpy._native import decode, encode, register

    @dataclass(frozen=True)
    class Pair:
        left: object
        right: object

    register(Pair, "interpreters.Pair")
    for _ in range(200):
        value = decode(data)
        assert encode(value) == data
        assert decode(encode(Pair(me, value))) == Pair(me, value)
"""

VALUE: list[Any] = [
    *(1, 2**70, 1.5, "text", b"bytes", (1, (2,)), {"k": {1}}, frozenset({"a"})),
    *(dt.datetime(2020, 1, 2, tzinfo=dt.UTC), dt.date(2020, 1, 2), dt.time(1), dt.timedelta(1)),
    *(Decimal("1.5"), Fraction(1, 3), UUID(int=7)),
]


def test_interpreters_at_once_read_and_write_the_same(interpreters: Any) -> None:
    interpreters.run_each(PROGRAM, count=3, data=encode(VALUE))


def test_class_registered_in_one_interpreter_is_unknown_in_another(interpreters: Any) -> None:
    first, second = interpreters.create(), interpreters.create()
    interpreters.run(first, PROGRAM, data=encode([1]), me=1)
    interpreters.run(
        second,
        """
        from stmpy import DecodeError
        from stmpy._native import decode

        try:
            decode(b"\\xd8\\x1b\\x82\\x71interpreters.Pair\\xa2\\x64left\\x01\\x65right\\x02")
        except DecodeError as error:
            assert "no class is registered as 'interpreters.Pair' in this interpreter" in str(error)
        else:
            raise AssertionError("read")
        """,
    )
