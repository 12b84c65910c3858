"""`stmpy check` names what is damaged; opening what is damaged is refused, and harms nobody."""

from __future__ import annotations

import mmap
import os
import random
import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import stmpy as stm
from stmpy import _native
from stmpy.cli import main
from stmpy.durable import format, log_files, pages
from stmpy.durable.backend import Change, Table, counted
from stmpy.durable.check import check
from stmpy.durable.journal import Journal
from stmpy.durable.lmdb_backend import LmdbBackend
from tests.durable import flips

KEY = format.number_key(1) + _native.encode_key(7)
ROOT, TRANSACTION = 128, 144
"""Where a meta page has the page that it leads to, and the number of its transaction."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A variable with 1500 keys and one with one, applied, and a log."""
    flips.populate(tmp_path / "s")
    return tmp_path / "s"


def rewrite(path: Path, changes: Sequence[Change]) -> None:
    backend = LmdbBackend(str(path))
    backend.write(changes)
    backend.close()


def flip_row(path: Path, table: Table, key: bytes, at: int) -> None:
    """One bit of a value, counted from its end if negative."""
    backend = LmdbBackend(str(path))
    value = bytearray(dict(backend.scan(table))[key])
    value[at] ^= 4
    backend.write([(table, key, bytes(value))])
    backend.close()


def last_group(path: Path) -> bytes:
    backend = LmdbBackend(str(path))
    *_, (key, _) = backend.scan("log")
    backend.close()
    return key


def refused(path: Path, *expected: str) -> None:
    """`check` says this and no more, and the store does not open."""
    assert check(str(path)) == list(expected)
    with pytest.raises(stm.DecodeError):
        stm.open(path)


def test_a_sound_store_closed_open_and_copied(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(path)]) == 0
    with stm.open(path) as store:
        over = threading.Event()

        def write() -> None:
            while not over.is_set():
                with store.atomically():
                    store.TVar("v").add("n")

        writer = threading.Thread(target=write)
        writer.start()
        try:
            assert main(["check", str(path)]) == 0
            store.backup(path.parent / "b")
        finally:
            over.set()
            writer.join()
    assert main(["check", str(path.parent / "b")]) == 0
    assert capsys.readouterr().out.count(": sound\n") == 3
    assert main(["check", str(path.parent / "nothing")]) == 1
    assert "no store is there" in capsys.readouterr().err


def test_a_damaged_row_is_named(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flip_row(path, "data", KEY, -1)
    refused(path, "data: the checksum of v[7] is wrong")
    assert main(["check", str(path)]) == 1
    assert capsys.readouterr().out == f"{path}: data: the checksum of v[7] is wrong\n"


def test_a_row_that_vanished_is_missed(path: Path) -> None:
    rewrite(path, [("data", KEY, None)])
    refused(path, "data: 1501 rows were written, and 1500 are there")


def test_a_row_in_place_of_another_is_noticed(path: Path) -> None:
    rest = b"\0" + _native.encode("other")
    rewrite(path, [("data", KEY, format.encode_checked(KEY, rest))])
    refused(path, "data: the checksums of all rows do not add up to what was written")


def test_a_page_of_another_kind_is_damage(path: Path) -> None:
    with open(path / "data.mdb", "r+b") as file, mmap.mmap(file.fileno(), 0) as all_pages:
        newest = max(state for i in (0, 1) if (state := pages._state(all_pages, i)) is not None)
        root = pages._root(pages._tables(all_pages, newest.root)[b"names"])
        all_pages[root * mmap.PAGESIZE + 10] = 4
    with pytest.raises(stm.DecodeError, match=r"names: .*CORRUPTED"):
        stm.open(path)


def test_other_tables(path: Path) -> None:
    group = last_group(path)
    flip_row(path, "log", group, -1)
    number = int.from_bytes(group, "big")
    refused(path, f"log: group {number}: the checksum of the record at byte 0 is wrong")
    flip_row(path, "log", group, -1)
    flip_row(path, "meta", format.META_KEY, -1)
    refused(path, "meta: the checksum is wrong")
    flip_row(path, "meta", format.META_KEY, -1)
    flip_row(path, "names", format.number_key(1), -1)
    found = check(str(path))
    assert found[0] == "names: the checksum of variable 1 is wrong"


def test_a_newer_format_is_refused(path: Path) -> None:
    fields = _native.encode({"format": 3})
    value = format.encode_checked(format.META_KEY, fields)
    rewrite(path, [("meta", format.META_KEY, value)])
    assert "the format is version 3" in check(str(path))[0]
    with pytest.raises(stm.DecodeError, match="version 3, and this stmpy reads version 2"):
        stm.open(path)


def test_pages_that_kill_their_reader_are_a_finding(path: Path) -> None:
    os.truncate(path / "data.mdb", 3 * mmap.PAGESIZE)
    found = check(str(path))[-1]
    assert "reading them ended a process by SIG" in found or "MDB_" in found
    with pytest.raises((stm.DurabilityError, stm.DecodeError)):
        stm.open(path)


def undo_last_transaction(path: Path) -> bool:
    """Flip the one bit that makes LMDB take the transaction before, if there is one that does."""
    with (path / "data.mdb").open("r+b") as file:
        places = [page * mmap.PAGESIZE + TRANSACTION for page in (0, 1)]
        numbers = []
        for place in places:
            file.seek(place)
            numbers.append(int.from_bytes(file.read(8), "little"))
        newest = max(numbers)
        if newest ^ 2 > newest:
            return False
        file.seek(places[numbers.index(newest)])
        file.write((newest ^ 2).to_bytes(8, "little"))
    return True


def test_a_transaction_undone_by_one_bit_is_noticed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_files, "_TURN", 1)
    for _ in range(2):
        journal = Journal(LmdbBackend(str(path)))
        ts = journal.last + 1
        journal.append(ts, group(ts))
        while journal.apply():
            pass
        journal.append(ts + 1, group(ts + 1))
        journal.append(ts + 2, group(ts + 2))  # where the first one was
        journal.close()
        if undo_last_transaction(path):
            break
    undone, *others = check(str(path))
    assert "older than what it leads to" in undone
    assert all(one.startswith("log: commits ") for one in others)  # the later ones are in the log
    refused(path, undone, *others)
    monkeypatch.setattr(flips, "check_header", lambda path: None)
    with pytest.raises(format.Damaged, match="are missing"):  # LMDB alone is deceived
        flips.contents(path)


def group(ts: int) -> bytes:
    write = format.Write(1, 0, "v", _native.encode_key(ts), b"\x02")
    return format.encode_record(format.Record(ts, [write]))


@pytest.mark.parametrize("numbers", [(6, 9), (7, 8), (8, 8)])
def test_numbers_of_meta_pages_that_do_not_follow_each_other(
    path: Path, numbers: tuple[int, int]
) -> None:
    with (path / "data.mdb").open("r+b") as file:
        for page, number in enumerate(numbers):
            file.seek(page * mmap.PAGESIZE + TRANSACTION)
            file.write(number.to_bytes(8, "little"))
    with pytest.raises(format.Damaged, match="the transactions of its meta pages are"):
        pages.check_header(str(path))


FLIPS = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.durable import flips
"""


def lead(path: Path, root: int | None) -> None:
    """Make the newest meta page lead to this page, or to where the other one does."""
    with (path / "data.mdb").open("r+b") as file, mmap.mmap(file.fileno(), 0) as data:
        states = [pages._state(data, i) for i in (0, 1)]
        losing, winning = sorted(state for state in states if state is not None)
        at = winning.transaction % 2 * mmap.PAGESIZE + ROOT
        data[at : at + 8] = (losing.root if root is None else root).to_bytes(8, "little")


def leaf_of_rows(path: Path) -> int:
    """A page that holds rows of `data`."""
    with (path / "data.mdb").open("rb") as file, mmap.mmap(file.fileno(), 0, prot=1) as data:
        state = max(state for i in (0, 1) if (state := pages._state(data, i)) is not None)
        root = pages._root(pages._tables(data, state.root)[b"data"])
        at = root * mmap.PAGESIZE
        first = int.from_bytes(data[at + 16 : at + 18], "little")
        low, high, top, _ = pages._NODE.unpack_from(data, at + first)
        return int(low | high << 16 | top << 32)


def test_a_root_that_leads_elsewhere_is_refused(path: Path) -> None:
    whole = (path / "data.mdb").read_bytes()
    lead(path, None)
    assert "both meta pages lead to one page" in check(str(path))[0]
    with pytest.raises(stm.DecodeError, match="both meta pages"):
        stm.open(path)
    (path / "data.mdb").write_bytes(whole)
    lead(path, leaf_of_rows(path))
    with pytest.raises(stm.DecodeError, match="leads to no list of tables"):
        stm.open(path)


def test_rows_that_lmdb_has_counted_are_missed() -> None:
    rows = [(b"a", b""), (b"b", b"")]
    assert list(counted("log", iter(rows), 2)) == rows
    with pytest.raises(format.Damaged, match="log: 3 keys were written, and 2 are there"):
        list(counted("log", iter(rows), 3))


def test_flipped_bits_deceive_nobody(in_process: Callable[..., str], rng: random.Random) -> None:
    seed = str(rng.randrange(2**32))
    out = in_process(FLIPS + "sys.exit(flips.main())", "200", seed)
    assert "read refused, found by check" in out


def test_a_check_that_looks_at_nothing_is_caught(
    in_process: Callable[..., str], rng: random.Random
) -> None:
    blind = "flips.findings = lambda path: iter(())\nsys.exit(flips.main())"
    in_process(FLIPS + blind, "60", str(rng.randrange(2**32)), code=1)


def test_opening_after_a_flip_is_right_or_refused(path: Path, rng: random.Random) -> None:
    with stm.open(path) as store:
        expected = store.TVar("v").copy()
    for i in range(12):
        damaged = path.parent / f"d{i}"
        shutil.copytree(path, damaged)
        print(flips.flip(damaged / "data.mdb", rng))
        try:
            with stm.open(damaged) as store:
                assert store.TVar("v") == expected
        except (stm.DecodeError, stm.DurabilityError):
            continue
