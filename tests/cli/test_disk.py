"""The commands that work on the files of a store, with it closed and open."""

from __future__ import annotations

import os
import pty
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import stmpy as stm
from stmpy import _native
from stmpy.cli import main
from stmpy.durable.reader import reading
from tests.durable.values import VALUES

type Run = Callable[..., str]
COMMAND = [sys.executable, "-P", "-m", "stmpy"]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs a command line that has to end with `code`; what it printed, and said on errors."""

    def run(*words: object, code: int = 0) -> str:
        assert main([str(word) for word in words]) == code
        out, errors = capfd.readouterr()
        assert bool(errors) == bool(code) or words[0] == "load", errors
        return errors if code else out

    return run


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with a value of every kind, a deleted key and an empty variable."""
    with stm.open(tmp_path / "s") as store:
        values, best = store.TVar("values"), store.TRef("best", 42)
        with store.atomically():
            values.update(enumerate(VALUES))
            values["gone"] = store.TVar("empty")["gone"] = 1
        with store.atomically():
            del values["gone"], store.TVar("empty")["gone"]
            best.value += 1
    return tmp_path / "s"


def contents(path: Path) -> dict[tuple[str, int, bytes], tuple[int, bytes]]:
    """All that a store is, down to the flags and bytes."""
    with reading(str(path)) as journal:
        found = {}
        for row in journal.contents():
            found[*journal.names[row.number], row.key] = (row.flags, row.value)
        for name, kind in journal.names.values():
            found[name, kind, b""] = (0, b"")
    return found


def test_keys_and_get(path: Path, run: Run) -> None:
    assert f"{len(VALUES):>12} TVar values\n" in run("keys", path)
    assert "           0 TVar empty\n" in run("keys", path)
    assert run("keys", path, "values").split() == [str(i) for i in range(len(VALUES))]
    assert run("get", path, "best") == "43\n"
    assert run("get", path, "values", VALUES.index((1, (2,)))) == '{"$tuple":[1,{"$tuple":[2]}]}\n'
    assert run("get", path, "values").count("\n") == len(VALUES)
    assert "no key gone" in run("get", path, "values", "gone", code=1)
    assert "no variable of this name" in run("get", path, "nothing", code=1)
    assert "no store is there" in run("keys", path.parent / "nowhere", code=1)


def test_set_is_read_by_the_store(path: Path, run: Run) -> None:
    run("set", path, "values", "word", '{"a":[1,{"$tuple":[2]}]}')
    run("set", path, "best", "44")
    run("set", path, "new", '{"$tuple":[1]}', '{"$bytes":"ff"}')
    with stm.open(path) as store, store.atomically():
        assert store.TVar("values")["word"] == {"a": [1, (2,)]}
        store.TVar("values")["word"]["a"].append(3)  # kept only if it is known to be mutable
        assert store.TRef("best").value == 44
        assert store.TVar("new") == {(1,): b"\xff"}
    assert run("get", path, "values", "word") == '{"a":[1,{"$tuple":[2]},3]}\n'
    assert "is a TRef here" in run("set", path, "best", "1", "1", code=1)
    assert "no JSON value" in run("set", path, "best", "{", code=1)
    assert "no store is there" in run("set", path.parent / "nowhere", "v", "1", "1", code=1)


@pytest.mark.parametrize("form", ["--cbor", "-o"])
def test_a_dump_loaded_is_an_equal_store(path: Path, run: Run, form: str) -> None:
    file, target = path.parent / "dump", path.parent / "t"
    run("dump", path, "-o", file, *(("--cbor",) if form == "--cbor" else ()))
    assert file.read_bytes().startswith(b"{" if form == "-o" else b"\x82")
    assert "File exists" in run("dump", path, "-o", file, code=1)
    run("load", target, file)
    assert contents(target) == contents(path)
    assert stat.S_IMODE((target / "data.mdb").stat().st_mode) == 0o600
    run("load", target, file)
    assert contents(target) == contents(path)
    with stm.open(target) as store:
        assert _native.encode(list(store.TVar("values").values())) == _native.encode(VALUES)


def test_without_lmdb_the_commands_say_what_is_missing(
    path: Path, in_process: Callable[..., str]
) -> None:
    words = [["keys"], ["set", "v", "1"], ["check"], ["backup", "t"], ["load"]]
    program = f"""
import io, sys, contextlib
sys.modules["lmdb"] = None
from stmpy.cli import main
with contextlib.suppress(SystemExit):
    main(["--help"])
for verb, *more in {words}:
    with contextlib.redirect_stderr(io.StringIO()) as said:
        assert main([verb, {str(path)!r}, *more]) == 1
    assert "pip install 'stmpy-store[lmdb]'" in said.getvalue(), said.getvalue()
"""
    assert "usage: stmpy" in in_process(program)


def test_pipes(path: Path) -> None:
    dump = subprocess.Popen([*COMMAND, "dump", path], stdout=subprocess.PIPE)
    subprocess.run([*COMMAND, "load", path.parent / "t"], stdin=dump.stdout, check=True)
    assert dump.stdout is not None
    dump.stdout.close()
    assert dump.wait() == 0
    assert contents(path.parent / "t") == contents(path)


def test_a_reader_that_leaves_is_no_error(path: Path, run: Run) -> None:
    for i in range(3):
        run("set", path, "values", f"large{i}", f'"{"x" * 100_000}"')
    with subprocess.Popen(
        [*COMMAND, "dump", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as dump:
        assert dump.stdout is not None
        assert dump.stderr is not None
        dump.stdout.read(10)
        dump.stdout.close()
        assert dump.stderr.read() == b""
        assert dump.wait() == 0


def lines(count: int) -> list[str]:
    items = [f'{{"variable":"v","key":{i},"value":{i}}}' for i in range(count)]
    return ['{"variable":"v","kind":"TVar"}', *items, f'{{"end":{count}}}']


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[:-1], "entry 2502: the dump is cut off here"),
        (lambda text: [*text[:-1], '{"end":2}'], "the dump had 2 keys, and 2500 were read"),
        (lambda text: [*text, text[1]], "entry 2503: something follows"),
        (lambda text: [*text[:2300], text[2300][:-3], *text[2301:]], "entry 2301: no JSON value"),
        (lambda text: [*text[:2300], '{"a":1}', *text[2301:]], "entry 2301: neither a variable"),
        (lambda text: [*text[:2300], "7", *text[2301:]], "entry 2301: neither a variable"),
    ],
    ids=["cut", "count", "more", "line", "other", "number"],
)
def test_a_bad_dump_is_loaded_up_to_a_whole_block(
    tmp_path: Path, run: Run, damage: Callable[[list[str]], list[str]], message: str
) -> None:
    (tmp_path / "dump").write_text("\n".join(damage(lines(2500))))
    said = run("load", tmp_path / "t", tmp_path / "dump", code=1)
    assert message in said
    kept = len([key for key in contents(tmp_path / "t") if key[2]])
    assert f"; {kept:,} keys before it are in the store" in said
    assert kept == 1999  # two blocks of 1000, of which the variable is one


def test_a_bad_sequence_is_refused(path: Path, run: Run) -> None:
    file = path.parent / "dump"
    run("dump", path, "--cbor", "-o", file)
    whole = file.read_bytes()
    file.write_bytes(whole[:-200])
    assert "cut off within a CBOR item" in run("load", path.parent / "t", file, code=1)
    file.write_bytes(b"")
    assert "the dump is cut off here" in run("load", path.parent / "t", file, code=1)
    file.write_bytes(b"\xff" + whole)
    assert "indefinite or reserved" in run("load", path.parent / "t", file, code=1)


def test_an_open_store_is_read_and_not_written(path: Path, run: Run) -> None:
    with stm.open(path) as store:
        with store.atomically():
            store.TVar("values")["now"] = 1
        assert run("get", path, "values", "now") == "1\n"
        assert '"key":"now"' in run("dump", path)
        run("backup", path, path.parent / "b")
        assert f"is open in process {os.getpid()};" in run("set", path, "values", "a", "1", code=1)
        assert "is open in process" in run("load", path, os.devnull, code=1)
        with store.atomically():
            store.TVar("values")["now"] = 2
    assert run("get", path.parent / "b", "values", "now") == "1\n"


def test_a_backup_while_writers_run_is_one_moment(tmp_path: Path, run: Run) -> None:
    with stm.open(tmp_path / "s") as store:
        pair = store.TVar("pair", {"a": 0, "b": 0})
        ready, over = threading.Event(), threading.Event()

        def write() -> None:
            while not over.is_set():
                with store.atomically():
                    pair["a"] += 1
                    pair["b"] -= 1
                ready.set()

        writer = threading.Thread(target=write)
        writer.start()
        ready.wait()
        try:
            for i in range(3):
                before = pair["a"]
                store.backup(tmp_path / f"b{i}")
                with stm.open(tmp_path / f"b{i}") as copy:
                    assert copy.TVar("pair")["a"] == -copy.TVar("pair")["b"] >= before
        finally:
            over.set()
            writer.join()
        with pytest.raises(stm.DurabilityError, match="is there already"):
            store.backup(tmp_path / "b0")
        with pytest.raises(stm.DurabilityError, match="No such file"):
            store.backup(tmp_path / "no" / "b")
    with pytest.raises(ValueError, match="in memory"):
        stm.open().backup(tmp_path / "b9")
    assert stat.S_IMODE((tmp_path / "b0").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "b0/data.mdb").stat().st_mode) == 0o600


def test_a_bar_is_drawn_on_a_terminal(path: Path) -> None:
    main_end, other_end = pty.openpty()
    environment = os.environ | {"TERM": "xterm"}
    command = [*COMMAND, "dump", str(path), "-o", str(path.parent / "dump")]
    subprocess.run(command, stderr=other_end, check=True, env=environment)
    os.close(other_end)
    shown = os.read(main_end, 4096).decode()
    os.close(main_end)
    assert "dump" in shown
    assert "keys" in shown
