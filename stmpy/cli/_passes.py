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

__all__ = ["Pass", "Progress", "plain_pass", "shared_pass", "source_files"]

# Called with the number of files done and the seconds they took.
type Progress = Callable[[int, float], None]


@dataclass(frozen=True)
class Pass:
    """What one pass took: seconds, and counts over these seconds."""

    workers: int
    seconds: float
    commits: int
    conflicts: int
    equal: bool
    hottest: list[tuple[str, int]]


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
    name: str, workers: int, paths: list[str], plain: PlainIndex, progress: Progress
) -> Pass:
    """Indexes the files in `workers` interpreters at once, and compares with the plain index.

    The clock starts when every interpreter is up and has imported what it needs.
    """
    index = Index(name)
    with (
        _pipe() as (ready, is_ready),
        _pipe() as (go, may_go),
        stm.InterpreterPool(workers) as pool,
    ):
        futures = [pool.submit(work, name, paths, is_ready, go) for _ in range(workers)]
        try:
            _wait_for(workers, ready, futures)
            before, began = stm.stats(), time.perf_counter()
            os.write(may_go, b"." * workers)
            while wait(futures, timeout=0.1).not_done:
                progress(index.totals["files"], time.perf_counter() - began)
            seconds, after = time.perf_counter() - began, stm.stats()
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
        commits=after.commits - before.commits,
        conflicts=after.conflicts - before.conflicts,
        equal=index.equals(plain),
        hottest=[],
    )


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
