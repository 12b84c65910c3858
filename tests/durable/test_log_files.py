"""The two files of the log: what is found again, what a power cut has torn, what is damaged."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from stmpy.durable import format, log_files
from stmpy.durable.format import Damaged, Record, Write
from stmpy.durable.journal import Journal
from stmpy.durable.lmdb_backend import LmdbBackend
from stmpy.durable.log_files import FILES, SECTOR, Log, decode, encode

type Group = tuple[bytes, bytes]


def key_of(number: int) -> bytes:
    return format.group_key(number)


def always() -> bool:
    return True


@pytest.fixture
def folder(tmp_path: Path) -> str:
    log_files.make(str(tmp_path))
    return str(tmp_path)


def test_groups_are_found_again(
    folder: str, rng: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of all sizes, over many turns, opened anew now and then, and forgotten from the first on."""
    monkeypatch.setattr(log_files, "_TURN", 3 * SECTOR)
    expected: list[Group] = []
    log, forgotten = Log(folder, b""), b""
    for number in range(1, 400):
        size = rng.choice(
            (1, 60, SECTOR - 16, SECTOR - 15, 3000, 70_000 if number % 50 == 0 else 9)
        )
        expected.append((key_of(number), rng.randbytes(size)))
        log.append(*expected[-1], always)
        if rng.random() < 0.4:
            gone = rng.randrange(len(expected) + 1)
            forgotten = expected[gone - 1][0] if gone else forgotten
            log.forget(forgotten)
            del expected[:gone]
        if rng.random() < 0.2:
            log.close()
            log = Log(folder, forgotten)
        assert log.groups() == expected
    assert sum(Path(folder, name).stat().st_size for name in FILES) < 1 << 20
    log.close()


def test_of_a_group_written_twice_the_longer_one_counts(folder: str) -> None:
    """A keeper died behind it, and its successor has written it with commits that came later."""
    log = Log(folder, b"")
    for group in (b"first", b"first and second", b"first"):
        log.append(key_of(1), group, always)
    assert log.groups() == [(key_of(1), b"first and second")]
    log.close()


def torn(content: bytes, group: bytes, at: int, lost: set[int]) -> bytes:
    """The file with a group of which these sectors have not arrived."""
    sectors = [group[i : i + SECTOR] for i in range(0, len(group), SECTOR)]
    left = [bytes(SECTOR) if i in lost else sector for i, sector in enumerate(sectors)]
    return content[:at] + b"".join(left) + content[at + len(group) :]


@pytest.mark.parametrize("lost", [{0}, {1}, {2}, {0, 1}, {1, 2}, {0, 1, 2}])
def test_a_torn_group_is_not_there_and_does_not_come_back(folder: str, lost: set[int]) -> None:
    log = Log(folder, b"")
    log.append(key_of(1), b"whole", always)
    log.close()
    file = Path(folder, FILES[0])
    group = encode(0, 1, key_of(2), b"t" * 1200)
    assert len(group) == 3 * SECTOR
    file.write_bytes(torn(file.read_bytes(), group, SECTOR, lost))
    whole = [(key_of(1), b"whole")]
    assert log_files.read(folder, b"") == whole
    log = Log(folder, b"")
    for number in (2, 3, 4):
        assert log.groups() == whole
        whole.append((key_of(number), b"after"))
        log.append(*whole[-1], always)
    assert log_files.read(folder, b"") == whole
    log.close()


def test_what_is_found_is_made_durable_before_it_counts(
    folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who wrote it may have died before its sync, or the sync may have failed."""
    log = Log(folder, b"")
    log.append(key_of(1), b"synced", always)
    log.append(key_of(2), b"a" * 600, always)
    log.close()
    before = Path(folder, FILES[0]).read_bytes()
    size, calls = len(before), list[object]()
    pwrite, fdatasync = os.pwrite, os.fdatasync

    def note_write(file: int, content: bytes, at: int) -> int:
        calls.append((at, len(content)))
        return pwrite(file, content, at)

    def note_sync(file: int) -> None:
        calls.append("sync")
        fdatasync(file)

    monkeypatch.setattr(os, "pwrite", note_write)
    monkeypatch.setattr(os, "fdatasync", note_sync)
    log = Log(folder, b"")
    assert calls == [(SECTOR, 2 * SECTOR), (3 * SECTOR, size - 3 * SECTOR), "sync"]
    assert Path(folder, FILES[0]).read_bytes() == before
    log.close()


def test_every_bit_that_flips_in_a_group_is_noticed() -> None:
    content = bytearray(
        encode(0, 0, key_of(1), b"a" * 600) + encode(0, 2, key_of(2), b"b") + bytes(SECTOR)
    )
    groups, end = decode(0, bytes(content), b"")
    assert ([key for key, _ in groups], end) == ([key_of(1), key_of(2)], 3)
    for bit in range(8 * 3 * SECTOR):
        content[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Damaged, match=rf"sector {bit // 8 // SECTOR} of log\.0 is not what"):
            decode(0, bytes(content), b"")
        content[bit // 8] ^= 1 << bit % 8


def test_a_sector_of_another_place_or_file_is_damage() -> None:
    with pytest.raises(Damaged, match=r"sector 1 of log\.0"):
        decode(0, 2 * encode(0, 0, key_of(1), b"a") + bytes(SECTOR), b"")
    with pytest.raises(Damaged, match=r"sector 0 of log\.1"):
        decode(1, encode(0, 0, key_of(1), b"a") + bytes(SECTOR), b"")


def test_a_file_that_was_cut_off_or_taken_away_is_missed(folder: str) -> None:
    log = Log(folder, b"")
    log.append(key_of(1), b"a" * 1000, always)
    log.close()
    file = Path(folder, FILES[0])
    whole = file.read_bytes()
    for size in (0, SECTOR, 2 * SECTOR, 2 * SECTOR + 100):
        file.write_bytes(whole[:size])
        with pytest.raises(Damaged, match=r"log\.0 is cut off"):
            log_files.read(folder, b"")
    file.unlink()
    with pytest.raises(Damaged, match=r"log\.0 is missing"):
        Log(folder, b"")


def test_what_a_file_grows_by_is_not_trusted(folder: str, rng: random.Random) -> None:
    """A power cut may leave anything there; it comes to lie behind the zeros of the file."""
    file = Path(folder, FILES[0])
    log = Log(folder, b"")
    size, number = file.stat().st_size, 0
    while file.stat().st_size == size:
        before, number = file.read_bytes(), number + 1
        log.append(key_of(number), b"x", always)
    log.close()
    file.write_bytes(before + rng.randbytes(len(before)))
    log = Log(folder, b"")
    assert [key for key, _ in log.groups()] == [key_of(i) for i in range(1, number)]
    log.append(key_of(number), b"y" * 9000, always)
    log.close()
    assert log_files.read(folder, key_of(number - 1)) == [(key_of(number), b"y" * 9000)]


@pytest.mark.parametrize("first", [0, 1])
def test_what_is_read_while_the_turn_changes_has_no_gap(
    folder: str, first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Groups come into both files, in any order, after one of them was read."""
    monkeypatch.setattr(log_files, "_TURN", 2 * SECTOR)
    log, content = Log(folder, b""), log_files._content
    for number in range(1, 2 + 2 * first):
        log.append(key_of(number), b"before", always)
    numbers = iter(range(2 + 2 * first, 5 + 2 * first))

    def write_meanwhile(folder: str, number: int) -> bytes:
        found = content(folder, number)
        for one in islice(numbers, 2 if first == 0 else 1):
            log.forget(key_of(2) if one > 2 else b"")
            log.append(key_of(one), b"meanwhile", always)
        return found

    monkeypatch.setattr(log_files, "_content", write_meanwhile)
    found = [int.from_bytes(key, "big") for key, _ in log_files.read(folder, b"")]
    assert found == list(range(found[0], found[0] + len(found)))
    assert set(range(1, 2 + 2 * first)) <= {*found, 1, 2}
    log.close()


READING = """
import sys
from stmpy.durable.reader import Reader
reader = Reader(sys.argv[1])
print("begun", flush=True)
sys.stdin.readline()
print(*(int.from_bytes(key, "big") for key, _ in reader.scan("log")))
"""


@pytest.mark.parametrize("careless", [False, True])
def test_a_reader_finds_the_log_of_what_it_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, careless: bool
) -> None:
    """Also when all of it was applied since, and the files would have been begun anew."""
    monkeypatch.setattr(log_files, "_TURN", 1)
    if careless:
        monkeypatch.setattr(LmdbBackend, "_unread", lambda self: True)
    journal = Journal(LmdbBackend(str(tmp_path)))

    def append(ts: int) -> None:
        writes = [Write(1, 0, "v", b"\x01", b"\x02")]
        journal.append(ts, format.encode_record(Record(ts, writes)))
        while ts > 2 and journal.apply():
            pass

    append(1)
    append(2)
    command = [sys.executable, "-P", "-c", READING, str(tmp_path)]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "begun\n"
        for ts in (3, 4, 5):
            append(ts)
        found = [int(word) for word in reader.communicate("\n")[0].split()]
    assert found[:2] == ([1, 2] if not careless else [4, 5])
    for ts in (6, 7, 8):
        append(ts)
    assert key_of(1) not in dict(log_files.read(str(tmp_path), b""))  # nobody reads it any more
    journal.close()
