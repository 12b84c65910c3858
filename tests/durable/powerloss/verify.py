"""Opening what a power cut has left, with the real recovery, and judging what it finds."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

import stmpy as stm
from stmpy import _native, _store
from stmpy.durable import check, files, guard, keeper, log_files
from tests.durable.powerloss.recording import Contents, History, Known, Recording

_SECONDS = 300.0
_MAX_BYTES = 16 << 20


type Open = Callable[[Path], AbstractContextManager[stm.Store]]


class Verdict(NamedTuple):
    """What was made of one state."""

    last: int
    """The last commit that is there."""
    lost: bool
    """Something acknowledged is missing."""
    wrong: str
    """What else must not be; empty if nothing."""


@contextmanager
def opened(path: Path) -> Iterator[stm.Store]:
    """The store, with a keeper that is a thread of this process, which takes a few milliseconds.

    All else is as `stm.open` and `guard.main` do it. Raises StmError or OSError.
    """
    store = _store._open("", _MAX_BYTES, _MAX_BYTES)
    _native._durable_open(store, str(path), False)
    files.prepare(str(path))
    files.check(str(path))
    lock = files.lock(str(path), os.getpid(), 0.0)
    file, lifeline = _native._durable_files(store)
    region = _native.Keeper(os.dup(file))
    serving = threading.Thread(
        target=keeper.serve,
        args=(region, lambda: guard.checked(str(path)), keeper.Owners(region, lifeline)),
    )
    serving.start()
    try:
        if not _native._durable_wait(store, 1, _SECONDS):
            raise stm.DurabilityError(_native._durable_state(store)["message"])
        yield store
    finally:
        _native.Store.close(store)
        serving.join()
        os.close(lock)


def contents_of(store: stm.Store) -> Contents:
    names = ("accounts", "texts", "last")
    return {(name, key): value for name in names for key, value in store.TVar(name).items()}


def verify(root: Path, recording: Recording, known: Known, open: Open = opened) -> Verdict:
    """Open the store twice, and write to it in between; then open the copy."""
    path, history = root / "store", recording.history
    last, wrong = -1, ""
    try:
        wrong = _unsound(path)
        with open(path) as store:
            last = _native._durable_state(store)["clock"]
            found = contents_of(store)
            with store.atomically():
                store.TVar("texts")["after"] = "z" * 9000
        wrong = wrong or _no_prefix(found, history.until(last))
        with open(path) as store:
            if contents_of(store) != found | {("texts", "after"): "z" * 9000}:
                wrong = wrong or "what was written after the power cut is not there"
        wrong = wrong or _unsound(path)
        wrong = wrong or _wrong_copy(root / recording.plan.copy, history, known.copied)
    except (stm.StmError, OSError) as error:
        wrong = f"it does not open: {type(error).__name__}: {error}"
    return Verdict(last, last < known.commit, wrong)


def _wrong_copy(path: Path, history: History, least: int) -> str:
    """What is wrong with a copy, which has its name only when it is whole."""
    if not (path / "data.mdb").exists():
        return "the copy is lost" if least else ""
    unsound = _unsound(path)
    with opened(path) as store:
        last = _native._durable_state(store)["clock"]
        found = contents_of(store)
    if last < least:
        return f"the copy ends with commit {last}, and {least} came before it"
    wrong = unsound or _no_prefix(found, history.until(last))
    return f"the copy: {wrong}" if wrong else ""


def _no_prefix(found: Contents, expected: Contents) -> str:
    amounts = sum(value for (name, _), value in found.items() if name == "accounts")
    if amounts:
        return f"a block is torn: the accounts add up to {amounts}"
    if found != expected:
        places = sorted({str(place) for place, _ in found.items() ^ expected.items()})
        return f"no prefix of the commits: {', '.join(places[:5])}"
    return ""


def _unsound(path: Path) -> str:
    """What `check` says, which looks at a copy. Where nothing was made there is nothing to say."""
    data = path / "data.mdb"
    if not data.exists():
        return ""
    copy = path.with_name("checked")
    copy.mkdir(0o700)
    for name in ("data.mdb", *log_files.FILES):
        if (path / name).exists():
            os.link(path / name, copy / name)
    found = "; ".join(check.findings(str(copy)))
    shutil.rmtree(copy)
    return f"check: {found}" if found else ""
