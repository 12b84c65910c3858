"""Values to bytes and back: nothing is lost, and cbor2 reads and writes the same."""

import datetime as dt
import math
import sys
import zoneinfo
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stmpy._native import decode, encode

from .codec_strategies import (
    MINUTE_ZONES,
    exact,
    hashables,
    integers,
    plain_scalars,
    plain_values,
    values,
)


@given(values)
def test_value_comes_back_exactly(value: Any) -> None:
    assert exact(decode(encode(value))) == exact(value)


@given(values)
def test_same_value_is_same_bytes(value: Any) -> None:
    data = encode(value)
    assert encode(decode(data)) == data


@given(st.lists(hashables, max_size=8), st.randoms())
def test_set_is_written_in_one_order(items: list[Any], random: Any) -> None:
    elements = list(frozenset(items))
    forwards = encode(frozenset(elements))
    random.shuffle(elements)
    assert encode(frozenset(elements)) == forwards


def test_elements_of_a_set_ascend_by_their_bytes() -> None:
    assert encode({"aa", "b", 1000, 10, -1}) == b"\xd9\x01\x02\x85" + b"".join(
        sorted(map(encode, ["aa", "b", 1000, 10, -1]))
    )


def test_dict_keeps_its_order() -> None:
    assert list(decode(encode({"z": 1, "a": 2, 3: 3}))) == ["z", "a", 3]


def test_list_and_tuple_and_sets_stay_apart() -> None:
    for value in ([1], (1,), {1}, frozenset({1}), [(1,), [1]]):
        assert exact(decode(encode(value))) == exact(value)


@pytest.mark.parametrize("digits", [1, 4299, 4300, 4301, 20000])
def test_long_numbers_do_not_meet_the_limit_of_their_text(digits: int) -> None:
    number = 10**digits - 1
    coefficient = (9,) * digits
    for value in (number, -number, Decimal((1, coefficient, -7))):
        assert exact(decode(encode(value))) == exact(value)


def test_limit_of_a_number_text_may_be_lower() -> None:
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(640)
    try:
        value = Decimal((0, (7,) * 4000, 3))
        assert exact(decode(encode(value))) == exact(value)
    finally:
        sys.set_int_max_str_digits(before)


def test_every_length_of_a_character_is_utf8() -> None:
    edges = (0, 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x10FFFF)
    for text in [*map(chr, edges), "".join(map(chr, edges))]:
        assert encode(text).endswith(text.encode())
        assert decode(encode(text)) == text


#### Time zones


def test_zoneinfo_comes_back_as_the_zone() -> None:
    zone = zoneinfo.ZoneInfo("Europe/Paris")
    for fold in (0, 1):
        moment = dt.datetime(2020, 10, 25, 2, 30, tzinfo=zone, fold=fold)
        back = decode(encode(moment))
        assert exact(back) == exact(moment)
        assert back.tzinfo is zone
        assert back + dt.timedelta(days=1) == moment + dt.timedelta(days=1)
    clock = dt.time(2, 30, tzinfo=zone)
    assert decode(encode(clock)).tzinfo is zone


class Odd(dt.tzinfo):
    """A tzinfo that the codec knows nothing about."""

    def utcoffset(self, moment: dt.datetime | None) -> dt.timedelta:
        return dt.timedelta(minutes=17)

    def dst(self, moment: dt.datetime | None) -> None:
        return None

    def tzname(self, moment: dt.datetime | None) -> str:
        return "odd"


def test_other_tzinfo_keeps_the_offset() -> None:
    moment = dt.datetime(2020, 1, 2, tzinfo=Odd())
    back = decode(encode(moment))
    assert back == moment
    assert back.utcoffset() == dt.timedelta(minutes=17)


#### The oracle

OURS: dict[int, Callable[[Any], Any]] = {
    54256: tuple,
    54257: frozenset,
    54258: Decimal,
    54261: lambda parts: dt.timedelta(*parts),
}


def untag(*args: Any) -> Any:
    """The hook for our own tags, in the forms of cbor2 5 and 6."""
    tag = next(arg for arg in args if isinstance(arg, cbor2.CBORTag))
    if tag.tag in OURS:
        return OURS[tag.tag](tag.value)
    parse: Any = {54259: dt.datetime.fromisoformat, 54260: dt.time.fromisoformat}[tag.tag]
    if isinstance(tag.value, str):
        return parse(tag.value)
    text, fold = tag.value
    return parse(text).replace(fold=fold)


def thawed(value: Any) -> Any:
    """The value with one sort of sequence, of mapping and of set.

    Within a tag cbor2 makes all of them immutable, so it can't tell.
    """
    if isinstance(value, list | tuple):
        return [thawed(item) for item in value]
    if isinstance(value, Mapping):
        return [(exact(key), thawed(item)) for key, item in value.items()]
    return exact(frozenset(value) if isinstance(value, set) else value)


@given(values)
def test_cbor2_reads_what_we_write(value: Any) -> None:
    assert thawed(cbor2.loads(encode(value), tag_hook=untag)) == thawed(value)


@given(plain_values)
def test_we_write_what_cbor2_writes(value: Any) -> None:
    assert encode(value) == cbor2.dumps(value)


@given(st.floats() | st.complex_numbers() | st.lists(st.floats() | plain_scalars))
def test_we_write_what_canonical_cbor2_writes(value: Any) -> None:
    assert encode(value) == cbor2.dumps(value, canonical=True)


@given(plain_values, st.booleans())
def test_we_read_what_cbor2_writes(value: Any, canonical: bool) -> None:
    assert decode(cbor2.dumps(value, canonical=canonical)) == value


@given(st.floats(), st.booleans())
def test_we_read_floats_of_cbor2(value: float, canonical: bool) -> None:
    assert exact(decode(cbor2.dumps(value, canonical=canonical))) == exact(value)


@given(st.datetimes(timezones=MINUTE_ZONES), integers)
def test_types_survive_the_way_through_cbor2(moment: dt.datetime, number: int) -> None:
    for value in (moment, number):
        assert exact(decode(cbor2.dumps(cbor2.loads(encode(value))))) == exact(value)


def test_every_half_float_comes_back() -> None:
    for bits in range(65536):
        data = b"\xf9" + bits.to_bytes(2)
        value = decode(data)
        assert encode(value) == (b"\xf9\x7e\x00" if math.isnan(value) else data)
