"""Bytes as an encoded key: read or refused, and equal keys are equal bytes.

The input holds two keys, so that some are nearly the same.
"""

from __future__ import annotations

from typing import Any

from stmpy import DecodeError
from stmpy._native import decode_key, encode_key


def seeds() -> list[bytes]:
    """Inputs to start from."""
    keys: list[Any] = [None, True, 1, 1.0, -(2**70), 1.5, "text", b"bytes", (), (1, ("a", b"b"))]
    return [encode_key(key) for key in keys] + [encode_key(1) + encode_key(1.5)]


def check(data: bytes) -> None:
    half = len(data) // 2
    first, second = read(data[:half]), read(data[half:])
    read(data)
    if first and second:
        (one, its), (other, others) = first, second
        assert (one == other and hash(one) == hash(other)) == (its == others)


def read(data: bytes) -> tuple[Any, bytes] | None:
    """The key and how it is written; None if the bytes are none."""
    try:
        key = decode_key(data)
    except DecodeError as error:
        if isinstance(error.__cause__, SystemError):
            raise
        return None
    written = encode_key(key)
    assert encode_key(decode_key(written)) == written
    assert decode_key(written) == key or key != key  # NaN
    return key, written
