"""The examples of RFC 8949, appendix A, and the table of tags, byte by byte."""

import datetime as dt
import math
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

import cbor2
import pytest

from stmpy import DecodeError
from stmpy._native import decode, encode

from .codec_strategies import exact

# Written exactly so, and read.
PREFERRED: list[tuple[Any, str]] = [
    (0, "00"),
    (1, "01"),
    (10, "0a"),
    (23, "17"),
    (24, "1818"),
    (25, "1819"),
    (100, "1864"),
    (1000, "1903e8"),
    (1000000, "1a000f4240"),
    (1000000000000, "1b000000e8d4a51000"),
    (18446744073709551615, "1bffffffffffffffff"),
    (18446744073709551616, "c249010000000000000000"),
    (-18446744073709551616, "3bffffffffffffffff"),
    (-18446744073709551617, "c349010000000000000000"),
    (-1, "20"),
    (-10, "29"),
    (-100, "3863"),
    (-1000, "3903e7"),
    (0.0, "f90000"),
    (-0.0, "f98000"),
    (1.0, "f93c00"),
    (1.1, "fb3ff199999999999a"),
    (1.5, "f93e00"),
    (65504.0, "f97bff"),
    (100000.0, "fa47c35000"),
    (3.4028234663852886e38, "fa7f7fffff"),
    (1.0e300, "fb7e37e43c8800759c"),
    (5.960464477539063e-8, "f90001"),
    (0.00006103515625, "f90400"),
    (-4.0, "f9c400"),
    (-4.1, "fbc010666666666666"),
    (math.inf, "f97c00"),
    (math.nan, "f97e00"),
    (-math.inf, "f9fc00"),
    (False, "f4"),
    (True, "f5"),
    (None, "f6"),
    (b"", "40"),
    (b"\x01\x02\x03\x04", "4401020304"),
    ("", "60"),
    ("a", "6161"),
    ("IETF", "6449455446"),
    ('"\\', "62225c"),
    ("\u00fc", "62c3bc"),
    ("\u6c34", "63e6b0b4"),
    ("\U00010151", "64f0908591"),
    ([], "80"),
    ([1, 2, 3], "83010203"),
    ([1, [2, 3], [4, 5]], "8301820203820405"),
    (list(range(1, 26)), "98190102030405060708090a0b0c0d0e0f101112131415161718181819"),
    ({}, "a0"),
    ({1: 2, 3: 4}, "a201020304"),
    ({"a": 1, "b": [2, 3]}, "a26161016162820203"),
    (["a", {"b": "c"}], "826161a161626163"),
    (
        {"a": "A", "b": "B", "c": "C", "d": "D", "e": "E"},
        "a56161614161626142616361436164614461656145",
    ),
]

# Our own choices: what the table in codec.h says.
TAGGED: list[tuple[Any, str]] = [
    ((), "d9d3f080"),
    ((1, (2,)), "d9d3f08201d9d3f08102"),
    ({1, 2}, "d90102820102"),
    ({"b", 300, "a", -1, False}, "d901028519012c2061616162f4"),
    (frozenset({2, 1}), "d9d3f1820102"),
    (1.5 - 2j, "d9a7f882f93e00f9c000"),
    (Decimal("273.15"), "c48221196ab3"),
    (Decimal("-1E+3"), "c4820320"),
    (Decimal("0"), "c4820000"),
    (Decimal("-0.0"), "d9d3f2642d302e30"),
    (Decimal("NaN"), "d9d3f2634e614e"),
    (Decimal("-sNaN7"), "d9d3f2662d734e614e37"),
    (Decimal("-Infinity"), "d9d3f2692d496e66696e697479"),
    (Fraction(-1, 3), "d81e822003"),
    (UUID(int=1), "d8255000000000000000000000000000000001"),
    (dt.date(2013, 3, 21), "d903ec6a323031332d30332d3231"),
    (
        dt.datetime(2013, 3, 21, 20, 4, tzinfo=dt.UTC),
        "c074323031332d30332d32315432303a30343a30305a",
    ),
    (
        dt.datetime(2013, 3, 21, 20, 4, tzinfo=dt.timezone(-dt.timedelta(hours=1))),
        "c07819323031332d30332d32315432303a30343a30302d30313a3030",
    ),
    (dt.datetime(2013, 3, 21, 20, 4), "d9d3f373323031332d30332d32315432303a30343a3030"),
    (
        dt.datetime(2013, 3, 21, 20, 4, fold=1),
        "d9d3f38273323031332d30332d32315432303a30343a303001",
    ),
    (dt.time(20, 4), "d9d3f46832303a30343a3030"),
    (dt.time(20, 4, fold=1), "d9d3f4826832303a30343a303001"),
    (dt.timedelta(-1, 2, 3), "d9d3f583200203"),
]

# Longer than need be: read, never written.
READ_ONLY: list[tuple[Any, str]] = [
    (1, "1801"),
    (1, "1b0000000000000001"),
    (-1, "3900" + "00"),
    ("a", "7a0000000161"),
    ([1], "9b000000000000000101"),
    (math.inf, "fa7f800000"),
    (math.nan, "fa7fc00000"),
    (-math.inf, "faff800000"),
    (math.inf, "fb7ff0000000000000"),
    (math.nan, "fb7ff8000000000000"),
    (-math.inf, "fbfff0000000000000"),
    (1.5, "fb3ff8000000000000"),
    (1, "c24101"),
    (0, "c240"),
    (-1, "c34100"),
    (2**64, "c2490100000000" + "00000000"),
    (Decimal("273.15"), "c4822119" + "6ab3"),
    (Decimal(3), "c48200c24103"),
    ({1, 2}, "d90102820201"),
]

# Of the RFC's examples, those that no value of ours is written as.
REFUSED = [
    ("f7", "simple value 23"),
    ("f0", "simple value 16"),
    ("f818", "a reserved head"),
    ("f8ff", "simple value 255"),
    ("c11a514b67b0", "tag 1 "),
    ("d74401020304", "tag 23 "),
    ("d818456449455446", "tag 24 "),
    ("d82076687474703a2f2f7777772e6578616d706c652e636f6d", "tag 32 "),
    ("5f42010243030405ff", "indefinite"),
    ("7f657374726561646d696e67ff", "indefinite"),
    ("9fff", "indefinite"),
    ("9f018202039f0405ffff", "indefinite"),
    ("83018202039f0405ff", "indefinite"),
    ("bf61610161629f0203ffff", "indefinite"),
    ("826161bf61626163ff", "indefinite"),
    ("ff", "indefinite"),
    ("1c", "a reserved head"),
    ("3d", "a reserved head"),
    ("fe", "a reserved head"),
]


@pytest.mark.parametrize(("value", "hexadecimal"), PREFERRED + TAGGED)
def test_value_is_written_as(value: Any, hexadecimal: str) -> None:
    assert encode(value).hex() == hexadecimal


@pytest.mark.parametrize(("value", "hexadecimal"), PREFERRED + TAGGED + READ_ONLY)
def test_bytes_are_read_as(value: Any, hexadecimal: str) -> None:
    assert exact(decode(bytes.fromhex(hexadecimal))) == exact(value)


@pytest.mark.parametrize(("value", "hexadecimal"), PREFERRED)
def test_the_oracle_agrees_with_the_examples(value: Any, hexadecimal: str) -> None:
    assert exact(cbor2.loads(bytes.fromhex(hexadecimal))) == exact(value)


@pytest.mark.parametrize(("hexadecimal", "why"), REFUSED)
def test_bytes_are_refused(hexadecimal: str, why: str) -> None:
    with pytest.raises(DecodeError, match=why):
        decode(bytes.fromhex(hexadecimal))
