"""Opening a path: the region, the keeper that fills it, and what to say when that fails."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import select
import signal
import sys
from collections.abc import Callable
from typing import Any

from stmpy import _native
from stmpy._store import Store, attach
from stmpy.durable import files
from stmpy.durable.state import State
from stmpy.errors import CommitUnknown, DecodeError, DurabilityError, StoreClosed, StoreFull

type Progress = Callable[[int, int], None]

_REGION_FILE, _LIFELINE = 3, 4  # as guard.py finds them
_PROGRAM = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); "
    "from stmpy.durable.guard import main; main()"
)
_LOOK = 0.05
_FOREVER = 1e9
_PATIENCE_MS = 30_000
_OPEN = (State.RUNNING, State.FULL)
_END = (1 << 64) - 1

_children: list[int] = []  # guards that this interpreter has started and not collected


def store_name(path: str) -> str:
    """What names the store of a path within a process."""
    return "path:" + hashlib.blake2b(os.fsencode(path), digest_size=20).hexdigest()


def resolve(path: str | os.PathLike[str]) -> str:
    """The path without symbolic links, but for its last part, which `files` refuses as one."""
    parent, name = os.path.split(os.path.abspath(os.fspath(path)))
    return os.path.join(os.path.realpath(parent), name)


def open_store(store: Store, path: str, relaxed: bool, progress: Progress | None) -> Store:
    """Load the path into its new store, or wait until whoever opens it has; then it is ready."""
    if importlib.util.find_spec("lmdb") is None:
        _native.Store.close(store)
        raise ImportError("a store on disk needs lmdb: pip install 'stmpy-store[lmdb]'")
    try:
        if _native._durable_open(store, path, relaxed):
            files.prepare(path)
            _start(store, path)
        _await(store, path, progress)
    except BaseException:
        _native.Store.close(store)
        raise
    return store


def _start(store: Store, path: str) -> None:
    """Start a guard and with it a keeper: no shell, a clean environment, two descriptors."""
    command = [sys.executable, "-I", "-c", _PROGRAM, json.dumps(sys.path), path, str(os.getpid())]
    region, lifeline = _native._durable_files(store)
    free = max(region, lifeline, _LIFELINE) + 1  # neither may be overwritten before it is moved
    moves = ((region, free), (lifeline, free + 1), (free, _REGION_FILE), (free + 1, _LIFELINE))
    files = [(os.POSIX_SPAWN_DUP2, *move) for move in moves]
    null = [(os.POSIX_SPAWN_OPEN, i, os.devnull, os.O_RDWR, 0) for i in range(3)]
    pid = os.posix_spawn(
        sys.executable,
        command,
        {"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
        file_actions=[*files, *null],
        setsid=True,
        setsigmask=(),
        setsigdef=(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE),
    )
    _native._durable_guard(store, pid)
    _collect()
    _children.append(pid)


def _await(store: Store, path: str, progress: Progress | None) -> None:
    while (state := _native._durable_state(store))["state"] not in _OPEN:
        if state["state"] == State.FAILED:
            if state["version"] == 0:
                _see_off(state["guard"])
            raise _error(state["message"])
        if state["state"] == State.CLOSED or store.closed:
            raise StoreClosed(f"{path}: closed by another thread while it was opened")
        if state["orphaned"]:
            raise DurabilityError(
                f"{path}: the guard of its keeper {_reap(state['guard'])} while the store was read"
            )
        if progress is not None and state["to_load"]:
            progress(state["loaded"], state["to_load"])
        _native._durable_wait(store, 1, _LOOK)
    if progress is not None:
        progress(state["to_load"], state["to_load"])


def _collect() -> None:
    """Collect the guards of stores that were dropped, which nobody sees off."""
    for child in _children[:]:
        _reap(child)


def _reap(pid: int) -> str:
    """Collect a guard that has ended, if it is a child of this process, and say how it did."""
    with contextlib.suppress(ChildProcessError):
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            with contextlib.suppress(ValueError):
                _children.remove(pid)
            code = os.waitstatus_to_exitcode(status)
            return f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
    return "ended"


def _error(message: str) -> Exception:
    """The exception that a keeper's message stands for."""
    kind, _, text = message.partition(": ")
    if kind == "DecodeError":
        return DecodeError(f"{text}; stmpy check says what is damaged, restore a backup")
    if kind == "MemoryError":
        return StoreFull(f"{text}; open it with a larger max_bytes")
    return DurabilityError(text)


def replace_keeper(number: int, region: bytes) -> None:
    """Start another guard and keeper when both have died; called by the core in whoever waits."""
    store = attach(number, region)
    state = _native._durable_state(store)
    _reap(state["guard"])
    _start(store, state["path"])


def flush(store: Store, timeout: float | None) -> None:
    """Wait until all commits so far are durable."""
    state = _native._durable_state(store)
    if state["state"] == State.NONE:
        return
    if not _native._durable_wait(store, state["clock"], _FOREVER if timeout is None else timeout):
        raise _not_durable(_native._durable_state(store))


def _not_durable(state: dict[str, Any]) -> CommitUnknown:
    return CommitUnknown(
        f"{state['path']}: commits up to {state['version']} are on disk; of those up to "
        f"{state['clock']} it is not known ({state['message'] or 'the time was up'}): read before "
        "writing them a second time"
    )


def close(store: Store) -> None:
    """Close the store and wait until its keeper has written everything and left."""
    _native.Store.close(store)
    while _native._durable_state(store)["state"] < State.FAILED:
        _native._durable_wait(store, _END, _LOOK)
    state = _native._durable_state(store)
    _see_off(state["keeper"])
    _see_off(state["guard"])
    _collect()
    if state["version"] < state["clock"]:
        raise _not_durable(state)


def _see_off(pid: int) -> None:
    """Wait for the end of a process that is about to end, and collect it."""
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        try:
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            poll.poll(_PATIENCE_MS)
        finally:
            os.close(descriptor)
    _reap(pid)
