"""What can't be stored: the error names the path, and nothing odd in a value breaks the encoder."""

import collections
import datetime as dt
import socket
import sys
import types
import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from stmpy import DecodeError, EncodeError
from stmpy._native import decode, encode, register

MIB = 1 << 20


@dataclass
class Node:
    name: object


register(Node, "refusals.Node")


class Pair(NamedTuple):
    x: int
    y: int


class Whole(int):
    pass


BAD = object()


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (BAD, "value"),
        ([1, BAD], "value[1]"),
        ((1, (BAD,)), "value[1][0]"),
        ({"users": [0, 0, 0, Node(BAD)]}, "value['users'][3].name"),
        ({7: {None: BAD}}, "value[7][None]"),
        ({b"k": {1.5: {True: BAD}}}, "value[b'k'][1.5][True]"),
        ({(1, 2): BAD}, "value[<tuple 0>]"),
        ({1: 2, "a": 3, BAD: 4}, "value.keys()[2]"),
        ({"s": {BAD}}, "value['s']{...}"),
        ([frozenset({(BAD,)})], "value[0]{...}[0]"),
        ({10**5000: BAD}, "value[<int 0>]"),
        ({"x" * 1000: BAD}, f"value['{'x' * 79}]"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_path_leads_to_the_part(value: Any, path: str) -> None:
    with pytest.raises(EncodeError) as caught:
        encode(value)
    assert str(caught.value).startswith(f"{path}: cannot store a 'object' object; store the data")


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        (bytearray(b"x"), r"'bytearray' object; convert it with bytes\(...\)"),
        (memoryview(b"x"), r"'memoryview' object; convert it with bytes\(...\)"),
        (collections.OrderedDict(a=1), r"'collections.OrderedDict' .*plain 'dict'; .*dict\(...\)"),
        (collections.defaultdict(int), r"'collections.defaultdict' .* dict\(...\)"),
        (Pair(1, 2), r"Pair' .*plain 'tuple'; .*tuple\(...\)"),
        (Whole(1), r"Whole' .*plain 'int'; .*int\(...\)"),
        (types.SimpleNamespace(), "make its class a dataclass and register it"),
        (int, "'type' object"),
        (len, "'builtin_function_or_method' object"),
        (Path(), "store the data that it can be made from"),
    ],
)
def test_message_says_what_to_do(value: Any, advice: str) -> None:
    with pytest.raises(EncodeError, match=r"^value: cannot store a .*" + advice) as caught:
        encode(value)
    assert isinstance(caught.value, TypeError)


def test_open_resources_are_refused() -> None:
    with socket.socket() as sock, pytest.raises(EncodeError, match=r"value\[0\].*'socket.socket'"):
        encode([sock])


def test_surrogate_is_named_with_its_place() -> None:
    with pytest.raises(EncodeError, match=r"value\['k'\]: the surrogate U\+DC80 at position 2"):
        encode({"k": "aä\udc80"})


def test_zone_without_a_key_is_refused() -> None:
    zones = [Path(place) / "UTC" for place in zoneinfo.TZPATH]
    with next(path for path in zones if path.exists()).open("rb") as file:
        zone = zoneinfo.ZoneInfo.from_file(file)
    with pytest.raises(EncodeError, match=r"value\[0\]: its ZoneInfo has no key"):
        encode([dt.datetime(2020, 1, 1, tzinfo=zone)])


@pytest.mark.parametrize("offset", [1, -1, 3_600_000_001, -86_399_999_999])
def test_offset_with_a_fraction_of_a_second_is_refused(offset: int) -> None:
    zone = dt.timezone(dt.timedelta(microseconds=offset))
    for value in (dt.datetime(2020, 1, 1, tzinfo=zone), dt.time(1, 2, 3, 4, tzinfo=zone)):
        with pytest.raises(EncodeError, match=r"value\[0\]: its offset from UTC has a fraction"):
            encode([value])


#### Limits


def nested(wrap: Callable[[Any], Any], depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = wrap(value)
    return value


WRAPPERS: list[Callable[[Any], Any]] = [
    lambda inner: [inner],
    lambda inner: (inner,),
    lambda inner: {"k": inner},
    lambda inner: frozenset({inner}),
    Node,
]


@pytest.mark.parametrize("wrap", WRAPPERS, ids=["list", "tuple", "dict", "frozenset", "dataclass"])
def test_containers_nest_64_deep(wrap: Callable[[Any], Any]) -> None:
    deepest = nested(wrap, 64)
    assert decode(encode(deepest)) == deepest
    with pytest.raises(EncodeError, match="nested deeper than 64 containers"):
        encode(nested(wrap, 65))


def test_value_that_contains_itself_ends_in_the_depth_error() -> None:
    loop: list[Any] = []
    loop.append({"again": loop})
    with pytest.raises(EncodeError, match=r"value\[0\]\['again'\]\[0\].*does it contain itself"):
        encode(loop)


def test_value_takes_16_mib_at_most() -> None:
    assert len(encode(b"x" * (16 * MIB - 5))) == 16 * MIB
    for value in (
        b"x" * (16 * MIB - 4),
        "x" * (16 * MIB),
        "ä" * (8 * MIB),
        [b"x" * MIB] * 16,
        1 << (16 * MIB * 8),
        {str(i): "x" * MIB for i in range(16)},
    ):
        with pytest.raises(EncodeError, match=r"^value: takes more than 16777216 bytes; store its"):
            encode(value)


def test_more_than_16_mib_are_not_read() -> None:
    data = encode(b"x" * (16 * MIB - 5))
    assert decode(data) == b"x" * (16 * MIB - 5)
    with pytest.raises(DecodeError, match="longer than a value can be"):
        decode(data + b"x")


def test_parts_of_a_fraction_take_64_kib_at_most() -> None:
    fits = Fraction(1 << 64 * 1024 * 7, 3)
    assert decode(encode(fits)) == fits
    with pytest.raises(EncodeError, match="the denominator of a Fraction takes more than"):
        encode([Fraction(1, 1 << 64 * 1024 * 8)])


def colliding(count: int) -> list[int]:
    return [i * sys.hash_info.modulus << 64 for i in range(1, count + 1)]


def test_crowds_of_one_hash_are_refused() -> None:
    assert {hash(number) for number in colliding(3)} == {0}
    for collect in (set, frozenset, dict.fromkeys):
        fits = collect(colliding(1024))
        assert decode(encode(fits)) == fits
        with pytest.raises(EncodeError, match=r"^value\[0\]: more than 1024 elements share one"):
            encode([collect(colliding(1025))])


#### Containers that change while they are encoded


@pytest.mark.parametrize(
    ("outer", "act"),
    [
        ([], lambda outer: outer.append(1)),
        ([], lambda outer: outer.clear()),
        ({}, lambda outer: outer.update(new=1)),
        ({}, lambda outer: outer.clear()),
    ],
    ids=["list grows", "list shrinks", "dict grows", "dict shrinks"],
)
def test_container_that_changes_its_size_is_an_error(outer: Any, act: Callable[[Any], Any]) -> None:
    @dataclass
    class Meddler:
        x: int

        def __getattribute__(self, name: str) -> Any:
            act(outer)
            return 1

    register(Meddler, f"meddler {id(Meddler)}")
    parts = [1, object.__new__(Meddler), 3]
    outer.extend(parts) if isinstance(outer, list) else outer.update(enumerate(parts))
    with pytest.raises(EncodeError, match=r"^value: changed its size while it was being stored"):
        encode(outer)


def test_dict_whose_keys_are_replaced_meanwhile_does_not_crash() -> None:
    outer: dict[Any, Any] = {}

    @dataclass
    class Swapper:
        x: int

        def __getattribute__(self, name: str) -> Any:
            items = list(outer.values())
            outer.clear()
            outer.update((object(), item) for item in items)
            return 1

    register(Swapper, "swapper")
    outer.update((i, object.__new__(Swapper)) for i in range(20))
    with pytest.raises(EncodeError):
        encode(outer)


def test_set_that_changes_meanwhile_is_written_as_it_was() -> None:
    outer: set[Any] = set()

    @dataclass(frozen=True)
    class Emptier:
        x: int

        def __getattribute__(self, name: str) -> Any:
            if name == "x":
                outer.clear()
                return 1
            return object.__getattribute__(self, name)

        def __hash__(self) -> int:
            return 1

    register(Emptier, "emptier")
    outer |= {1000, Emptier(1)}
    assert decode(encode(outer)) == {1000, Emptier(1)}
    assert outer == set()
