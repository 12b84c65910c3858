"""Opening: what is found again, who may, and who is refused with which words."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import stmpy as stm
from stmpy import _native
from stmpy.cli import main
from stmpy.durable import files, format, log_files
from stmpy.durable.backend import BackendFailed
from stmpy.durable.check import check
from stmpy.durable.journal import Journal
from stmpy.durable.lmdb_backend import LmdbBackend
from stmpy.statistics import Durability
from tests.conftest import Interpreters

type InProcess = Callable[..., Any]

FILES = ["data.mdb", "lock.mdb", "log.0", "log.1", "owner"]


def test_what_was_written_is_there_again(tmp_path: Path) -> None:
    values: dict[Any, Any] = {
        "text": "ä\0", 7: [1, (2, 3)], (1, "b"): {"k": {1}}, None: 1.5, True: 2**90, b"b": b"\xff"
    }  # fmt: skip
    with stm.open(tmp_path / "s") as store:
        table, one = store.TVar("table", {"gone": 1}), store.TRef("one", 5)
        with store.atomically():
            table |= values
            del table["gone"]
            one.value += 1
    with stm.open(tmp_path / "s") as store:
        assert dict(store.TVar("table", {"never": 0})) == values
        assert store.TRef("one", 99).value == 6
        with store.atomically():
            store.TVar("table")["more"] = 1
    with stm.open(tmp_path / "s") as store:
        assert dict(store.TVar("table")) == values | {"more": 1}


def test_files_are_for_the_owner_alone(tmp_path: Path) -> None:
    with stm.open(tmp_path / "s") as store:
        assert store.path == str(tmp_path / "s")
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "s").iterdir()}
    assert modes == dict.fromkeys(FILES, 0o600)
    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o700


def test_a_second_open_is_the_same_store(tmp_path: Path) -> None:
    with stm.open(tmp_path / "s") as store:
        again = stm.open(str(tmp_path / "s" / ".." / "s"))
        assert again == store
        with again.atomically():
            again.TVar("v")["k"] = 1
        assert store.TVar("v")["k"] == 1
    with pytest.raises(stm.StoreClosed):
        dict(again.TVar("v"))


def test_isolated_interpreters_open_too(tmp_path: Path, interpreters: Interpreters) -> None:
    program = """
        import stmpy as stm
        store = stm.open(path)
        with store.atomically():
            v = store.TVar("v")
            v["n"] = v.get("n", 0) + 1
        """
    interpreters.run_each(program, 2, path=str(tmp_path / "s"))
    with stm.open(tmp_path / "s") as store:
        assert store.TVar("v")["n"] == 2


def test_another_process_is_told_the_owner(tmp_path: Path, in_process: InProcess) -> None:
    program = f"""
import stmpy as stm
try:
    stm.open({str(tmp_path / "s")!r})
except stm.DurabilityError as error:
    print(error)
"""
    with stm.open(tmp_path / "s"):
        assert f"is open in process {os.getpid()};" in in_process(program)
        assert files.owner_of(str(tmp_path / "s")) == os.getpid()
    assert files.owner_of(str(tmp_path / "s")) is None
    assert in_process(program) == ""


def refused(path: Path, reason: str) -> None:
    with pytest.raises(stm.DurabilityError, match=reason):
        stm.open(path)


def test_what_others_could_have_changed_is_refused(tmp_path: Path) -> None:
    stm.open(tmp_path / "s").close()
    (tmp_path / "link").symlink_to("s")
    refused(tmp_path / "link", "is a symbolic link")
    (tmp_path / "s").chmod(0o770)
    refused(tmp_path / "s", "others may write to it .mode 770.")
    (tmp_path / "s").chmod(0o700)
    for name in FILES:
        (tmp_path / "s" / name).chmod(0o620)
        refused(tmp_path / "s", f"{name}: others may write to it .mode 620.")
        (tmp_path / "s" / name).rename(tmp_path / "elsewhere")
        (tmp_path / "s" / name).symlink_to(tmp_path / "elsewhere")
        refused(tmp_path / "s", f"{name}: is a symbolic link")
        (tmp_path / "s" / name).unlink()
        (tmp_path / "s" / name).mkdir()
        refused(tmp_path / "s", f"{name}: is not a regular file")
        (tmp_path / "s" / name).rmdir()
    (tmp_path / "file").touch()
    refused(tmp_path / "file", "is not a directory")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_the_store_of_another_user_is_refused(tmp_path: Path) -> None:
    stm.open(tmp_path / "s").close()
    os.chown(tmp_path / "s", 12345, 12345)
    refused(tmp_path / "s", "belongs to user 12345, and this is user 0")


def test_files_of_another_format_are_refused(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir(0o700)
    (tmp_path / "s/data.mdb").write_bytes(b"a book, not a store" * 1000)
    (tmp_path / "s/data.mdb").chmod(0o600)
    refused(tmp_path / "s", "INVALID|not an LMDB file|Invalid")


def test_an_empty_file_is_no_new_store(tmp_path: Path) -> None:
    with stm.open(tmp_path / "s") as store:
        store.TRef("r", 1)
    os.truncate(tmp_path / "s/data.mdb", 0)
    with pytest.raises(stm.DecodeError, match="is empty, which no power cut leaves"):
        stm.open(tmp_path / "s")
    assert all(found.startswith("data.mdb: is empty") for found in check(str(tmp_path / "s")))
    (tmp_path / "s/data.mdb").unlink()
    with pytest.raises(stm.DecodeError, match="is missing, and the log holds commits"):
        stm.open(tmp_path / "s")
    shutil.rmtree(tmp_path / "s")
    with stm.open(tmp_path / "s") as store:
        assert store.TRef("r", 2).value == 2


@pytest.mark.parametrize("file", log_files.FILES)
@pytest.mark.parametrize("where", [0, 0.4, 0.8])
def test_zeros_that_have_come_into_the_log_are_refused(
    tmp_path: Path, file: str, where: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commits behind them are there, in the same file or in the other one."""
    monkeypatch.setattr(log_files, "_TURN", 8000)
    (tmp_path / "s").mkdir(0o700)
    journal = Journal(LmdbBackend(str(tmp_path / "s")))
    for ts in range(1, 41):
        write = format.Write(1, 0, "v", _native.encode_key(ts), b"\x02")
        journal.append(ts, format.encode_record(format.Record(ts, [write])))
        if ts == 10:
            journal.apply()
    journal.close()
    path = tmp_path / "s" / file
    content = bytearray(path.read_bytes())
    last = len(bytes(content).rstrip(b"\0")) // log_files.SECTOR
    place = int(where * last) * log_files.SECTOR
    content[place : place + log_files.SECTOR] = bytes(log_files.SECTOR)
    path.write_bytes(content)
    with pytest.raises(stm.DecodeError, match="log: "):
        stm.open(tmp_path / "s")
    assert any(found.startswith("log: ") for found in check(str(tmp_path / "s")))


def test_the_first_opening_cut_off_leaves_a_store_to_open(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir(0o700)
    for name in ("data.part", "log.0"):
        (tmp_path / "s" / name).write_bytes(b"\xff" * 5000)
    with stm.open(tmp_path / "s") as store:
        store.TRef("r", 1)
    assert not (tmp_path / "s/data.part").exists()


def test_names_that_cannot_be_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What may not be found again is refused, but for a directory that somebody else has made."""
    synced, sync = [], os.fsync

    def fail(descriptor: int) -> None:
        raise OSError(errno.EINVAL, "no such call")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(BackendFailed, match=f"no such call, when the names .*{tmp_path}"):
        LmdbBackend(str(tmp_path))
    monkeypatch.setattr(os, "fsync", sync)

    def sync_readable(folder: str) -> None:
        if folder == str(tmp_path.parent):
            raise PermissionError(errno.EACCES, "may not be read", folder)
        synced.append(folder)

    monkeypatch.setattr(files, "sync_names", sync_readable)
    LmdbBackend(str(tmp_path)).close()
    assert set(synced) == {str(tmp_path)}


def test_a_store_that_does_not_fit_says_so(tmp_path: Path) -> None:
    with stm.open(tmp_path / "s") as store, store.atomically():
        store.TVar("v")["k"] = "x" * 500_000
    with pytest.raises(stm.StoreFull, match="larger max_bytes"):
        stm.open(tmp_path / "s", max_bytes=1 << 18)
    with stm.open(tmp_path / "s") as store:
        assert len(store.TVar("v")["k"]) == 500_000


def test_arguments_that_make_no_sense(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'sync' or 'relaxed'"):
        stm.open(tmp_path / "s", durability="sometimes")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="a path or a name"):
        stm.open(tmp_path / "s", name="n")


def tell(store: stm.Store) -> Durability:
    durability = store.stats().durability
    assert durability is not None
    return durability


def test_a_returned_block_is_durable_and_stats_say_so(tmp_path: Path) -> None:
    with stm.open(tmp_path / "s") as store:
        for i in range(5):
            with store.atomically() as tx:
                store.TVar("v")[i] = i
            assert tx.version is not None
            assert tell(store).version >= tx.version
        durability = tell(store)
        assert (durability.state, durability.mode, durability.lag) == ("running", "sync", 0)
        assert durability.groups == durability.group_sizes.total == durability.sync_micros.total
    assert tell(store).state == "closed"


def test_relaxed_is_durable_after_flush(tmp_path: Path) -> None:
    with stm.open(tmp_path / "s", durability="relaxed") as store:
        for i in range(50):
            with store.atomically():
                store.TVar("v")[i] = i
        store.flush()
        assert (tell(store).lag, tell(store).mode) == (0, "relaxed")
    stm.open().flush()  # a store in memory has nothing to wait for


def test_progress_tells_how_far_it_is(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    with stm.open(tmp_path / "s") as store, store.atomically():
        for i in range(3000):
            store.TVar("v")[i] = i
    stm.open(tmp_path / "s", progress=lambda *call: calls.append(call)).close()
    assert calls == sorted(calls)
    assert all(loaded <= of for loaded, of in calls)
    assert calls[-1] == (3000, 3000)  # all of it still in the log


def test_a_new_store_is_ready_as_soon_as_its_keeper_is(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    stm.open(tmp_path / "s", progress=lambda *call: calls.append(call)).close()
    assert calls == [(0, 0)]


def test_a_failed_progress_callback_leaves_nothing_open(tmp_path: Path) -> None:
    def fail(loaded: int, of: int) -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        stm.open(tmp_path / "s", progress=fail)
    stm.open(tmp_path / "s").close()


def test_opens_leave_no_process_and_no_descriptor(tmp_path: Path) -> None:
    before = set(os.listdir("/proc/self/fd"))
    for _ in range(5):
        store = stm.open(tmp_path / "s")
        keeper = _native._durable_state(store)["keeper"]
        with store.atomically():
            store.TVar("v")["k"] = 1
        store.close()
        with pytest.raises(ProcessLookupError):
            os.kill(keeper, 0)
        del store
    left = set(os.listdir("/proc/self/fd")) - before
    assert len(left) <= 3, left  # the last store's region and pipe stay until this thread is back
    assert sorted(p.name for p in (tmp_path / "s").iterdir()) == FILES


def test_stmpy_list_shows_the_keeper(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with stm.open(tmp_path / "s") as store:
        keeper = _native._durable_state(store)["keeper"]
        assert main(["list", "--json"]) == 0
        rows = json.loads(capsys.readouterr().out)
        assert (str(tmp_path / "s"), keeper) in {(row["path"], row["keeper"]) for row in rows}
        assert main(["list"]) == 0
        assert f"on disk in {tmp_path / 's'}, kept by process {keeper}\n" in capsys.readouterr().out
        with stm.open() as memory:
            assert memory.path is None
            assert main(["list", "--json"]) == 0
            rows = json.loads(capsys.readouterr().out)
            assert any(row["path"] is row["keeper"] is None for row in rows)


def test_the_keeper_has_nothing_of_its_starter(tmp_path: Path) -> None:
    os.environ["STMPY_SECRET"] = "x"
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    try:
        with stm.open(tmp_path / "s") as store:
            state = _native._durable_state(store)
            lifeline = os.readlink(f"/proc/self/fd/{_native._durable_files(store)[1]}")
            environment = Path(f"/proc/{state['keeper']}/environ").read_bytes()
            links = [
                os.readlink(link)
                for pid in (state["keeper"], state["guard"])
                for link in Path(f"/proc/{pid}/fd").iterdir()
            ]
    finally:
        del os.environ["STMPY_SECRET"]
        os.close(reader)
        os.close(writer)
    assert b"SECRET" not in environment
    own = ("/dev/null", "/memfd:", str(tmp_path), lifeline)
    assert [link for link in links if not link.startswith(own)] == []
