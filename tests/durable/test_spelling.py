"""Values as CBOR trees and as JSON: the very bytes come back, and nonsense is refused."""

from __future__ import annotations

import io
import json
import random
from typing import Any

import pytest

import stmpy as stm
from stmpy import _native
from stmpy.durable import cbor
from stmpy.durable.spelling import from_json, key_from_words, to_json
from tests.durable.values import VALUES


@pytest.mark.parametrize("value", [*VALUES, VALUES], ids=lambda value: type(value).__name__)
def test_the_bytes_come_back(value: object) -> None:
    data = _native.encode(value)
    tree = cbor.decode(data)
    assert cbor.encode(tree) == data
    line = to_json(tree)
    assert "\n" not in line
    assert cbor.checked_value(from_json(line)) == data


def test_values_of_classes_that_are_not_here_come_back() -> None:
    data = bytes.fromhex("d81b82") + _native.encode("Point") + _native.encode({"x": 1, "y": [2]})
    tree = cbor.decode(b"\x81" + data)
    with pytest.raises(stm.DecodeError):
        _native.decode(data)
    line = to_json(tree)
    assert line == '[{"$27":["Point",{"x":1,"y":[2]}]}]'
    assert cbor.checked_value(from_json(line)) == b"\x81" + data


@pytest.mark.parametrize(
    ("value", "mutable"),
    [([], True), ({}, True), ({1}, True), (([],), True), ((1,), False), (1 + 2j, False)],
    ids=repr,
)
def test_what_can_be_changed_in_place_is_known(value: object, mutable: bool) -> None:
    assert cbor.can_change(cbor.decode(_native.encode(value))) is mutable


@pytest.mark.parametrize(
    "text",
    [
        *('{"$bytes":"0"}', '{"$bytes":1}', '{"$what":1}', '{"$int":"x"}', '{"$decimal":"x"}'),
        *("", "{", "NaN", '{"$set":[1],"more":2}', '{"$dict":[[1]]}', '{"$dict":7}', "[1,]"),
        *('{"$tuple":1}', '{"$set":[[]]}', '{"$date":"x"}', '{"$27":1}', '{"$99":1}', "[" * 10**5),
        *('{"$dict":[[1,2],[1,3]]}', "[" * 70 + "]" * 70, '{"$18446744073709551616":1}'),
        *('"\\ud800"', '{"$27":["C",{"$set":[[]]}]}', '{"$uuid":"x"}', '{"$0":[]}', '{"$4":[1]}'),
    ],
    ids=lambda text: text[:20],
)
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises((stm.DecodeError, stm.EncodeError)):
        cbor.checked_value(from_json(text))


def test_keys_from_the_command_line() -> None:
    words = {"alice": "alice", "1": 1, '"1"': "1", "null": None, '{"$tuple":[1,"a"]}': (1, "a")}
    for word, key in words.items():
        assert cbor.checked_key(key_from_words(word)) == _native.encode_key(key)
    with pytest.raises((stm.DecodeError, stm.EncodeError)):
        cbor.checked_key(key_from_words("[1]"))


def test_damaged_cbor_raises_one_error(rng: random.Random) -> None:
    data = _native.encode(VALUES)

    def read(damaged: bytes) -> Any:
        try:
            return cbor.encode(cbor.decode(damaged))
        except (stm.DecodeError, stm.EncodeError):
            return None

    refused = 0
    for _ in range(2000):
        damaged = bytearray(data)
        damaged[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        cut = rng.choice((len(data), rng.randrange(len(data))))
        refused += read(bytes(damaged[:cut])) is None
    assert refused > 1000
    with pytest.raises(stm.DecodeError, match="larger than any value"):
        cbor.decode(b"\x5b" + b"\x7f" * 8)
    with pytest.raises(EOFError):
        cbor.read(io.BytesIO().read)
    assert json.loads(to_json([1])) == [1]
