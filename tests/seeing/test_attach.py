"""Looking at a store from another process, whatever happens to it meanwhile."""

import mmap
import os
import re
import signal
from contextlib import suppress

import pytest

import stmpy as stm
from stmpy.statistics import (
    Attached,
    OtherVersion,
    StoreGone,
    StoreNotFound,
    attach,
    find,
)
from stmpy.statistics._image import LAYOUT, Image
from tests.seeing.observed import go_on, observed

PLANTED = 'store = stm.open(name="planted", max_bytes=1 << 20); beat(store, 20); rest()'


def test_the_figures_of_another_process() -> None:
    with observed(PLANTED) as process, attach(str(process.pid)) as attached:
        stats = attached.read()
        (pair,) = stats.pairs
        assert (pair.winner, pair.loser, pair.key, pair.count) == ("A", "B", "k", 20)
        assert (stats.store, stats.process) == ("planted", process.pid)
        assert {thread.process for thread in stats.threads} == {process.pid}
        assert [found.name for found in find() if found.process == process.pid] == ["planted"]


def test_it_takes_no_memory_of_the_observed_process() -> None:
    """A page that is read must not become one that the store has to pay for."""
    with observed(PLANTED) as process, attach(str(process.pid)) as attached:
        path = f"/proc/{process.pid}/fd/{attached.found.file}"
        attached.read()
        before = os.stat(path).st_blocks
        for _ in range(3):
            attached.read()
        assert os.stat(path).st_blocks == before
        # The planted bug: a mapping makes pages of what it touches.
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as pages:
            assert sum(pages[i] for i in range(0, 64 << 20, 4096)) >= 0
        assert os.stat(path).st_blocks > before


def test_a_process_that_hangs_can_be_seen() -> None:
    with observed(PLANTED) as process:
        os.kill(process.pid, signal.SIGSTOP)
        with attach(str(process.pid)) as attached:
            assert attached.read().conflicts == 20


def test_a_process_that_ends_is_gone() -> None:
    with observed(PLANTED) as process, attach(str(process.pid)) as attached:
        attached.read()
        process.kill()
        process.wait()
        with pytest.raises(StoreGone, match="ended"):
            attached.read()
        with pytest.raises(StoreNotFound, match="there is none"):
            attach(str(process.pid))


def test_a_process_that_ends_between_finding_and_attaching() -> None:
    with observed(PLANTED) as process:
        (found,) = (found for found in find() if found.process == process.pid)
        process.kill()
        process.wait()
    with pytest.raises(StoreGone):
        Attached(found)


def test_a_store_that_is_closed_is_gone() -> None:
    with (
        observed(PLANTED + "; store.close(); rest()") as process,
        attach(str(process.pid)) as attached,
    ):
        attached.read()
        go_on(process)
        with pytest.raises(StoreGone, match="closed"):
            attached.read()
        with pytest.raises(StoreNotFound):
            attach(str(process.pid))


def test_several_stores_have_to_be_told_apart() -> None:
    program = "stores = [stm.open(max_bytes=1 << 20) for _ in range(2)]; rest()"
    with observed(program) as process:
        with pytest.raises(StoreNotFound, match="there are several, name one") as several:
            attach(str(process.pid))
        targets = re.findall(rf"{process.pid}:\d+", str(several.value))
        assert len(targets) == 2
        for target in targets:
            with attach(target) as attached:
                assert attached.found.target == target
                attached.read()


def test_a_store_that_forked_processes_share_comes_once() -> None:
    program = """
import os
store = stm.open(name="shared by a fork", max_bytes=1 << 20)
mine, theirs = os.pipe()
if os.fork() == 0:
    os.close(theirs)
    os.read(mine, 1)  # until the parent has ended
    os._exit(0)
rest()
"""
    with observed(program) as process:
        names = [found.name for found in find()]
        assert names.count("shared by a fork") == 1
        with attach("shared by a fork") as attached:
            assert attached.found.process == process.pid


def test_a_store_by_name() -> None:
    with observed('store = stm.open(name="a name of its own"); rest()') as process:
        with attach("a name of its own") as attached:
            assert attached.read().process == process.pid
        with pytest.raises(StoreNotFound, match="no such store"):
            attach("another name")


def test_an_empty_store() -> None:
    with observed("store = stm.open(max_bytes=1 << 16); rest()") as process:
        with attach(str(process.pid)) as attached:
            stats = attached.read()
        assert (stats.commits, stats.conflicts, stats.blocks, stats.keys) == (0, 0, (), ())


def test_another_version() -> None:
    """A memory file that says it has another layout."""
    file = os.memfd_create("stmpy")
    try:
        store = stm.open(max_bytes=1 << 16)
        os.ftruncate(file, os.fstat(store._file).st_size)
        head = bytearray(os.pread(store._file, 4096, 0))
        head[LAYOUT["region.layout"]] += 1
        os.pwrite(file, head, 0)
        with pytest.raises(OtherVersion, match="use the stmpy of the observed program"):
            Image.of_file(file)
        found = [found for found in find() if found.process == os.getpid() and found.name is None]
        assert [one.file for one in found] == [file]
        with pytest.raises(OtherVersion):
            attach(f"{os.getpid()}:{file}")
    finally:
        os.close(file)


def test_a_process_that_may_not_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """As root sees every process, the kernel's refusal is made up."""
    look = os.listdir
    with observed(PLANTED) as process:

        def refuse(path: str) -> list[str]:
            if path == f"/proc/{process.pid}/fd":
                raise PermissionError(13, "Permission denied", path)
            return look(path)

        monkeypatch.setattr(os, "listdir", refuse)
        with pytest.raises(StoreNotFound, match="may not look"):
            attach(str(process.pid))
        assert process.pid not in [found.process for found in find()]


def test_hostile_names() -> None:
    program = r"""
store = stm.open(name="\x1b[2J\nname", max_bytes=1 << 22)
names = ["\x1b[31m\r\n", "\N{RIGHT-TO-LEFT OVERRIDE}gnp.exe", "x" * 255, "שלום", "\x00", "é" * 120]
for name in names:
    table = store.TVar(name, {"k": 0, "b": 0})
    lost = []
    @store.atomically(label=name)
    def loses(table=table, lost=lost):
        table["b"] += table["k"] + 1
        if not lost:
            lost.append(1)
            import threading
            def wins():
                table["k"] += 1
            thread = threading.Thread(target=lambda: store.run(wins))
            thread.start()
            thread.join()
    loses()
rest()
"""
    with observed(program) as process, attach(str(process.pid)) as attached:
        stats = attached.read()
        assert stats.store == r"\x1b[2J\nname"
        names = [heat.variable for heat in stats.keys]
        assert len(names) == 6
        assert "שלום" in names
        assert "x" * 255 in names
        assert r"\u202egnp.exe" in names
        shown = [*names, *(block.name for block in stats.blocks), stats.store]
        assert all(text.isprintable() for text in shown)


def test_ten_thousand_keys() -> None:
    program = r"""
store = stm.open(max_bytes=1 << 26)
table = store.TVar("many", dict.fromkeys(range(10_000), 0) | {"b": 0})
rest()
"""
    with observed(program) as process, attach(str(process.pid)) as attached:
        assert attached.read().memory.used_bytes > 10_000 * 32


def test_the_descriptors_are_given_back() -> None:
    with observed(PLANTED) as process:
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            with attach(str(process.pid)) as attached:
                attached.read()
            with suppress(StoreNotFound):
                attach("nobody")
        assert len(os.listdir("/proc/self/fd")) == before
