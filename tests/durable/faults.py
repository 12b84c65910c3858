"""Every n-th system call of a store fails: what is told, what goes on, what is found again.

`python -m tests.durable.faults` compiles `faults.c` and starts itself with it. Each run opens a new
store, writes, applies and begins files of the log anew, while the n-th sync, data write, meta write
or truncation fails, once or from then on; n goes up until nothing is left to fail. With `lie` or
`leave` the backend has a bug.
"""

from __future__ import annotations

import ctypes
import errno
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from enum import IntEnum
from pathlib import Path
from typing import Final, NamedTuple

import stmpy as stm
from stmpy import _native
from stmpy.durable import keeper, lmdb_backend, log_files
from stmpy.durable.backend import BackendFailed, Change
from stmpy.durable.check import findings
from stmpy.durable.guard import checked
from stmpy.durable.lmdb_backend import LmdbBackend
from stmpy.durable.state import State
from tests.durable.inside import Threads, await_state, state_of

BLOCKS: Final = 6


class Kind(IntEnum):
    """As in `faults.c`."""

    SYNC = 0
    DATA = 1
    META = 2
    TRUNCATE = 3


class Fault(NamedTuple):
    kind: Kind
    nth: int
    error: int
    lasting: bool

    def __str__(self) -> str:
        lasts = " and all after it" if self.lasting else ""
        return f"{errno.errorcode[self.error]} of {self.kind.name} {self.nth}{lasts}"


class Told(NamedTuple):
    """What became of the blocks of a run."""

    known: list[int]
    unknown: list[int]


class Run:
    """One store with one fault."""

    def __init__(self, library: ctypes.CDLL, folder: str, fault: Fault) -> None:
        self._library, self._folder, self._fault = library, folder, fault
        self._threads = Threads()

    def _open(self) -> stm.Store:
        return self._threads.start(lambda: checked(self._folder))

    def run(self) -> bool:
        """AssertionError if something is lost, hung or called good; False if nothing failed."""
        self._library.faults_arm(*self._fault)
        try:
            told = self._work()
        finally:
            self._threads.stop()
            failed: int = self._library.faults_failed()
            self._library.faults_arm(0, 0, 0, 0)
        try:
            self._find_again(told)
        finally:
            self._threads.stop()
        return failed > 0

    def _work(self) -> Told:
        told = Told([], [])
        store = self._open()
        if state_of(store) == State.FAILED:
            return told  # `stm.open` has raised what the keeper said
        for key in range(BLOCKS):
            self._put(store, key, told)
        if state_of(store) == State.RUNNING:
            store.flush()
        failed = self._library.faults_failed() > 0
        if self._fault.error == errno.EIO and failed and state_of(store) == State.FAILED:
            self._stays_failed(store, told)
        elif failed and told.unknown:
            self._library.faults_arm(0, 0, 0, 0)  # there is room again
            await_state(store, State.RUNNING)
            self._put(store, BLOCKS, told)
            assert BLOCKS in told.known
        return told

    def _put(self, store: stm.Store, key: int, told: Told) -> None:
        try:
            with store.atomically(timeout=30):
                store.TVar("v")[key] = bytes(3000 * key)
            told.known.append(key)
        except stm.CommitUnknown:
            told.unknown.append(key)
        except stm.DurabilityError:
            assert state_of(store) in (State.FULL, State.FAILED), "refused, and nothing is wrong"

    def _stays_failed(self, store: stm.Store, told: Told) -> None:
        """Reads go on, writes are refused, and nothing is synced again."""
        before = self._library.faults_calls(Kind.SYNC)
        assert set(told.known) <= set(store.TVar("v")) or not store.TVar("v")
        self._put(store, BLOCKS, told)
        assert BLOCKS not in told.known + told.unknown, "written although the disk has failed"
        assert self._library.faults_calls(Kind.SYNC) == before, "synced again"

    def _find_again(self, told: Told) -> None:
        store = self._open()
        message = _native._durable_state(store)["message"]
        assert state_of(store) == State.RUNNING, f"does not open again: {message}"
        found = set(store.TVar("v"))
        assert set(told.known) <= found, f"{told.known} acknowledged, {sorted(found)} there"
        assert found <= {*told.known, *told.unknown}, f"{sorted(found)} there, of {told}"
        assert all(store.TVar("v")[key] == bytes(3000 * key) for key in found)
        self._put(store, BLOCKS + 1, told)
        assert BLOCKS + 1 in told.known
        self._threads.stop()
        assert list(findings(self._folder)) == []


def sweep(library: ctypes.CDLL) -> int:
    """How many faults there were."""
    count = 0
    for kind in Kind:
        for error in (errno.EIO, errno.ENOSPC):
            for lasting in (False, True):
                nth = 0
                while True:
                    nth += 1
                    fault = Fault(kind, nth, error, lasting)
                    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
                        try:
                            if not Run(library, folder, fault).run():
                                break
                        except AssertionError as failed:
                            raise SystemExit(f"{fault}: {failed}") from failed
                    count += 1
    return count


def lie() -> None:
    """Call everything good."""
    write = LmdbBackend.write

    def pretend(self: LmdbBackend, changes: Sequence[Change]) -> None:
        with suppress(BackendFailed):
            write(self, changes)

    LmdbBackend.write = pretend  # type: ignore[method-assign]


def leave() -> None:
    """Leave meta pages as LMDB does when one can't be written."""
    vars(lmdb_backend)["put_metas_back"] = lambda path, before: None


PLANTED: Final = {"lie": lie, "leave": leave}


def main() -> None:
    preloaded = os.environ.get("LD_PRELOAD")
    if preloaded:
        vars(keeper)["BACKLOG_BYTES"] = 10_000
        vars(log_files)["_TURN"] = 10_000
        if len(sys.argv) > 1:
            PLANTED[sys.argv[1]]()
        print(f"{sweep(ctypes.CDLL(preloaded))} faults, and nothing acknowledged is missing")
        return
    with tempfile.TemporaryDirectory() as folder:
        library, source = folder + "/faults.so", Path(__file__).with_suffix(".c")
        compiler = os.environ.get("CC", "cc")
        command = [compiler, "-D_GNU_SOURCE", "-shared", "-fPIC", "-O1", "-o", library, str(source)]
        subprocess.run([*command, "-ldl"], check=True)
        command = [sys.executable, "-P", "-m", "tests.durable.faults", *sys.argv[1:]]
        sys.exit(subprocess.run(command, env={**os.environ, "LD_PRELOAD": library}).returncode)


if __name__ == "__main__":
    main()
