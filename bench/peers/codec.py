"""Values to bytes and back, by libraries that do that: cbor2, msgspec, pickle, json.

A task is named `LIBRARY DIRECTION SAMPLE`, as in "cbor2 encode record".
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from bench.harness import Work
from bench.peers.serve import Peer, serve

LIBRARIES: Final = ("cbor2", "msgspec", "pickle", "json")
DIRECTIONS: Final = ("encode", "decode")
SAMPLES: Final[dict[str, Any]] = {
    "int": 1_000_000,
    "text": "A line of text, as a message or a name would be: żółw.",
    "record": {"id": 4711, "name": "Ada", "tags": ["a", "b"], "score": 0.25, "ok": True},
    "1,000 ints": list(range(0, 1_000_000, 1_000)),
    "100 records": [{"id": n, "name": f"user {n}", "score": n / 7} for n in range(100)],
}


def functions(library: str) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """What encodes and what decodes."""
    match library:
        case "pickle":
            return pickle.dumps, pickle.loads
        case "json":
            return lambda value: json.dumps(value).encode(), json.loads
        case "msgspec":
            packed = import_module("msgspec.msgpack")
            return packed.Encoder().encode, packed.Decoder().decode
        case _:
            module = import_module(library)
            return module.dumps, module.loads


def repeat(
    direction: str, sample: str, encode: Callable[[Any], Any], decode: Callable[[Any], Any]
) -> Work:
    """Encodes or decodes the sample, after it was seen to come back as it was."""
    value = SAMPLES[sample]
    data = encode(value)
    if decode(data) != value:
        raise AssertionError(f"{sample} does not come back as it was")
    function, given = (encode, value) if direction == "encode" else (decode, data)

    def run(n: int) -> None:
        for _ in range(n):
            function(given)

    return run


class Codec(Peer):
    def work(self, task: str, mine: None, number: int) -> Work:
        library, direction, sample = task.split(" ", 2)
        return repeat(direction, sample, *functions(library))


if __name__ == "__main__":
    serve(Codec)
