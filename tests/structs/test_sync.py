"""Semaphore, event, latch and barrier, beside those of `threading`."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

import stmpy as stm
from stmpy.structs import BrokenBarrier
from tests.conftest import Interpreters
from tests.structs.conftest import Start


class Undo(Exception):
    pass


def test_semaphore_as_threading_does(store: stm.Store) -> None:
    for s in (stm.TSemaphore("s", 2, store=store), threading.BoundedSemaphore(2)):
        assert s.acquire()
        with s:
            assert not s.acquire(blocking=False)
            assert not s.acquire(timeout=0.01)
            with pytest.raises(ValueError, match="timeout"):
                s.acquire(blocking=False, timeout=1)
        s.release()
        with pytest.raises(ValueError, match="released"):
            s.release()
        assert s.acquire()
        assert s.acquire()
        s.release(2)


def test_semaphore_refuses(store: stm.Store) -> None:
    with pytest.raises(ValueError, match="value"):
        stm.TSemaphore("s", -1, store=store)
    with pytest.raises(ValueError, match="n is"):
        stm.TSemaphore("s", 1, store=store).release(0)


def test_a_permit_of_an_undone_block_was_never_taken(store: stm.Store) -> None:
    s = stm.TSemaphore("s", 1, store=store)

    def take_and_fail() -> None:
        s.acquire()
        raise Undo

    with pytest.raises(Undo):
        store.run(take_and_fail)
    assert s.value == 1


def test_never_more_inside_than_permits(store: stm.Store, start: Start) -> None:
    s = stm.TSemaphore("s", 3, store=store)
    guard = threading.Lock()
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(20):
            with s:
                with guard:
                    inside += 1
                    most = max(most, inside)
                with guard:
                    inside -= 1

    for worker in [start(work) for _ in range(10)]:
        worker.result(60)
    assert 1 <= most <= 3
    assert s.value == 3


OWNER = """
    import stmpy as stm
    store = stm.open(name="owned")
    owned = stm.TSemaphore("s", store=store)
    assert owned.acquire(blocking=False)
    assert owned.acquire(timeout=0)
    assert not owned.acquire(timeout=0)
"""


def test_a_closed_interpreter_gives_its_permits_back(
    interpreters: Interpreters, start: Start
) -> None:
    with stm.open(name="owned", max_bytes=16 << 20) as store:
        owned = stm.TSemaphore("s", 2, owner="interpreter", store=store)
        interpreters.run(interpreters.create(), OWNER)
        assert owned.value == 0
        assert not owned.acquire(blocking=False)
        with pytest.raises(ValueError, match="does not hold"):
            owned.release()
        waiting = start(owned.acquire)
        interpreters.close()
        assert waiting.result(60)
        assert store.run(owned.acquire)
        assert not owned.acquire(timeout=0.01)
        owned.release(2)
        assert owned.value == 2
        assert not [key for key in owned._state if key[0] == "held"]


KILLED = """
import os, signal
import stmpy as stm

owned = stm.TSemaphore("s", 3, owner="interpreter")
assert owned.acquire()
ready, pipe = os.pipe()
child = os.fork()
if child == 0:
    assert owned.acquire() and owned.acquire()
    os.write(pipe, b".")
    signal.pause()
os.read(ready, 1)
assert not owned.acquire(blocking=False)
os.kill(child, signal.SIGKILL)
assert os.waitpid(child, 0)[1] == signal.SIGKILL
assert owned.acquire(timeout=30) and owned.acquire(timeout=0)
assert not owned.acquire(timeout=0.01)
owned.release(3)
print(owned.value)
"""


def test_a_killed_process_gives_its_permits_back(in_process: Callable[..., str]) -> None:
    assert in_process(KILLED) == "3\n"


def test_who_waits_finds_out_that_the_owner_is_gone(in_process: Callable[..., str]) -> None:
    waits = KILLED.replace("assert owned.acquire(timeout=30)", "assert owned.acquire()")
    killed_later = waits.replace(
        "os.kill(child, signal.SIGKILL)",
        "import threading\nthreading.Timer(0.1, os.kill, (child, signal.SIGKILL)).start()",
    ).replace("assert os.waitpid(child, 0)[1] == signal.SIGKILL\n", "")
    assert in_process(killed_later) == "3\n"


def test_owned_semaphores_refuse(store: stm.Store) -> None:
    with pytest.raises(ValueError, match="owner"):
        stm.TSemaphore("s", owner="thread", store=store)  # type: ignore[arg-type]
    stm.TSemaphore("s", owner="interpreter", store=store)
    with pytest.raises(stm.StmError, match="other options"):
        stm.TSemaphore("s", 2, store=store)


def test_event(store: stm.Store, start: Start) -> None:
    e = stm.TEvent("e", store=store)
    assert not e.is_set()
    assert not e.wait(0.01)
    waiters = [start(e.wait) for _ in range(5)]
    e.set()
    assert all(waiter.result(60) for waiter in waiters)
    assert e.wait(0)
    e.clear()
    assert not e.is_set()


def test_latch(store: stm.Store, start: Start) -> None:
    latch = stm.TLatch("l", 3, store=store)
    waiter = start(latch.wait)
    assert not latch.wait(0.01)
    latch.count_down()
    latch.count_down(5)
    assert waiter.result(60)
    assert latch.count == 0
    with pytest.raises(ValueError, match="n is"):
        latch.count_down(0)
    with pytest.raises(ValueError, match="count"):
        stm.TLatch("m", -1, store=store)


def test_barrier_rounds(store: stm.Store, start: Start) -> None:
    barrier = stm.TBarrier("b", 4, store=store)
    arrived: list[int] = []

    def work() -> list[tuple[int, int]]:
        seen = []
        for turn in range(20):
            arrived.append(turn)
            place = barrier.wait()
            seen.append((place, arrived.count(turn)))
        return seen

    results = [worker.result(60) for worker in [start(work) for _ in range(4)]]
    for turn in zip(*results, strict=True):
        assert sorted(place for place, _ in turn) == [0, 1, 2, 3]
        assert all(count == 4 for _, count in turn)
    assert barrier.n_waiting == 0


def arrive(barrier: stm.TBarrier, start: Start, count: int) -> list[Any]:
    """So many threads that wait, all of which have arrived."""
    waiting = [start(barrier.wait) for _ in range(count)]
    barrier.store.run(lambda: stm.check(barrier.n_waiting == count))
    return waiting


@pytest.mark.parametrize("how", ["abort", "reset"])
def test_barrier_broken_and_reset(store: stm.Store, start: Start, how: str) -> None:
    barrier = stm.TBarrier("b", 3, store=store)
    for _ in range(3):
        waiting = arrive(barrier, start, 2)
        getattr(barrier, how)()
        for waiter in waiting:
            with pytest.raises(threading.BrokenBarrierError):
                waiter.result(60)
        assert barrier.broken == (how == "abort")
        barrier.reset()
        assert (barrier.broken, barrier.n_waiting) == (False, 0)
    assert not [key for key in barrier._state if isinstance(key, tuple)]
    waiting = arrive(barrier, start, 2)
    assert barrier.wait() == 2
    assert sorted(waiter.result(60) for waiter in waiting) == [0, 1]


def test_a_late_barrier_breaks_for_all(store: stm.Store, start: Start) -> None:
    barrier = stm.TBarrier("b", 3, store=store)
    (waiting,) = arrive(barrier, start, 1)
    with pytest.raises(BrokenBarrier, match="reset"):
        barrier.wait(timeout=0.01)
    with pytest.raises(BrokenBarrier):
        waiting.result(60)
    with pytest.raises(BrokenBarrier):
        barrier.wait()


def test_barrier_refuses(store: stm.Store) -> None:
    with pytest.raises(ValueError, match="parties"):
        stm.TBarrier("b", store=store)
    with pytest.raises(ValueError, match="parties"):
        stm.TBarrier("b", -1, store=store)
    with pytest.raises(stm.NestedMisuse):
        store.run(stm.TBarrier("b", 1, store=store).wait)


WORKER = """
    import stmpy as stm
    store = stm.open(name="sync test")
    log = store.TVar("log")
    stm.TEvent("go", store=store).wait()
    place = stm.TBarrier("meet", store=store).wait()
    with stm.TSemaphore("one", store=store):
        with store.atomically():
            log[place] = me
    stm.TLatch("done", store=store).count_down()
"""


def test_across_interpreters(interpreters: Interpreters, start: Callable[..., Any]) -> None:
    with stm.open(name="sync test", max_bytes=16 << 20) as store:
        go, latch = stm.TEvent("go", store=store), stm.TLatch("done", 3, store=store)
        stm.TBarrier("meet", 3, store=store)
        stm.TSemaphore("one", 1, store=store)
        running = start(interpreters.run_each, WORKER, 3)
        assert not latch.wait(0)
        go.set()
        assert latch.wait(60)
        running.result(60)
        log = store.TVar("log").copy()
        assert (sorted(log), sorted(log.values())) == ([0, 1, 2], [0, 1, 2])
