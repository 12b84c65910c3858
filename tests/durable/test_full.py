"""A disk of 1 MiB that runs full, and has room again: while blocks commit, and in each command."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

import stmpy as stm
from stmpy import _native
from stmpy.cli import main
from stmpy.durable.backend import BackendFull, Change
from stmpy.durable.lmdb_backend import LmdbBackend
from tests.durable.inside import EVER, state_of

NO_ROOM = "o space left"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Where a tmpfs of 1 MiB is mounted."""
    path = tmp_path / "disk"
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "none", str(path)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a tmpfs cannot be mounted here")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


def make_room(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=16m", str(disk)], check=True)


def fill(disk: Path) -> None:
    """Leave no byte."""
    with suppress(OSError), (disk / "filler").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def populate(path: Path, size: int) -> None:
    with stm.open(path) as store, store.atomically():
        store.TVar("v").update({key: bytes([key]) * (size // 100) for key in range(100)})


def put_until_full(store: stm.Store, size: int, known: list[int]) -> None:
    for key in range(100_000):
        with store.atomically():
            store.TVar("v")[key % 1000] = bytes(size) + bytes([key % 256])
        known.append(key)


@pytest.mark.parametrize("size", [10, 5_000, 40_000, 90_000])
def test_blocks_go_on_when_there_is_room_again(disk: Path, size: int) -> None:
    """Of large values a write gets on to the end of the room, which LMDB calls an I/O error."""
    known: list[int] = []
    store = stm.open(disk / "s")
    with pytest.raises((stm.CommitUnknown, stm.DurabilityError), match=NO_ROOM):
        put_until_full(store, size, known)
    assert state_of(store).name in ("FULL", "RUNNING")
    assert len(store.TVar("v")) >= min(len(known), 1000)  # reads go on
    make_room(disk)
    while state_of(store).name != "RUNNING":
        _native._durable_wait(store, EVER, 0.01)
    for key in range(2000, 2010):
        with store.atomically():
            store.TVar("v")[key] = bytes(size)
    store.close()
    with stm.open(disk / "s") as store:
        found = dict(store.TVar("v"))
    assert {key % 1000 for key in known} | set(range(2000, 2010)) <= set(found)
    assert main(["check", str(disk / "s")]) == 0


def test_a_full_disk_is_not_opened_on(disk: Path) -> None:
    populate(disk / "s", 1000)
    (disk / "s/lock.mdb").unlink()
    fill(disk)
    for path in (disk / "s", disk / "new"):
        with pytest.raises((stm.DurabilityError, OSError), match=NO_ROOM):
            stm.open(path)
    make_room(disk)
    with stm.open(disk / "s") as store:
        assert len(store.TVar("v")) == 100
    stm.open(disk / "new").close()


def test_a_copy_is_not_read_where_no_file_can_be_made(
    disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    populate(disk / "s", 1000)
    (disk / "s/lock.mdb").unlink()
    fill(disk)
    assert main(["keys", str(disk / "s")]) != 0
    assert NO_ROOM in capsys.readouterr().err
    make_room(disk)
    assert main(["keys", str(disk / "s")]) == 0


def test_load_stops_and_goes_on(
    disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    populate(tmp_path / "s", 1_500_000)
    dump = tmp_path / "dump"
    assert main(["dump", str(tmp_path / "s"), "-o", str(dump)]) == 0
    assert main(["load", str(disk / "s"), str(dump)]) != 0
    assert NO_ROOM in capsys.readouterr().err
    assert main(["check", str(disk / "s")]) == 0
    make_room(disk)
    assert main(["load", str(disk / "s"), str(dump)]) == 0
    assert main(["check", str(disk / "s")]) == 0
    with stm.open(disk / "s") as store, stm.open(tmp_path / "s") as source:
        assert store.TVar("v") == source.TVar("v")


def test_set_says_that_there_is_no_room(disk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    populate(disk / "s", 1000)
    fill(disk)
    assert main(["set", str(disk / "s"), "v", "1", f'"{"x" * 100_000}"']) != 0
    assert NO_ROOM in capsys.readouterr().err
    make_room(disk)
    assert main(["set", str(disk / "s"), "v", "1", '"y"']) == 0
    assert main(["check", str(disk / "s")]) == 0


def test_a_backup_and_a_dump_that_do_not_fit(
    disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    populate(tmp_path / "s", 1_500_000)
    with stm.open(tmp_path / "s") as store:
        with pytest.raises(stm.DurabilityError, match=NO_ROOM):
            store.backup(disk / "copy")
        assert list(disk.iterdir()) == []
        with store.atomically():
            store.TVar("v")["more"] = 1
        assert main(["dump", str(tmp_path / "s"), "-o", str(disk / "dump")]) != 0
        assert NO_ROOM in capsys.readouterr().err
        assert list(disk.iterdir()) == []
        make_room(disk)
        store.backup(disk / "copy")
        assert main(["dump", str(tmp_path / "s"), "-o", str(disk / "dump")]) == 0
    assert main(["check", str(disk / "copy")]) == 0


def test_a_map_that_grows_on_a_full_disk(disk: Path) -> None:
    (disk / "s").mkdir()
    backend = LmdbBackend(str(disk / "s"), 1 << 19)
    rows: list[Change] = [("data", bytes([key]), bytes(100_000)) for key in range(20)]
    full = 0
    for row in rows:
        try:
            backend.write([row])
        except BackendFull:
            full += 1
    assert 0 < full < len(rows)
    assert len(list(backend.scan("data"))) == len(rows) - full
    make_room(disk)
    backend.write(rows)
    assert len(list(backend.scan("data"))) == len(rows)
    backend.close()
