"""CBOR as a tree that keeps every tag, so that values of classes nobody has here can be carried.

The codec of the core makes Python objects; dumps and loads must not need the classes, and must
bring back the very bytes. A tree is None, bool, int, float, str, bytes, a list, a `Map` or a `Tag`.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from stmpy import _native
from stmpy.errors import DecodeError

MOST_BYTES: Final = 16 << 20
"""Bytes of one encoded value."""

_DEPTH = 64
_FLOATS: Final = {25: ">e", 26: ">f", 27: ">d"}
_BIGNUMS: Final = (2, 3)
_SIMPLE: Final = {20: False, 21: True, 22: None}
_CONTAINERS_THAT_CHANGE: Final = (27, 258)
_VALUES_IN_AN_ARRAY: Final = (4, 30, 43000, 54259, 54260, 54261)


class Map(NamedTuple):
    """The pairs of a map in their order."""

    pairs: list[tuple[Any, Any]]


class Tag(NamedTuple):
    """A tagged item."""

    number: int
    content: Any


def read(source: Callable[[int], bytes]) -> Any:
    """The next item of a stream, given by its `read(size)`.

    Raises EOFError if the stream is at its end, DecodeError if it breaks off or is no CBOR.
    """
    first = source(1)
    if not first:
        raise EOFError
    return _item(source, first[0], 0)


def decode(data: bytes) -> Any:
    """The one item that these bytes are; raises DecodeError."""
    stream = io.BytesIO(data)
    try:
        tree = read(stream.read)
    except EOFError:
        raise DecodeError("no CBOR item in no bytes") from None
    if stream.read(1):
        raise DecodeError("bytes follow a CBOR item")
    return tree


def _item(source: Callable[[int], bytes], first: int, depth: int) -> Any:
    major, info = first >> 5, first & 31
    if depth > _DEPTH:
        raise DecodeError(f"more than {_DEPTH} containers within each other")
    if info > 27:
        raise DecodeError(f"head {first:02x} has an indefinite or reserved length")
    if major == 7:
        if info in _SIMPLE:
            return _SIMPLE[info]
        if info not in _FLOATS:
            raise DecodeError(f"simple value {info} is none of ours")
        return struct.unpack(_FLOATS[info], _exactly(source, 1 << info - 24))[0]
    size = info if info < 24 else int.from_bytes(_exactly(source, 1 << info - 24), "big")
    if major < 2:
        return -1 - size if major else size
    if major < 4:
        return _string(_exactly(source, size), major == 3)

    def inner() -> Any:
        return _item(source, _exactly(source, 1)[0], depth + 1)

    if major == 6:
        return _tagged(size, inner())
    if major == 4:
        return [inner() for _ in range(size)]
    return Map([(inner(), inner()) for _ in range(size)])


def _exactly(source: Callable[[int], bytes], size: int) -> bytes:
    if size > MOST_BYTES:
        raise DecodeError(f"an item of {size} bytes is larger than any value")
    data = source(size)
    while len(data) < size:
        more = source(size - len(data))
        if not more:
            raise DecodeError("cut off within a CBOR item")
        data += more
    return data


def _string(data: bytes, text: bool) -> str | bytes:
    try:
        return data.decode() if text else data
    except UnicodeDecodeError:
        raise DecodeError("a text is not UTF-8") from None


def _tagged(number: int, content: Any) -> Any:
    if number in _BIGNUMS and isinstance(content, bytes):
        magnitude = int.from_bytes(content, "big")
        return -1 - magnitude if number == 3 else magnitude
    return Tag(number, content)


def encode(tree: Any) -> bytes:
    """The bytes of a tree, in the form that the core writes."""
    if isinstance(tree, Tag):
        return head(6, tree.number) + encode(tree.content)
    if isinstance(tree, Map):
        parts = [encode(key) + encode(value) for key, value in tree.pairs]
        return head(5, len(parts)) + b"".join(parts)
    if isinstance(tree, list):
        return head(4, len(tree)) + b"".join(map(encode, tree))
    return _native.encode(tree)


def head(major: int, argument: int) -> bytes:
    """The head of an item, as short as it can be."""
    if argument < 24:
        return bytes([major << 5 | argument])
    width = next(i for i in range(4) if argument < 1 << (8 << i))
    return bytes([major << 5 | 24 + width]) + argument.to_bytes(1 << width, "big")


def can_change(tree: Any) -> bool:
    """Whether the value is, or holds, what a program could change in place."""
    if not isinstance(tree, Tag):
        return isinstance(tree, list | Map)
    if tree.number in _CONTAINERS_THAT_CHANGE:
        return True
    if tree.number in _VALUES_IN_AN_ARRAY or not isinstance(tree.content, list):
        return False
    return any(can_change(item) for item in tree.content)


def checked_value(tree: Any) -> bytes:
    """The encoding of a value, checked by the core as far as it knows the classes in it.

    Raises DecodeError, or EncodeError for one that is too large.
    """
    data = encode(tree)
    known = encode(_without_classes(tree))
    _native.encode(_native.decode(known))
    return data if known != data else _native.encode(_native.decode(data))


def _without_classes(tree: Any) -> Any:
    """The tree with each object of a class replaced by a text, once its fields are checked."""
    if isinstance(tree, Tag) and tree.number == 27:
        match tree.content:
            case [str(), content]:
                _native.decode(encode(_without_classes(content)))
                return encode(tree).hex()
        raise DecodeError("an object is [name of its class, content]")
    if isinstance(tree, Tag):
        return Tag(tree.number, _without_classes(tree.content))
    if isinstance(tree, Map):
        return Map([(_without_classes(k), _without_classes(v)) for k, v in tree.pairs])
    if isinstance(tree, list):
        return [_without_classes(item) for item in tree]
    return tree


def checked_key(tree: Any) -> bytes:
    """The encoding of a key; raises DecodeError or EncodeError for what is none."""
    return _native.encode_key(_native.decode_key(encode(tree)))
