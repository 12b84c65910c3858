"""The life of a keeper and of its guard: who is waited for, who is replaced, what is left over."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import stmpy as stm
from stmpy import _native

type InProcess = Callable[..., str]

EVER = (1 << 64) - 1


def pids(store: stm.Store) -> tuple[int, int]:
    """The keeper and its guard."""
    state = _native._durable_state(store)
    return state["keeper"], state["guard"]


def await_that(store: stm.Store, holds: Callable[[dict[str, Any]], bool]) -> None:
    """Until it holds for what the keeper says."""
    while not holds(_native._durable_state(store)):
        _native._durable_wait(store, EVER, 0.01)


def kill(*victims: int) -> None:
    """At once, and until they have gone."""
    watched = [os.pidfd_open(pid) for pid in victims]
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    for descriptor in watched:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.poll()
        os.close(descriptor)


def put(store: stm.Store, key: int) -> None:
    with store.atomically():
        store.TVar("v")[key] = key


def test_a_killed_keeper_is_replaced_though_nobody_asks(tmp_path: Path) -> None:
    with stm.open(tmp_path / "s", durability="relaxed") as store:
        put(store, 1)
        first, guard = pids(store)
        kill(first)
        await_that(store, lambda state: state["keeper"] not in (first, guard))
        assert pids(store)[1] == guard
        await_that(store, lambda state: bool(state["version"] >= state["clock"]))
    with stm.open(tmp_path / "s") as store:
        assert set(store.TVar("v")) == {1}


def test_a_killed_guard_is_not_missed_until_the_keeper_dies_too(tmp_path: Path) -> None:
    for durability in ("sync", "relaxed"):
        with stm.open(tmp_path / durability, durability=durability) as store:
            keeper, guard = pids(store)
            kill(guard)
            put(store, 1)
            store.flush()
            assert pids(store) == (keeper, guard)
            kill(keeper)
            put(store, 2)
            store.flush()
            assert set(pids(store)).isdisjoint({keeper, guard})
        with stm.open(tmp_path / durability) as store:
            assert set(store.TVar("v")) == {1, 2}


KILLED = """
import os, signal, sys, threading
import stmpy as stm
from stmpy import _native
store = stm.open(sys.argv[1], durability="relaxed")
with store.atomically():
    store.TVar("v")["before"] = 0
state = _native._durable_state(store)
os.kill(state["keeper"], signal.SIGSTOP)  # whatever follows, the disk has not seen it
for i in range(300):
    with store.atomically():
        store.TVar("v")[i] = bytes(100)
os.kill(state["keeper"], signal.SIGKILL if "keeper" in sys.argv else signal.SIGCONT)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("also", [(), ("keeper",)])
def test_a_killed_program_loses_nothing_committed(
    tmp_path: Path, in_process: InProcess, also: tuple[str, ...]
) -> None:
    """Relaxed, with a keeper that had not written it, and with one that is killed first."""
    in_process(KILLED, str(tmp_path / "s"), *also, code=-signal.SIGKILL)
    with stm.open(tmp_path / "s") as store:
        assert set(store.TVar("v")) == {"before", *range(300)}


FORKED = """
import os, signal, sys
import stmpy as stm
store = stm.open(sys.argv[1])
reader, writer = os.pipe()
if os.fork() == 0:
    os.close(writer)
    os.read(reader, 1)  # ends when the parent has
    with store.atomically():
        store.TVar("v")["child"] = 1
    print(store.stats().durability.state, flush=True)
    os._exit(0)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_forked_child_keeps_the_store_before_it_touches_it(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-c", FORKED, str(tmp_path / "s")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGKILL, "running\n", "")
    with stm.open(tmp_path / "s") as store:
        assert set(store.TVar("v")) == {"child"}


OUTLIVING = """
import os, signal, sys
import stmpy as stm
store = stm.open(sys.argv[1])
if os.fork() == 0:
    if sys.argv[2] != "untouched":
        with store.atomically():
            store.TVar("v")["child"] = 1
    if sys.argv[2] == "closed":
        os.closerange(3, 1000)
    print(os.getpid(), flush=True)
    sys.stdin.read()
    os._exit(0)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("how", ["untouched", "touched", "closed"])
def test_others_are_told_a_process_that_lives(tmp_path: Path, how: str) -> None:
    command = [sys.executable, "-P", "-c", OUTLIVING, str(tmp_path / "s"), how]
    program = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert program.stdin is not None
    assert program.stdout is not None
    child = int(program.stdout.readline())
    assert program.wait() == -signal.SIGKILL
    with pytest.raises(stm.DurabilityError, match=f"is open in process {child};"):
        stm.open(tmp_path / "s")
    program.stdin.close()
    stm.open(tmp_path / "s").close()
    program.stdout.close()


def test_a_keeper_that_dies_of_its_files_is_not_replaced(tmp_path: Path) -> None:
    store = stm.open(tmp_path / "s")
    put(store, 1)
    os.kill(pids(store)[0], signal.SIGBUS)
    await_that(store, lambda state: state["message"] != "")
    with pytest.raises(stm.DurabilityError, match="the keeper died of SIGBUS; the files may be"):
        put(store, 2)
    assert set(store.TVar("v")) == {1}
    store.close()
    with stm.open(tmp_path / "s") as store:
        assert set(store.TVar("v")) == {1}


def test_a_disk_that_has_failed_gets_no_other_keeper(tmp_path: Path) -> None:
    """It could read back what the failed sync has left in the cache, and call it good."""
    store = stm.open(tmp_path / "s")
    keeper, guard = pids(store)
    os.kill(keeper, signal.SIGBUS)
    await_that(store, lambda state: state["message"] != "")
    kill(guard)
    locked, over = threading.Event(), threading.Event()

    def hold() -> None:
        with store.atomically(irrevocable=True):
            locked.set()
            over.wait()

    holding = threading.Thread(target=hold)
    holding.start()
    locked.wait()
    with (
        pytest.raises(stm.TransactionTimeout),  # who waits looks now and then whether it lives
        store.atomically(irrevocable=True, timeout=0.5),
    ):
        pass
    over.set()
    holding.join()
    state = _native._durable_state(store)
    assert (state["keeper"], state["orphaned"]) == (keeper, True)
    with pytest.raises(stm.DurabilityError):
        put(store, 1)
    store.close()


READERS = """
import os, signal, sys
from stmpy.durable.reader import Reader
for i in range(70):
    if os.fork() == 0:
        next(Reader(sys.argv[1]).scan("meta"))
        os.kill(os.getpid(), signal.SIGKILL)
    status = os.wait()[1]
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL, i
"""


def test_readers_that_died_leave_their_places(tmp_path: Path, in_process: InProcess) -> None:
    """A store that is open has places for 62 readers, in all processes."""
    with stm.open(tmp_path / "s") as store:
        put(store, 1)
        in_process(READERS, str(tmp_path / "s"))
        put(store, 2)
        await_that(store, lambda state: state["state"] == 2)
    with stm.open(tmp_path / "s") as store:
        assert set(store.TVar("v")) == {1, 2}
