"""The backend without a disk: what tests compare the other one with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stmpy.durable.backend import NEW, TABLES, Change, Table


class MemoryBackend:
    """Tables in dicts. `writes` counts transactions."""

    def __init__(self) -> None:
        self._tables: dict[Table, dict[bytes, bytes]] = {table: {} for table in TABLES}
        self._tables["meta"].update([NEW])
        self.writes = 0

    def write(self, changes: Sequence[Change]) -> None:
        self.writes += 1
        for table, key, value in changes:
            if value is None:
                self._tables[table].pop(key, None)
            else:
                self._tables[table][key] = value

    def get(self, table: Table, key: bytes) -> bytes | None:
        return self._tables[table].get(key)

    def get_many(self, table: Table, keys: Sequence[bytes]) -> list[bytes | None]:
        return [self._tables[table].get(key) for key in keys]

    def scan(self, table: Table) -> Iterator[tuple[bytes, bytes]]:
        return iter(sorted(self._tables[table].items()))

    def close(self) -> None:
        """Nothing to let go of."""
