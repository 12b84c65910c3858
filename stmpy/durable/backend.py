"""What a keeper needs of a store on disk: transactions over a few sorted tables, each synced."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal, Protocol

from stmpy.durable import format
from stmpy.durable.format import Damaged

type Table = Literal["meta", "names", "data", "log"]
type Change = tuple[Table, bytes, bytes | None]
"""A table, a key, and its new value, or None to delete the key if it is there."""

TREES: Final[tuple[Table, ...]] = ("meta", "names", "data")
TABLES: Final[tuple[Table, ...]] = (*TREES, "log")
"""Trees are looked up and changed in any order, while the log is appended to and read through."""

NEW: Final = (format.META_KEY, format.encode_meta(format.Meta()))
"""The row of `meta` that is in every store, from the moment in which it is made."""


class BackendFull(Exception):
    """There is no room on the disk. Nothing was changed; the same write may be tried again."""


class BackendFailed(Exception):
    """The disk failed. Whether the last write is there is not known; write no more."""


class Backend(Protocol):
    """Sorted tables of bytes. One thread of one process uses it."""

    def write(self, changes: Sequence[Change]) -> None:
        """Make all changes in order, or none, and return when they survive a power cut.

        What is added to `log` is one row, above all that are there, and comes alone. What is
        deleted from it are rows from the first on.

        Raises BackendFull or BackendFailed.
        """

    def get(self, table: Table, key: bytes) -> bytes | None:
        """The value of a key, or None."""

    def get_many(self, table: Table, keys: Sequence[bytes]) -> list[bytes | None]:
        """The values of these keys, or None for each that is not there."""

    def scan(self, table: Table) -> Iterator[tuple[bytes, bytes]]:
        """All keys with their values in ascending order, as of now."""

    def close(self) -> None:
        """Let go of it. What was written stays."""


def counted(
    table: Table, rows: Iterable[tuple[bytes, bytes]], entries: int
) -> Iterator[tuple[bytes, bytes]]:
    """The rows; at their end Damaged if they are not as many as LMDB has counted.

    Pages of earlier transactions are whole, and a damaged number of a page may lead to one.
    """
    count = 0
    for row in rows:
        count += 1
        yield row
    if count != entries:
        raise Damaged(f"{table}: {entries} keys were written, and {count} are there")
