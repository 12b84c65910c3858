"""How the commands spell values in JSON: what JSON lacks is an object with one key that begins
with `$`. Reading it back gives the same bytes.

    int of more than 64 bits  {"$int": "0x…"}        tuple      {"$tuple": […]}
    nan, inf, -inf            {"$float": "nan"}      set        {"$set": […]}
    bytes                     {"$bytes": "hex"}      frozenset  {"$frozenset": […]}
    dict, not all keys str    {"$dict": [[k, v], …]} datetime   {"$datetime": "2026-01-31T…"}
    Decimal                   {"$decimal": "1.50"}   date       {"$date": "2026-01-31"}
    UUID                      {"$uuid": "…"}         all else   {"$27": …}, the number of its tag

A dict whose first key begins with `$` is spelled as `$dict`, too.
"""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, NoReturn

from stmpy import _native
from stmpy.durable import cbor
from stmpy.durable.cbor import Map, Tag
from stmpy.errors import DecodeError

_NAMES: Final = {54256: "$tuple", 258: "$set", 54257: "$frozenset", 0: "$datetime", 1004: "$date"}
_NUMBERS: Final = {name: number for number, name in _NAMES.items()}
_UUID: Final = 37
_DECIMALS: Final = (4, 54258)


def to_json(tree: Any) -> str:
    """One line for a tree of `cbor`."""
    return json.dumps(_spell(tree), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def from_json(text: str) -> Any:
    """The tree that a text spells; raises DecodeError."""
    try:
        return _read(json.loads(text, parse_constant=_no_constant))
    except RecursionError:
        raise DecodeError("nested too deep") from None
    except ValueError as error:
        raise DecodeError(f"no JSON value: {error}") from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f'{name} is spelled {{"$float": "nan"}}, "inf" or "-inf"')


def _spell(tree: Any) -> Any:
    match tree:
        case bool():
            return tree
        case int() if not -(1 << 64) <= tree < 1 << 64:
            return {"$int": hex(tree)}
        case float() if not math.isfinite(tree):
            return {"$float": repr(tree)}
        case bytes():
            return {"$bytes": tree.hex()}
        case Map(pairs):
            return _spell_map(pairs)
        case Tag():
            return _spell_tag(tree)
        case list():
            return [_spell(item) for item in tree]
    return tree


def _spell_map(pairs: list[tuple[Any, Any]]) -> Any:
    texts = all(isinstance(key, str) for key, _ in pairs)
    if texts and not (pairs and pairs[0][0].startswith("$")):
        return {key: _spell(value) for key, value in pairs}
    return {"$dict": [[_spell(key), _spell(value)] for key, value in pairs]}


def _spell_tag(tag: Tag) -> Any:
    if tag.number in _NAMES:
        return {_NAMES[tag.number]: _spell(tag.content)}
    if tag.number == _UUID and isinstance(tag.content, bytes) and len(tag.content) == 16:
        return {"$uuid": str(uuid.UUID(bytes=tag.content))}
    if tag.number in _DECIMALS:
        data = cbor.encode(tag)
        text = str(_native.decode(data))
        if _native.encode(Decimal(text)) == data:
            return {"$decimal": text}
    return {f"${tag.number}": _spell(tag.content)}


def _read(value: Any) -> Any:
    if isinstance(value, list):
        return [_read(item) for item in value]
    if not isinstance(value, dict):
        return value
    name = next(iter(value), "")
    if not name.startswith("$"):
        return Map([(key, _read(item)) for key, item in value.items()])
    if len(value) > 1:
        raise ValueError(f"{name!r} stands alone in its object; other dicts are spelled $dict")
    content = value[name]
    if name in _NUMBERS:
        return Tag(_NUMBERS[name], _read(content))
    if name == "$dict" and isinstance(content, list):
        return Map([(_read(key), _read(item)) for key, item in map(_pair, content)])
    if name in _TEXTS and isinstance(content, str):
        try:
            return _TEXTS[name](content)
        except ArithmeticError:
            raise ValueError(f"{content!r} is no number") from None
    if name[1:].isdecimal() and int(name[1:]) < 1 << 64:
        return Tag(int(name[1:]), _read(content))
    raise ValueError(f"nothing is spelled {name!r} with {type(content).__name__} in it")


def _pair(value: Any) -> list[Any]:
    if not (isinstance(value, list) and len(value) == 2):
        raise ValueError("$dict holds lists of a key and a value")
    return value


_TEXTS: Final[dict[str, Callable[[str], Any]]] = {
    "$int": lambda text: int(text, 0),
    "$float": float,
    "$bytes": bytes.fromhex,
    "$decimal": lambda text: cbor.decode(_native.encode(Decimal(text))),
    "$uuid": lambda text: Tag(_UUID, uuid.UUID(text).bytes),
}


def key_from_words(word: str) -> Any:
    """The key that a word of a command line means: JSON, or else the string itself."""
    try:
        json.loads(word)
    except ValueError:
        return word
    return from_json(word)
