"""The passes of the demo: the same files indexed alone, and by interpreters that share an index."""

import os
import select
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import stmpy as stm
from stmpy.cli._index import Index, PlainIndex, names_in, work
from stmpy.statistics import KeyHeat

__all__ = ["Pass", "Progress", "plain_pass", "shared_pass", "source_files"]

# Called with the number of files done and the seconds they took.
type Progress = Callable[[int, float], None]


@dataclass(frozen=True)
class Pass:
    """What one pass took, and whether its index is right.

    `cores` is the processor time used per second: fewer than `workers` when other programs wanted
    the processors too. `hottest` are the keys that most attempts were lost over, with how many.
    """

    workers: int
    seconds: float
    cores: float
    commits: int
    conflicts: int
    hottest: list[tuple[str, int]]
    equal: bool


def source_files(root: Path) -> list[str]:
    """The Python files under a directory, the largest first. Raises OSError if it can't be read.

    What is installed beside a standard library does not belong to it, and is left out. Starting
    with the largest keeps the last file from being one that all other workers wait for.
    """
    os.listdir(root)
    skipped = {"site-packages", "dist-packages", "__pycache__"}
    found = []
    for folder, folders, names in root.walk():
        folders[:] = [name for name in folders if name not in skipped]
        found += [folder / name for name in names if name.endswith(".py")]
    files = sorted((path for path in found if path.is_file()), key=lambda p: (-p.stat().st_size, p))
    return [str(path) for path in files]


def plain_pass(paths: list[str], progress: Progress) -> tuple[PlainIndex, float]:
    """Indexes the files in this thread, without stmpy."""
    index = PlainIndex()
    began = shown = time.perf_counter()
    for path in paths:
        index.add(names_in(path))
        if (now := time.perf_counter()) > shown + 0.1:
            shown = now
            progress(index.done, now - began)
    seconds = time.perf_counter() - began
    progress(index.done, seconds)
    return index, seconds


def shared_pass(
    workers: int,
    paths: list[str],
    plain: PlainIndex,
    progress: Progress,
    opened: Callable[[stm.Store], object] = lambda _: None,
) -> Pass:
    """Indexes the files in `workers` interpreters at once, and compares with the plain index.

    The clock starts when every interpreter is up and has imported what it needs; `opened` is told
    the store before.
    """
    with (
        stm.open() as store,
        _pipe() as (ready, is_ready),
        _pipe() as (go, may_go),
        stm.InterpreterPool(workers) as pool,
    ):
        index = Index(store)
        opened(store)
        futures = [pool.submit(work, index, paths, is_ready, go) for _ in range(workers)]
        try:
            _wait_for(workers, ready, futures)
            before, began, used = store.stats(), time.perf_counter(), time.process_time()
            os.write(may_go, b"." * workers)
            while wait(futures, timeout=0.1).not_done:
                progress(index.totals["files"], time.perf_counter() - began)
            seconds, used = time.perf_counter() - began, time.process_time() - used
            after = store.stats()
        except BaseException:
            index.stop()
            os.write(may_go, b"." * workers)
            raise
        for future in futures:
            future.result()
        progress(index.totals["files"], seconds)
        return Pass(
            workers=workers,
            seconds=seconds,
            cores=used / seconds,
            commits=after.commits - before.commits,
            conflicts=after.conflicts - before.conflicts,
            hottest=[(_title(heat), heat.conflicts) for heat in after.keys[:3]],
            equal=index.equals(plain),
        )


def _title(heat: KeyHeat) -> str:
    """A key as a program would write it; a TRef is a variable with the one key None."""
    return heat.variable if heat.key is None else f"{heat.variable}[{heat.key!r}]"


@contextmanager
def _pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    try:
        yield ends
    finally:
        for end in ends:
            os.close(end)


def _wait_for(workers: int, ready: int, futures: list[Future[None]]) -> None:
    """Waits until each worker has written a byte; raises what ended one before it did."""
    said = 0
    while said < workers:
        for future in wait(futures, timeout=0).done:
            future.result()
        if select.select([ready], [], [], 0.1)[0]:
            said += len(os.read(ready, workers))
