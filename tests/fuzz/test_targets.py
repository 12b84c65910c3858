"""The targets in Python on the inputs of the repository, and that each finds a planted bug."""

from __future__ import annotations

import struct
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

from stmpy._native import encode_key
from stmpy.durable import format, spelling
from stmpy.statistics._image import Image
from tests.fuzz import dumps, keys, records, values
from tests.fuzz.__main__ import CORPUS, IN_PYTHON, TARGETS, corpus

MOST_BYTES = 200_000


def inputs(name: str) -> list[bytes]:
    target: Any = import_module(f"tests.fuzz.{name}")
    return [*target.seeds(), *corpus(name)]


@pytest.mark.parametrize("name", IN_PYTHON)
def test_what_was_found_once_passes(name: str) -> None:
    check = import_module(f"tests.fuzz.{name}").check
    for data in inputs(name):
        check(data)


def test_the_corpus_is_small_and_whole() -> None:
    files = sorted(CORPUS.iterdir())
    assert [path.stem for path in files] == sorted(TARGETS)
    assert sum(path.stat().st_size for path in files) < MOST_BYTES
    assert all(corpus(target) for target in TARGETS)


def trusting(image: Image, offset: int, length: int) -> bytes:
    """Reads without looking whether it got what it asked for."""
    return image._read(max(0, offset), length)


# For each target what is broken, and an input that shows it.
PLANTED: dict[str, tuple[object, str, Callable[..., Any], bytes]] = {
    "values": (values, "decode", lambda data: 1, b"\xf5"),
    "keys": (keys, "encode_key", lambda key: encode_key(abs(key)), b"\x01\x20"),
    "records": (format, "decode_checked", lambda *row: (row[3][4], b""), records.part(1, b"", b"")),
    "region": (Image, "bytes", trusting, (100_000).to_bytes(4, "little")),
    "dumps": (spelling, "_spell", lambda tree: None, dumps.seeds()[1]),
}


@pytest.mark.parametrize("name", IN_PYTHON)
def test_a_planted_bug_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    check = import_module(f"tests.fuzz.{name}").check
    where, what, broken, data = PLANTED[name]
    check(data)
    monkeypatch.setattr(where, what, broken)
    with pytest.raises((AssertionError, IndexError, struct.error)):
        check(data)
