"""A whole store as lines of JSON or as a CBOR sequence (RFC 8742), and back.

First each variable, then each key with its value, at last the number of keys, so that a dump which
was cut off is noticed:

    {"variable": "accounts", "kind": "TVar"}                [name, kind]
    {"variable": "accounts", "key": "bob", "value": 10}     [name, key, value]
    {"end": 1}                                              1

The kind of a variable that was made without an initial value is followed by `*`: nobody may put
one in later. In CBOR it is the number that README.md names. Values in JSON: see `spelling`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Final, NamedTuple

from stmpy.durable import cbor, spelling
from stmpy.durable.cbor import Map
from stmpy.durable.format import BARE, TREF, TVAR
from stmpy.durable.journal import Journal
from stmpy.durable.writer import Writer
from stmpy.errors import DecodeError, EncodeError

_KINDS: Final = {"TVar": TVAR, "TRef": TREF, "TVar*": TVAR | BARE, "TRef*": TREF | BARE}
_KIND_NAMES: Final = {kind: name for name, kind in _KINDS.items()}
_LINE_BYTES = 8 * cbor.MOST_BYTES


class Variable(NamedTuple):
    name: str
    kind: int


class Item(NamedTuple):
    """A key and a value, as trees of `cbor`."""

    variable: str
    key: Any
    value: Any


class End(NamedTuple):
    items: int


type Entry = Variable | Item | End
type Encode = Callable[[Entry], bytes]


def dump(
    journal: Journal, encode: Encode, out: BinaryIO, progress: Callable[[int], object]
) -> None:
    """Write all that is there; `progress` is told how many keys are done."""
    done = 0
    for name, kind in journal.names.values():
        out.write(encode(Variable(name, kind)))
    for row in journal.contents():
        name, _ = journal.names[row.number]
        out.write(encode(Item(name, cbor.decode(row.key), cbor.decode(row.value))))
        done += 1
        progress(done)
    out.write(encode(End(done)))


def as_line(entry: Entry) -> bytes:
    """A line of JSON."""
    pairs: list[tuple[str, Any]]
    match entry:
        case Variable(name, kind):
            pairs = [("variable", name), ("kind", _KIND_NAMES[kind])]
        case Item(variable, key, value):
            pairs = [("variable", variable), ("key", key), ("value", value)]
        case End(items):
            pairs = [("end", items)]
    return spelling.to_json(Map(pairs)).encode() + b"\n"


def as_cbor(entry: Entry) -> bytes:
    """An item of a CBOR sequence."""
    return cbor.encode(entry.items if isinstance(entry, End) else list(entry))


def load(source: BinaryIO, writer: Writer, progress: Callable[[], object]) -> None:
    """Put all that a dump holds into a store, over what is there.

    Reads both forms. Raises DecodeError, naming the line or item; the blocks before it are in the
    store then, and its own is not.
    """
    entries = _entries(source)
    count, ended = 0, False
    while True:
        try:
            entry = next(entries, None)
            if entry is None and not ended:
                raise DecodeError("the dump is cut off here")
            if entry is None:
                return
            if ended:
                raise DecodeError("something follows the end of the dump")
            ended = _take(entry, writer)
        except (DecodeError, EncodeError) as error:
            stored = f"{writer.stored:,} keys before it are in the store"
            raise DecodeError(f"entry {count + 1}: {error}; {stored}") from error
        count += 1
        progress()


def _take(entry: Entry, writer: Writer) -> bool:
    """True if this was the end."""
    match entry:
        case Variable(name, kind):
            writer.declare(name, kind)
        case Item(variable, key, value):
            writer.put(variable, key, value)
        case End(items):
            if items != writer.rows:
                raise DecodeError(f"the dump had {items} keys, and {writer.rows} were read")
            return True
    return False


def _entries(source: BinaryIO) -> Iterator[Entry]:
    first = source.read(1)
    if first == b"{":
        line = first + source.readline(_LINE_BYTES)
        while line:
            yield _of_line(line)
            line = source.readline(_LINE_BYTES)
        return
    ahead = [first]

    def read(size: int) -> bytes:
        return ahead.pop() if ahead else source.read(size)

    while True:
        try:
            tree = cbor.read(read)
        except EOFError:
            return
        yield _of_cbor(tree)


def _of_line(line: bytes) -> Entry:
    try:
        tree = spelling.from_json(line.decode())
    except UnicodeDecodeError:
        raise DecodeError("not UTF-8") from None
    match dict(tree.pairs) if isinstance(tree, Map) else None:
        case {"variable": str(name), "kind": kind, **rest} if kind in _KINDS and not rest:
            return Variable(name, _KINDS[kind])
        case {"variable": str(name), "key": key, "value": value, **rest} if not rest:
            return Item(name, key, value)
        case {"end": int(items), **rest} if not rest:
            return End(items)
    raise DecodeError("neither a variable, nor a key with its value, nor the end")


def _of_cbor(tree: Any) -> Entry:
    match tree:
        case [str(name), int(kind)]:
            return Variable(name, kind)
        case [str(name), key, value]:
            return Item(name, key, value)
        case int(items):
            return End(items)
    raise DecodeError("neither a variable, nor a key with its value, nor the end")
