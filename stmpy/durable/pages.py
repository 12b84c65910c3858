"""What LMDB does not look at itself: whether its two meta pages belong together.

Transaction n writes meta page n modulo 2, and the higher number wins when a store is opened. So one
flipped bit in the number of the newest lets LMDB open the transaction before, without a word. Here
the numbers must follow each other, the state that wins must have our tables, at another page than
the one that loses, and it must not be behind that.
(Layout: `mdb.c` of LMDB 0.9, on a machine with 64 bits, little-endian.)
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
from typing import Final, NamedTuple

from stmpy.durable import format
from stmpy.durable.backend import TABLES
from stmpy.durable.format import Damaged

_MAGIC: Final = 0xBEEFC0DE
_META: Final = struct.Struct("<IIQQ 48s 48s QQ")  # magic, version, address, size, trees, last, txn
_TREE: Final = struct.Struct("<IHHQQQQQ")  # pad, flags, depth, pages of three kinds, entries, root
_PAGE: Final = struct.Struct("<QHHHH")  # number, pad, flags, lower, upper
_NODE: Final = struct.Struct("<HHHH")  # low, high, flags, bytes of the key
_LEAF: Final = 2
_NO_PAGE: Final = (1 << 64) - 1
_DEPTH = 32
_TABLES: Final = {table.encode() for table in TABLES}


class _State(NamedTuple):
    transaction: int
    root: int


def check_header(path: str) -> None:
    """Raise Damaged unless the store in this directory, which nobody writes to, opens as it was.

    Nothing is said about a file that is missing, too short or no file of LMDB: LMDB says it. In an
    empty one it would make a new store.
    """
    try:
        file = os.open(os.path.join(path, "data.mdb"), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    try:
        size = os.fstat(file).st_size
        if size == 0:
            raise Damaged("data.mdb: is empty, which no power cut leaves; restore a backup")
        if size < 2 * mmap.PAGESIZE:
            return
        with mmap.mmap(file, 0, prot=mmap.PROT_READ) as pages:
            _check(pages)
    finally:
        os.close(file)


def read_metas(path: str) -> bytes:
    """Both meta pages of the store in this directory."""
    file = os.open(os.path.join(path, "data.mdb"), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        return os.pread(file, 2 * mmap.PAGESIZE, 0)
    finally:
        os.close(file)


def put_metas_back(path: str, before: bytes) -> None:
    """Undo what was done to a meta page but for its number, if the disk lets it be done."""
    now = read_metas(path)
    for at in (0, mmap.PAGESIZE):
        old, new = before[at : at + mmap.PAGESIZE], now[at : at + mmap.PAGESIZE]
        if old == new or _number(old) != _number(new):
            continue
        with contextlib.suppress(OSError):
            file = os.open(os.path.join(path, "data.mdb"), os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.pwrite(file, old, at)
            finally:
                os.close(file)


def _number(meta: bytes) -> int:
    """Of the transaction that wrote a meta page."""
    number: int = _META.unpack_from(meta, _PAGE.size)[-1]
    return number


def _check(pages: mmap.mmap) -> None:
    states = [state for i in (0, 1) if (state := _state(pages, i)) is not None]
    if len(states) < 2:
        return
    numbers = [state.transaction for state in states]
    if numbers != [0, 0] and (
        abs(numbers[0] - numbers[1]) != 1 or numbers[0] % 2 or not numbers[1] % 2
    ):
        raise Damaged(
            f"data.mdb: the transactions of its meta pages are {numbers[0]}, {numbers[1]}"
        )
    losing, winning = sorted(states)
    if winning.root == losing.root != _NO_PAGE:
        raise Damaged("data.mdb: both meta pages lead to one page, and no transaction does that")
    if not _tables(pages, winning.root).keys() <= _TABLES:
        raise Damaged(f"data.mdb: meta page {winning.transaction % 2} leads to no list of tables")
    before, now = _applied(pages, losing), _applied(pages, winning)
    if before is not None and now is not None and before > now:
        raise Damaged(f"data.mdb: a meta page is older than what it leads to: {numbers}")


def _state(pages: mmap.mmap, number: int) -> _State | None:
    """None for what is no meta page of LMDB."""
    at = number * mmap.PAGESIZE
    magic, version, _, _, free, main, _, transaction = _META.unpack_from(pages, at + _PAGE.size)
    if (magic, version) != (_MAGIC, 1):
        return None
    if _TREE.unpack(free)[0] != mmap.PAGESIZE:
        raise Damaged(f"data.mdb: its meta page {number} is of pages with another size")
    return _State(transaction, _TREE.unpack(main)[-1])


def _applied(pages: mmap.mmap, state: _State) -> int | None:
    """`applied`, which never goes back; None if it can't be read: that is for others to find."""
    try:
        tables = _tables(pages, state.root)
        meta = dict(_leaf(pages, _root(tables[b"meta"])))[format.META_KEY]
        return format.decode_meta(meta).applied
    except (Damaged, KeyError, IndexError, ValueError, struct.error):
        return None


def _tables(pages: mmap.mmap, root: int) -> dict[bytes, bytes]:
    """What is stored about each table, by name; raises Damaged if nothing can be read there."""
    try:
        return {} if root == _NO_PAGE else dict(_leaf(pages, root))
    except (ValueError, IndexError, struct.error):
        raise Damaged(f"data.mdb: page {root} holds no list of tables") from None


def _root(tree: bytes) -> int:
    root: int = _TREE.unpack(tree)[-1]
    return root


def _leaf(pages: mmap.mmap, number: int) -> list[tuple[bytes, bytes]]:
    """The first leaf below a page: its keys, with what is stored beside them."""
    for _ in range(_DEPTH):
        at = number * mmap.PAGESIZE
        page = pages[at : at + mmap.PAGESIZE]
        _, _, flags, lower, _ = _PAGE.unpack_from(page)
        places = struct.unpack_from(f"<{(lower - _PAGE.size) // 2}H", page, _PAGE.size)
        if flags & _LEAF:
            return [_node(page, place) for place in places]
        low, high, top, _ = _NODE.unpack_from(page, places[0])
        number = low | high << 16 | top << 32
    raise Damaged("data.mdb: its pages lead in circles")


def _node(page: bytes, at: int) -> tuple[bytes, bytes]:
    low, high, _, key_size = _NODE.unpack_from(page, at)
    key = at + _NODE.size
    value = key + key_size
    return page[key:value], page[value : value + (low | high << 16)]
