"""Keys: equal keys are equal bytes, and nothing else is."""

import enum
import math
from collections import namedtuple
from collections.abc import Hashable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stmpy import DecodeError, EncodeError
from stmpy._native import decode_key, encode, encode_key

numbers = (
    st.integers()
    | st.booleans()
    | st.floats(allow_nan=False)
    | st.integers(-9, 9).map(float)
    | st.integers(-(2**70), 2**70)
    | st.integers(50, 70).map(lambda bits: 2.0**bits)
)
keys: st.SearchStrategy[Hashable] = st.recursive(
    st.none() | numbers | st.text(max_size=20) | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=3).map(tuple),
    max_leaves=4,
)


def twins(key: Any) -> Any:
    """Other keys that equal this one."""
    if isinstance(key, tuple):
        return tuple(twins(part) for part in key)
    if isinstance(key, int) and abs(key) <= 2**53:
        return float(key)
    return int(key) if isinstance(key, float) and key.is_integer() else key


@given(keys, keys)
def test_bytes_are_equal_when_keys_are(left: Any, right: Any) -> None:
    assert (encode_key(left) == encode_key(right)) == (left == right)


@given(keys)
def test_twins_have_the_same_bytes(key: Any) -> None:
    twin = twins(key)
    assert twin == key
    assert encode_key(twin) == encode_key(key)


@given(keys)
def test_key_comes_back_equal(key: Any) -> None:
    back = decode_key(encode_key(key))
    assert back == key
    assert encode_key(back) == encode_key(key)


@pytest.mark.parametrize(
    ("same", "expected"),
    [
        ([1, 1.0, True], 1),
        ([0, 0.0, -0.0, False], 0),
        ([int(1e300), 1e300], int(1e300)),
        ([-(2**63), -(2.0**63)], -(2**63)),
        ([2**63, 2.0**63], 2**63),
        ([(1, (2,)), (True, (2.0,))], (1, (2,))),
    ],
)
def test_equal_numbers_are_one_key(same: list[Any], expected: Any) -> None:
    assert {encode_key(key) for key in same} == {encode(expected)}
    assert repr(decode_key(encode_key(same[-1]))) == repr(expected)


def test_what_differs_in_a_dict_differs_here() -> None:
    different = ["1", b"1", 1, 1.5, None, (), (1,), ((1,),), math.inf, -math.inf, "", b""]
    assert len({encode_key(key) for key in different}) == len(different)


class Number(enum.IntEnum):
    ONE = 1


class Word(enum.StrEnum):
    ONE = "one"


class Text(str):
    pass


Pair = namedtuple("Pair", "x y")


@pytest.mark.parametrize(
    ("key", "plain"),
    [(Number.ONE, 1), (Word.ONE, "one"), (Text("t"), "t"), (Pair(1, "y"), (1, "y"))],
)
def test_subclass_that_compares_as_its_base_is_the_same_key(key: Any, plain: Any) -> None:
    assert key in {plain}
    assert encode_key(key) == encode_key(plain)


class Caseless(str):
    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and self.lower() == other.lower()

    __hash__ = str.__hash__


class Elsewhere(str):
    def __hash__(self) -> int:
        return 7


class Plain(enum.Enum):
    ONE = 1


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ([], r"^key: a 'list' object can't be a key"),
        ({}, r"^key: a 'dict' object"),
        ((1, [2]), r"^key\[1\]: a 'list' object"),
        (frozenset(), r"^key: a 'frozenset' object"),
        (object(), r"^key: a 'object' object"),
        (1j, r"^key: a 'complex' object"),
        (bytearray(b"x"), r"^key: a 'bytearray' object"),
        (Plain.ONE, r"^key: a '.*Plain' object"),
        (Caseless("A"), r"^key: a '.*Caseless' object"),
        (Elsewhere("A"), r"^key: a '.*Elsewhere' object"),
        (math.nan, r"^key: NaN"),
        (("a", (-math.nan,)), r"^key\[1\]\[0\]: NaN"),
        ("\ud800", r"^key: the surrogate U\+D800 at position 0"),
    ],
)
def test_no_key(key: Any, why: str) -> None:
    with pytest.raises(EncodeError, match=why) as caught:
        encode_key(key)
    assert isinstance(caught.value, TypeError)


@pytest.mark.parametrize(
    ("fits", "too_long"),
    [
        ("x" * 477, "x" * 478),
        ("ä" * 238, "ä" * 239),
        (b"x" * 477, b"x" * 478),
        (2 ** (476 * 8) - 1, 2 ** (476 * 8)),
        (("x" * 473,), ("x" * 474,)),
        (("x" * 235, "y" * 237), ("x" * 236, "y" * 237)),
    ],
    ids=["str", "not ASCII", "bytes", "int", "tuple", "tuple of two"],
)
def test_key_takes_480_bytes_at_most(fits: Any, too_long: Any) -> None:
    assert len(encode_key(fits)) in (479, 480)
    assert decode_key(encode_key(fits)) == fits
    with pytest.raises(EncodeError, match=r"^key: takes more than 480 bytes"):
        encode_key(too_long)


def test_key_far_too_long_is_refused_too() -> None:
    for key in ("x" * 20_000_000, "ä" * 20_000_000, b"x" * 20_000_000, (1,) * 20_000_000):
        with pytest.raises(EncodeError, match=r"^key: takes more than 480 bytes"):
            encode_key(key)


def test_tuples_nest_64_deep() -> None:
    key: Any = 7
    for _ in range(64):
        key = (key,)
    assert decode_key(encode_key(key)) == key
    with pytest.raises(EncodeError, match="nested deeper than 64"):
        encode_key((key,))


@pytest.mark.parametrize(
    "value", [True, 1.0, -0.0, 1e300, math.nan, [1], {1: 2}, (1, 2.0), frozenset()]
)
def test_bytes_of_a_value_that_is_no_key_are_refused(value: Any) -> None:
    with pytest.raises(DecodeError):
        decode_key(encode(value))


@pytest.mark.parametrize("hexadecimal", ["1801", "c24101", "7801" + "61", "fb3ff8000000000000"])
def test_other_forms_of_a_key_are_refused(hexadecimal: str) -> None:
    with pytest.raises(DecodeError, match="one form"):
        decode_key(bytes.fromhex(hexadecimal))


def test_bytes_too_long_for_a_key_are_refused() -> None:
    with pytest.raises(DecodeError, match="longer than a key"):
        decode_key(encode("x" * 478))


@given(st.binary(max_size=40))
def test_any_bytes_are_a_key_or_refused(data: bytes) -> None:
    try:
        key = decode_key(data)
    except DecodeError:
        return
    assert encode_key(key) == data
