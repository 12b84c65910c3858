"""The process that a program starts for a store on disk. It owns the files; a keeper is its child.

Beyond that it only waits. A keeper that is killed has another one in its place at once, also when
nobody writes just now and when the program was killed before it: what was committed is in the
region, which lives as long as one of the three.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys

from stmpy import _native
from stmpy.durable import files
from stmpy.durable.keeper import Owners, fail, serve
from stmpy.durable.lmdb_backend import LmdbBackend
from stmpy.durable.pages import check_header
from stmpy.durable.state import State
from stmpy.errors import DurabilityError

REGION_FILE = 3
LIFELINE = 4
"""The file descriptors under which it finds the region, and what tells that nobody has it more."""

_PATIENCE = 30.0


def main() -> None:
    """Run with the path and the pid of the program as arguments."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    path, pid = sys.argv[-2], int(sys.argv[-1])
    os.closerange(LIFELINE + 1, os.sysconf("SC_OPEN_MAX"))
    try:
        files.check(path)
        lock = files.lock(path, pid, _PATIENCE)  # for as long as this process or a keeper lives
    except (DurabilityError, OSError) as error:
        region = _attach()
        if region.version == 0:
            fail(region, error)
        return
    if _attach().state in (State.FAILED, State.CLOSED):
        return  # while it waited
    while _replaces(path, lock, _keep(path, lock)):
        pass


def _attach() -> _native.Keeper:
    """The region. It takes a slot there, so what waits has none."""
    return _native.Keeper(os.dup(REGION_FILE))


def _keep(path: str, lock: int) -> int:
    """Run a keeper to its end, and say how it ended."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 1
    try:
        _be_told()
        region = _attach()
        serve(region, lambda: checked(path), Owners(region, LIFELINE, lock))
        code = 0
    finally:
        os._exit(code)


def _be_told() -> None:
    """Let a signal end this process's sleep when the last who has the store goes."""
    signal.signal(signal.SIGIO, lambda number, frame: None)
    fcntl.fcntl(LIFELINE, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(LIFELINE, fcntl.F_SETFL, os.O_RDONLY | os.O_ASYNC)


def checked(path: str) -> LmdbBackend:
    """The backend of a store, unless LMDB would open it as it was before its last transaction."""
    check_header(path)
    return LmdbBackend(path)


def _replaces(path: str, lock: int, code: int) -> bool:
    """True if another keeper is to follow one that ended like this."""
    region = _attach()
    if code == 0 or region.state not in (State.OPENING, State.RUNNING, State.FULL):
        return False
    if code == -signal.SIGKILL and region.state != State.OPENING:
        return region.adopt()
    how = f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
    when = " while it read the store" if region.state == State.OPENING else ""
    fail(
        region,
        DurabilityError(
            f"{path}: the keeper {how}{when}; the files may be damaged: stmpy check tells"
        ),
    )
    if not when:
        Owners(region, LIFELINE, lock).wait()
    return False
