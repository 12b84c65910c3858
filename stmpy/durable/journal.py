"""What a keeper does with a backend: append groups, apply them in batches, find all again.

Invariant: the rows of `data` with every record of `log` above `applied` done over them, in order,
are the store. Appending a group adds to the log alone. Applying writes the newest value of each key
in sorted slices, and moves `applied` and deletes groups only with the last slice: before that the
log still says all, and doing it again gives the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from stmpy.durable import format
from stmpy.durable.backend import Backend, Change
from stmpy.durable.format import Damaged, Meta, Write

BACKLOG_BYTES = 4 << 20
"""Whoever appends applies some when the backlog is larger: the next opening has to read it."""

_SLICE = 4096
_ROW_BYTES = 200  # of memory beside the key and the value
_SUM = 1 << 64


def _bytes_of(key: bytes, value: bytes) -> int:
    return _ROW_BYTES + len(key) + len(value)


class Row(NamedTuple):
    """One key of the store; `flags` says whether it was deleted."""

    number: int
    key: bytes
    flags: int
    value: bytes


class Journal:
    """The store on a backend. Raises Damaged where its bytes are not what was written."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.names: dict[int, tuple[str, int]] = {}
        self._numbers: dict[str, int] = {}
        self._groups: deque[tuple[bytes, int]] = deque()  # key of a group and its last commit
        self._pending: dict[bytes, bytes] = {}  # key in data: flags (u8) and value, as there
        self._slices: deque[list[tuple[bytes, bytes]]] = deque()
        self._target = 0  # what `applied` is after the last slice
        self._fresh: list[int] = []  # variables that are not in `names` yet
        self.backlog = 0  # bytes of memory, about, that what is not applied takes
        self.meta = self._read_meta()
        self.last = self.meta.applied
        self._read_names()
        self._read_log()

    # ---- finding it again --------------------------------------------------------------------

    def _read_meta(self) -> Meta:
        value = self._backend.get("meta", format.META_KEY)
        if value is None:
            raise Damaged("meta: the row that describes the store is missing")
        return format.decode_meta(value)

    def _read_names(self) -> None:
        for key, value in self._backend.scan("names"):
            number = len(self.names) + 1
            name, kind = format.decode_name(number, key, value)
            if name in self._numbers:
                raise Damaged(f"names: there are two variables {name}")
            self._name(number, name, kind)

    def _read_log(self) -> None:
        for key, group in self._backend.scan("log"):
            self._take(key, group)

    def stored(self) -> Iterator[tuple[bytes, bytes]]:
        """The table `data` as it is. Whoever reads it checks each row, and all with `check_sum`."""
        return self._backend.scan("data")

    def check_row(self, key: bytes, value: bytes) -> Row:
        """A row of `stored`; raises Damaged if it is not what was written."""
        row = Row(*format.decode_row(f"key {key.hex()}", key, value))
        if row.number not in self.names:
            raise Damaged(f"data: key {key.hex()} of a variable that has no name")
        return row

    def check_sum(self, rows: int, total: int) -> None:
        """Raise Damaged unless so many rows with this sum of checksums were written."""
        if (rows, total % _SUM) != (self.meta.rows, self.meta.sum):
            raise Damaged(f"data: {self.meta.rows} rows were written, and {rows} are there")

    def changes(self) -> Iterator[Row]:
        """What the log says beyond `stored`, the newest for each key."""
        for key, content in self._pending.items():
            yield Row(int.from_bytes(key[:4], "big"), key[4:], content[0], content[1:])

    def rows(self) -> Iterator[Row]:
        """All that is stored, checked, then the changes."""
        count = total = 0
        for key, value in self.stored():
            yield self.check_row(key, value)
            count += 1
            total += format.row_sum(value)
        self.check_sum(count, total)
        yield from self.changes()

    def contents(self) -> Iterator[Row]:
        """Each key that is there, once, checked; the log is taken into account."""
        stored = self.meta.rows
        for i, row in enumerate(self.rows()):
            changed = i < stored and format.number_key(row.number) + row.key in self._pending
            if not (changed or row.flags & format.TOMBSTONE):
                yield row

    def get(self, number: int, key: bytes) -> bytes | None:
        """The value of one key, or None; the log is taken into account."""
        place = format.number_key(number) + key
        if place in self._pending:
            content = self._pending[place]
            return None if content[0] & format.TOMBSTONE else content[1:]
        value = self._backend.get("data", place)
        return None if value is None else self.check_row(place, value).value

    def most_rows(self) -> int:
        """How many keys `contents` gives, or less."""
        return self.meta.rows + len(self._pending)

    def number(self, name: str) -> int | None:
        """The number of the variable with this name."""
        return self._numbers.get(name)

    # ---- appending ---------------------------------------------------------------------------

    def append(self, first: int, group: bytes, durable: Callable[[], object] | None = None) -> None:
        """Write one group, whose first commit this is; calls `durable` as soon as it is that."""
        key = format.group_key(first)
        self._backend.write([("log", key, group)])
        if durable is not None:
            durable()
        self._take(key, group)

    def _take(self, key: bytes, group: bytes) -> None:
        for record in format.decode_group(key, group):
            format.check_next(self.last, record.ts)
            if record.ts > self.last:
                for write in record.writes:
                    self._note(write)
                self.last = record.ts
        self._groups.append((key, self.last))

    def _note(self, write: Write) -> None:
        number = self._numbers.get(write.name)
        if number is None:
            number = len(self._numbers) + 1
            self._name(number, write.name, write.kind)
            self._fresh.append(number)
        key, content = format.number_key(number) + write.key, bytes([write.flags]) + write.value
        self._pending[key] = content
        self.backlog += _bytes_of(key, content)

    def _name(self, number: int, name: str, kind: int) -> None:
        self.names[number] = (name, kind)
        self._numbers[name] = number

    # ---- applying ----------------------------------------------------------------------------

    def apply(self) -> bool:
        """Write one slice of what the log holds into `data`; False if nothing is left to do."""
        if not self._slices:
            if not self._groups:
                return False
            rows = sorted(self._pending.items())
            self._slices.extend(rows[i : i + _SLICE] for i in range(0, len(rows) or 1, _SLICE))
            self._target = self.last
            self._pending = {}
            self.backlog = sum(_bytes_of(*row) for row in rows)
        rows, meta = self._slices[0], Meta(self.meta.applied, self.meta.rows, self.meta.sum)
        changes = [self._name_change(number) for number in self._fresh]
        there = self._backend.get_many("data", [key for key, _ in rows])
        for (key, content), old in zip(rows, there, strict=True):
            changes += self._row_changes(meta, key, content, old)
        last = len(self._slices) == 1
        done = [group for group in self._groups if group[1] <= self._target] if last else []
        if last:
            meta.applied = self._target
        changes += [("log", key, None) for key, _ in done]
        changes.append(("meta", format.META_KEY, format.encode_meta(meta)))
        self._backend.write(changes)
        self._slices.popleft()
        self.backlog -= sum(_bytes_of(*row) for row in rows)
        for _ in done:
            self._groups.popleft()
        self._fresh = []
        self.meta = meta
        return True

    def _name_change(self, number: int) -> Change:
        name, kind = self.names[number]
        key = format.number_key(number)
        return ("names", key, format.encode_checked(key, bytes([kind]) + name.encode()))

    def _row_changes(
        self, meta: Meta, key: bytes, content: bytes, old: bytes | None
    ) -> list[Change]:
        if old is not None:
            meta.rows -= 1
            meta.sum = (meta.sum - format.row_sum(old)) % _SUM
        if content[0] & format.TOMBSTONE:
            return [] if old is None else [("data", key, None)]
        new = format.encode_checked(key, content)
        meta.rows += 1
        meta.sum = (meta.sum + format.row_sum(new)) % _SUM
        return [("data", key, new)]

    def close(self) -> None:
        """Let go of the backend."""
        self._backend.close()
