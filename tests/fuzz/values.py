"""Bytes as an encoded value: read, or refused with a `DecodeError`; and cbor2 reads the same.

What was read is written, and written again from what that reads as: the same bytes. Where it holds
nothing but what a standard gives a meaning to, cbor2 is the oracle: it reads the input and what we
wrote as the same value, writes that as the same bytes, and we read what its canonical mode writes.
"""

from __future__ import annotations

from typing import Any, Final

import cbor2

from stmpy import DecodeError
from stmpy._native import decode, encode
from tests.unit.codec_samples import RICH
from tests.unit.codec_strategies import exact

_PLAIN: Final = (type(None), bool, int, float, str, bytes)


def seeds() -> list[bytes]:
    """Inputs to start from: one of every sort of head."""
    values = [*RICH, [1, [2.5]]]
    return [encode(value) for value in values] + [encode(values)]


def check(data: bytes) -> None:
    try:
        value = decode(data)
    except DecodeError as error:
        if isinstance(error.__cause__, SystemError):
            raise  # it is the codec that misused the interpreter
        return
    written = encode(value)
    again = decode(written)
    assert exact_or_repr(again) == exact_or_repr(value)
    assert encode(again) == written
    if is_plain(value):
        compare(data, value, written)


def exact_or_repr(value: Any) -> object:
    """What tells it from other values; of objects of classes, what they show."""
    try:
        return exact(value)
    except AssertionError:
        return repr(value)


def is_plain(value: Any) -> bool:
    """Whether cbor2 and we must agree on it, without tags that one of us does not know."""
    if isinstance(value, list):
        return all(is_plain(item) for item in value)
    if isinstance(value, dict):
        return all(type(key) in _PLAIN and is_plain(item) for key, item in value.items())
    return type(value) in _PLAIN


def compare(data: bytes, value: Any, written: bytes) -> None:
    wanted = exact(value)
    assert exact(cbor2.loads(data)) == wanted
    assert exact(cbor2.loads(written)) == wanted
    if not has(value, float):
        assert cbor2.dumps(value) == written
    if not has(value, dict):
        assert cbor2.dumps(value, canonical=True) == written
    assert decode(cbor2.dumps(value, canonical=True)) == value or has(value, float)


def has(value: Any, kind: type) -> bool:
    """Whether there is one of this type in it: cbor2 writes short floats, and sorts its maps,
    in its canonical mode alone."""
    if isinstance(value, list):
        inner = value
    elif isinstance(value, dict):
        inner = [*value, *value.values()]
    else:
        return isinstance(value, kind)
    return isinstance(value, kind) or any(has(item, kind) for item in inner)
