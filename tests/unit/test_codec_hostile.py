"""Bytes that nobody vouches for: every input ends in a value or DecodeError, soon and small."""

import sys
import tracemalloc
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stmpy import DecodeError
from stmpy._native import decode, decode_key, encode
from tests.unit.codec_samples import RICH

from .codec_strategies import exact, values


def check(data: bytes) -> None:
    """Whatever the bytes are; and what can be read can be written and read again."""
    try:
        value = decode(data)
    except DecodeError as error:
        if isinstance(error.__cause__, SystemError):
            raise  # it is the codec that misused the interpreter
        return
    normal = encode(value)
    assert encode(decode(normal)) == normal


@given(st.binary(max_size=200))
def test_random_bytes(data: bytes) -> None:
    check(data)


def heads() -> st.SearchStrategy[bytes]:
    """Plausible heads of all sorts, with counts and tags that mean something."""
    tags = [0, 2, 3, 4, 27, 30, 37, 258, 1004, 43000, *range(54256, 54262)]
    plain = st.integers(0, 255).map(lambda byte: bytes([byte]))
    tag = st.sampled_from(tags).map(lambda t: bytes([0xDA]) + t.to_bytes(4))
    text = st.sampled_from(["hostile.Point", "hostile.Colour", "RED", "x", "2020-01-02"])
    return plain | tag | text.map(encode) | st.binary(max_size=9)


@settings(max_examples=500)
@given(st.lists(heads(), max_size=30).map(b"".join))
def test_random_heads(data: bytes) -> None:
    check(data)


@settings(max_examples=500)
@given(values | st.just(RICH), st.data())
def test_damaged_values(value: Any, draw: st.DataObject) -> None:
    data = bytearray(encode(value))
    for _ in range(draw.draw(st.integers(1, 4))):
        at = draw.draw(st.integers(0, len(data)))
        length = draw.draw(st.integers(0, 8))
        data[at : at + length] = draw.draw(st.binary(max_size=8))
    check(bytes(data))


def test_every_flipped_bit() -> None:
    data = encode(RICH)
    assert exact(decode(encode(RICH[:-2]))) == exact(RICH[:-2])
    for bit in range(len(data) * 8):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        check(bytes(damaged))


def test_every_truncation_and_any_byte_too_many_is_refused() -> None:
    for value in [RICH, *RICH]:
        data = encode(value)
        for length in range(len(data)):
            with pytest.raises(DecodeError):
                decode(data[:length])
        with pytest.raises(DecodeError, match="the value ends here, but the bytes go on"):
            decode(data + b"\0")


#### Forged lengths and depths


def peak_of(data: bytes) -> int:
    """The most memory in use, in bytes, while the data is refused."""
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError) as caught:
            decode(data)
        assert not isinstance(caught.value.__cause__, SystemError)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


COUNTS = [2**15, 2**31, 2**32, 2**40, 2**61, 2**62, 2**63 - 1, 2**63, 2**64 - 1]


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("major", [2, 3, 4, 5])
@pytest.mark.parametrize("prefix", ["", "d9d3f0", "d90102", "d9d3f1", "c2", "d81b82", "c482"])
def test_forged_length_allocates_nothing(prefix: str, major: int, count: int) -> None:
    data = bytes.fromhex(prefix) + bytes([major << 5 | 27]) + count.to_bytes(8) + bytes(100)
    assert peak_of(data) < 100_000


def test_nested_forged_lengths_share_one_allowance() -> None:
    size = 1 << 20
    for head in (b"\x9a", b"\xd9\xd3\xf0\x9a", b"\xba"):
        claims = head + (size // 3).to_bytes(4)
        assert peak_of(claims * 60 + bytes(size)) < 32 * size


def test_honest_nesting_is_within_the_allowance() -> None:
    value: Any = [0]
    for _ in range(60):
        value = [value, *range(20)]
    assert decode(encode(value)) == value


@pytest.mark.parametrize(
    "unit",
    [
        *("81", "d9d3f081", "d9010281", "d9d3f181", "a100", "c482", "c48200", "d81e82", "d81e8201"),
        *("c2", "c0", "d825", "d9a7f882", "d9d3f583", "d9d3f383", "d81b82", "d9d3f4", "d9d3f2"),
        "d81b826d686f7374696c652e506f696e74a16178",
    ],
)
def test_nothing_nests_without_bound(unit: str) -> None:
    with pytest.raises(DecodeError):
        decode((bytes.fromhex(unit) * 1_000_000)[: 1 << 24])


def test_nesting_too_deep_is_named() -> None:
    assert decode(b"\x81" * 64 + b"\0")
    with pytest.raises(DecodeError, match="offset 65 of 66: nested too deep"):
        decode(b"\x81" * 65 + b"\0")


#### Sets and dicts


@pytest.mark.parametrize(
    ("hexadecimal", "why"),
    [
        ("a18001", "TypeError: .*unhashable type: 'list'"),
        ("a1a001", "TypeError: .*unhashable type: 'dict'"),
        ("d901028180", "TypeError: .*unhashable type: 'list'"),
        ("d9d3f181d9010280", "TypeError: .*unhashable type: 'set'"),
        ("a1d9d3f0818001", "TypeError: .*unhashable type: 'list'"),
        ("a201000100", "equal keys"),
        ("a20100f93c0000", "equal keys"),
        ("a20100f500", "equal keys"),
        ("d90102820101", "equal elements"),
        ("d9d3f18200f4", "equal elements"),
    ],
)
def test_no_dict_or_set_of_these(hexadecimal: str, why: str) -> None:
    with pytest.raises(DecodeError, match=why):
        decode(bytes.fromhex(hexadecimal))


def crowd(count: int) -> Iterator[bytes]:
    """Elements of many types, all of the same hash."""
    for i in range(count):
        yield encode(UUID(int=i * sys.hash_info.modulus))


def test_crowds_of_one_hash_are_refused_before_they_are_built() -> None:
    """Building such a set would take longer than the test may run."""
    count = 200_000
    elements = b"".join(crowd(count))
    entries = b"".join(element + b"\0" for element in crowd(count))
    for head, items in ((b"\xd9\x01\x02\x9a", elements), (b"\xba", entries)):
        with pytest.raises(DecodeError, match="more than 1024 elements share one hash"):
            decode(head + count.to_bytes(4) + items)


#### Contents


@pytest.mark.parametrize(
    ("hexadecimal", "why"),
    [
        ("61ff", "UnicodeDecodeError"),
        ("63eda080", "UnicodeDecodeError"),
        ("c06161", "ValueError"),
        ("c001", "something else where a text belongs"),
        ("d903ec6a323032302d31332d3031", "ValueError"),
        ("d9d3f48101", "a time of 1 parts"),
        ("d9d3f4826530313a303007", "ValueError"),
        ("d9d3f48365" + b"01:00".hex() + "0065" + b"Not/A".hex(), "ZoneInfoNotFoundError"),
        ("d9d3f48365" + b"01:00".hex() + "0067" + b"../../x".hex(), "ValueError"),
        ("d9d3f5830000", "the bytes end"),
        ("d9d3f5831b7fffffffffffffff0000", "OverflowError"),
        ("d9d3f583f90000" + "0000", "something else where an integer belongs"),
        ("d82541ff", "ValueError"),
        ("d81e820100", "ZeroDivisionError"),
        ("d81e8301" + "0203", "a fraction of 3 parts"),
        ("d81e82f93c0001", "something else where an integer belongs"),
        ("c482f6" + "01", "something else where an integer belongs"),
        ("c482c25820" + "ff" * 32 + "01", "part of a number takes more than 8 bytes"),
        ("c48200c2590800" + "ff" * 2048, "part of a number takes more than"),
        ("d9d3f261" + "78", "InvalidOperation"),
        ("d9a7f8820102", "something else where a float belongs"),
        ("d9a7f882f4f90000", "a simple value where a float belongs"),
        ("d9d3f000", "something else where the array of a tuple belongs"),
    ],
)
def test_contents_are_checked(hexadecimal: str, why: str) -> None:
    with pytest.raises(DecodeError, match=why):
        decode(bytes.fromhex(hexadecimal))


def test_cause_is_kept() -> None:
    with pytest.raises(DecodeError) as caught:
        decode(b"\x61\xff")
    assert isinstance(caught.value.__cause__, UnicodeDecodeError)
    assert isinstance(caught.value, ValueError)


def test_message_is_said_once() -> None:
    for read in (decode, decode_key):
        with pytest.raises(DecodeError, match="offset 2 of 4: tag 1 means nothing") as caught:
            read(b"\x82\xc1\x00\x00")
        assert str(caught.value).count("cannot decode") == 1
        assert caught.value.__cause__ is None


@pytest.mark.parametrize("data", ["text", 1, None])
def test_only_bytes_are_decoded(data: Any) -> None:
    with pytest.raises(TypeError):
        decode(data)


def test_any_buffer_is_decoded() -> None:
    assert decode(bytearray(b"\x01")) == decode(memoryview(b"\x01")) == 1
