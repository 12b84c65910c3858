"""What another process sees of a store on disk: how far the disk is, and who waits for it."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import jsonschema  # type: ignore[import-untyped]
import pytest
from prometheus_client.parser import text_string_to_metric_families

import stmpy as stm
from stmpy.cli import main
from stmpy.dashboard._once import once
from stmpy.dashboard._timeline import Timeline
from stmpy.statistics import Attached, Durability, Stats, attach, difference
from stmpy.statistics._gather import gather
from stmpy.statistics._image import LAYOUT, Image
from tests.seeing.observed import go_on, observed

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/stats.schema.json").read_text())
PROGRAM = """
import threading
store = stm.open({path!r}, durability={mode!r})
table = store.TVar("t", {{"n": 0}})
@store.atomically(label="pay")
def pay():
    table["n"] += 1
for _ in range(3):
    pay()
rest()
threads = [threading.Thread(target=pay) for _ in range(2)]
for thread in threads:
    thread.start()
rest()
"""


@contextmanager
def on_disk(path: Path, mode: str = "sync") -> Iterator[tuple[int, Attached]]:
    """The process of a store on disk that has committed three times and more, and its reader."""
    program = PROGRAM.format(path=str(path), mode=mode)
    with observed(program) as process, attach(str(path)) as attached:
        yield process.pid, attached


def disk(stats: Stats) -> Durability:
    assert stats.durability is not None
    return stats.durability


def seen(attached: Attached, wanted: Callable[[Stats], bool]) -> Stats:
    """The first record that is as wanted."""
    end = monotonic() + 30
    while not wanted(stats := attached.read()):
        assert monotonic() < end, stats
    return stats


def test_the_state_of_the_disk_is_seen_from_outside(tmp_path: Path) -> None:
    with on_disk(tmp_path / "s") as (process, attached):
        stats = attached.read()
        found = disk(stats)
        assert (stats.store, found.path) == (str(tmp_path / "s"), str(tmp_path / "s"))
        assert (found.mode, found.state, found.message, found.lag) == ("sync", "running", "", 0)
        assert found.version == stats.version > 3
        assert found.keeper not in (0, process)
        assert found.groups == found.group_sizes.total == found.sync_micros.total > 0
        assert {thread.process for thread in stats.threads} == {process, found.keeper}
        none = disk(difference(stats, stats))
        assert (none.groups, none.sync_micros.total, none.version) == (0, 0, found.version)


def test_who_waits_for_the_disk_is_seen_to(tmp_path: Path) -> None:
    program = PROGRAM.format(path=str(tmp_path / "s"), mode="sync")
    with observed(program) as process, attach(str(process.pid)) as attached:
        keeper = disk(attached.read()).keeper
        os.kill(keeper, signal.SIGSTOP)
        try:
            go_on(process)
            states = ["waiting for disk", "waiting for disk"]
            stats = seen(
                attached,
                lambda s: [t.state for t in s.threads if t.block == "pay"] == states,
            )
            assert disk(stats).lag == 2
            assert stats.waiting == 2
            text = "\n".join(once(Timeline().add(stats), 160))
            assert "sync, 2 behind" in text
            assert f"commit {disk(stats).version:,}" in text
            assert text.count("▼ waiting for disk") == 2
            assert "(keeper)" in text
        finally:
            os.kill(keeper, signal.SIGCONT)
        seen(attached, lambda s: disk(s).lag == 0 and s.waiting == 0)


def test_programs_read_it_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "s")
    with on_disk(tmp_path / "s", "relaxed") as (_, attached):
        seen(attached, lambda s: disk(s).lag == 0)
        assert main(["stat", path, "--once", "--json"]) == 0
        data = json.loads(capsys.readouterr().out)
        jsonschema.Draft202012Validator(SCHEMA).validate(data)
        assert (data["durability"]["mode"], data["durability"]["lag"]) == ("relaxed", 0)
        assert main(["stat", path, "--prometheus"]) == 0
        samples = {
            sample.name: sample
            for family in text_string_to_metric_families(capsys.readouterr().out)
            for sample in family.samples
        }
        assert samples["stmpy_disk_lag"].value == 0
        assert samples["stmpy_disk_lag"].labels["store"] == path
        assert samples["stmpy_disk_writable"].value == 1
        assert samples["stmpy_disk_syncs_total"].value == data["durability"]["groups"] > 0
        assert main(["stat", path, "--once"]) == 0
        head, row = capsys.readouterr().out.splitlines()
        assert head.endswith(" disk lag")
        assert row.endswith("        0")
        assert main(["stat", path, "--once", "--csv"]) == 0
        assert capsys.readouterr().out.splitlines()[1].endswith(",0")


def test_a_store_in_memory_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    with stm.open(max_bytes=1 << 16) as store:
        assert store.stats().durability is None
        assert "none, memory only" in "\n".join(once(Timeline().add(store.stats()), 80))
        assert main(["stat", f"{os.getpid()}:{store._file}", "--once", "--csv"]) == 0
        assert capsys.readouterr().out.splitlines()[1].endswith(",")


def test_a_state_that_there_is_not_is_damage() -> None:
    with stm.open(max_bytes=1 << 16) as store:
        size = os.fstat(store._file).st_size

        def read(offset: int, length: int) -> bytes:
            data = bytearray(os.pread(store._file, length, offset))
            at = LAYOUT["durable.state"] - offset
            if 0 <= at < len(data):
                data[at] = 9
            return bytes(data)

        with pytest.raises(stm.DecodeError, match="state 9"):
            gather(Image(read, size), 1)
