"""The journal on both backends: whatever is appended and applied, both find the same again."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from stmpy import _native
from stmpy.durable import format
from stmpy.durable.backend import Backend, BackendFull, Change
from stmpy.durable.format import Damaged, Record, Write
from stmpy.durable.journal import Journal
from stmpy.durable.lmdb_backend import LmdbBackend
from stmpy.durable.memory import MemoryBackend

type Contents = dict[tuple[str, bytes], tuple[int, bytes]]
type Reopen = Callable[[], Backend]


@pytest.fixture(params=["lmdb", "memory"])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Reopen]:
    """Opens the same backend again each time."""
    memory = MemoryBackend()
    opened: list[Backend] = []

    def again() -> Backend:
        for backend in opened:
            backend.close()
        opened[:] = [memory if request.param == "memory" else LmdbBackend(str(tmp_path), 1 << 20)]
        return opened[0]

    yield again
    for backend in opened:
        backend.close()


def contents(journal: Journal) -> Contents:
    """What a reader makes of the rows."""
    found: Contents = {}
    for number, key, flags, value in journal.rows():
        if flags & format.TOMBSTONE:
            found.pop((journal.names[number][0], key), None)
        else:
            found[journal.names[number][0], key] = (flags, value)
    return found


def draw_record(rng: random.Random, ts: int) -> Record:
    def draw_write() -> Write:
        gone = rng.random() < 0.3
        name, key = rng.choice("abc") * rng.randint(1, 3), _native.encode_key(rng.randint(0, 30))
        value = b"" if gone else _native.encode("x" * rng.randint(0, 200))
        return Write(1, format.TOMBSTONE if gone else rng.choice((0, 2)), name, key, value)

    return Record(ts, [draw_write() for _ in range(rng.randint(0, 6))])


def replay(model: Contents, record: Record) -> None:
    for write in record.writes:
        if write.flags & format.TOMBSTONE:
            model.pop((write.name, write.key), None)
        else:
            model[write.name, write.key] = (write.flags, write.value)


def test_random_runs_are_found_again(reopen: Reopen, rng: random.Random) -> None:
    for _ in range(3):
        journal = Journal(reopen())
        model = contents(journal)
        for _ in range(120):
            action = rng.random()
            if action < 0.6:
                first = journal.last + 1
                records = [draw_record(rng, first + i) for i in range(rng.randint(1, 4))]
                journal.append(first, b"".join(map(format.encode_record, records)))
                for record in records:
                    replay(model, record)
            elif action < 0.8:
                journal.apply()
            else:
                journal = Journal(reopen())
                assert contents(journal) == model
        while journal.apply():
            pass
        assert contents(Journal(reopen())) == model


def test_the_backlog_is_what_is_not_applied(reopen: Reopen) -> None:
    journal = Journal(reopen())
    assert journal.backlog == 0
    sizes = []
    for ts in range(1, 4):
        writes = [Write(1, 0, "v", bytes([key]), b"\0" * 100) for key in (0, ts)]
        journal.append(ts, format.encode_record(Record(ts, writes)))
        sizes.append(journal.backlog)
    assert 0 < sizes[0] < sizes[1] < sizes[2]
    journal = Journal(reopen())
    assert journal.backlog == sizes[2]
    assert journal.apply()
    assert not journal.apply()
    assert journal.backlog == 0
    assert Journal(reopen()).backlog == 0


def test_a_group_is_durable_before_it_is_looked_at(reopen: Reopen) -> None:
    backend, seen = reopen(), []
    journal = Journal(backend)
    record = format.encode_record(Record(1, [Write(1, 0, "v", b"\x01", b"\x02")]))
    journal.append(1, record, lambda: seen.append((journal.last, *backend.scan("log"))))
    assert seen == [(0, (format.group_key(1), record))]
    assert journal.last == 1


def test_a_group_written_twice_counts_once(reopen: Reopen) -> None:
    journal = Journal(reopen())
    one, two = (Record(i, [Write(1, 0, "v", b"\x01", bytes([i]))]) for i in (1, 2))
    journal.append(1, format.encode_record(one) + format.encode_record(two))
    backend = reopen()
    Journal(backend).append(1, format.encode_record(one) + format.encode_record(two))
    journal = Journal(reopen())
    assert journal.last == 2
    assert contents(journal) == {("v", b"\x01"): (0, b"\x02")}


class FullOnce(MemoryBackend):
    """Has no room for the write with this number."""

    full_at = 0

    def write(self, changes: Sequence[Change]) -> None:
        if self.writes + 1 == self.full_at:
            self.full_at = 0
            raise BackendFull("no space left")
        super().write(changes)


@pytest.mark.parametrize("full_at", range(1, 7))
def test_a_full_disk_loses_nothing_when_it_is_tried_again(full_at: int) -> None:
    backend = FullOnce()
    journal = Journal(backend)
    backend.full_at = full_at

    def again(step: Callable[[], object]) -> None:
        try:
            step()
        except BackendFull:
            step()

    for ts in range(1, 4):
        group = format.encode_record(Record(ts, [Write(1, 0, "v", bytes([ts]), b"\x00")]))
        again(lambda ts=ts, group=group: journal.append(ts, group))  # type: ignore[misc]
        again(journal.apply)
    assert backend.full_at == 0
    assert len(contents(Journal(backend))) == 3


def fill(backend: Backend, apply: bool) -> None:
    journal = Journal(backend)
    for ts in range(1, 5):
        group = format.encode_record(Record(ts, [Write(1, 0, "v", bytes([ts]), b"\x18\x2a")]))
        journal.append(ts, group)
    while apply and journal.apply():
        pass


@pytest.mark.parametrize("apply", [False, True])
def test_every_bit_that_flips_is_noticed(apply: bool) -> None:
    """Over the values and keys of every table: what is read is never something else."""
    backend = MemoryBackend()
    fill(backend, apply)
    good = contents(Journal(backend))
    tables = backend._tables
    for table in tables.values():
        for key, value in list(table.items()):
            for bit in range(8 * (len(key) + len(value))):
                at, mask = bit // 8, 1 << bit % 8
                damaged = bytearray(key + value)
                damaged[at] ^= mask
                before = dict(table)
                del table[key]
                table[bytes(damaged[: len(key)])] = bytes(damaged[len(key) :])
                with pytest.raises(Damaged):
                    assert contents(Journal(backend)) != good or pytest.fail(f"{key!r} bit {bit}")
                table.clear()
                table.update(before)


def test_a_row_that_vanished_is_noticed() -> None:
    backend = MemoryBackend()
    fill(backend, apply=True)
    backend._tables["data"].popitem()
    with pytest.raises(Damaged, match="4 rows were written, and 3 are there"):
        contents(Journal(backend))


@pytest.mark.parametrize("version", [1, 3])
def test_another_format_is_refused_with_the_reason(version: int) -> None:
    backend = MemoryBackend()
    value = format.encode_checked(
        format.META_KEY, _native.encode({"format": version, "applied": 0, "rows": 0, "sum": 0})
    )
    backend.write([("meta", format.META_KEY, value)])
    with pytest.raises(Damaged, match=f"version {version}, and this stmpy reads version 2: dump"):
        Journal(backend)


def test_the_map_grows_by_itself(tmp_path: Path) -> None:
    backend = LmdbBackend(str(tmp_path), 1 << 20)
    journal = Journal(backend)
    value = _native.encode(b"x" * 300_000)
    for ts in range(1, 20):
        write = Write(1, 0, "v", _native.encode_key(ts), value)
        journal.append(ts, format.encode_record(Record(ts, [write])))
    while journal.apply():
        pass
    assert len(contents(journal)) == 19
    journal.close()
