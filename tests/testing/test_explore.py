"""What a scenario can do, what it can't, and what explore says to it."""

from __future__ import annotations

import os
import queue
import signal
import threading
import time
from functools import partial

import pytest

import stmpy as stm
from stmpy.testing import Deadlock, Stuck, explore
from tests.testing.conftest import Fails
from tests.testing.planted import Threads, check_and_act

# ---- groups of threads ---------------------------------------------------------------------------


def test_results_and_groups() -> None:
    order: list[str] = []

    def scenario() -> Threads:
        total: stm.TRef[int] = stm.TRef(None, 0)

        def add(n: int) -> int:
            with stm.atomically():
                total.value += n
            return n

        assert (yield [partial(add, 1), partial(add, 2)]) == [1, 2]
        order.append("between")
        assert (yield (lambda: add(3),)) == [3]
        assert (yield ()) == []
        assert total.value == 6

    assert explore(scenario, schedules=20).schedules == 20
    assert order == ["between"] * 20


def test_every_kind_of_block_takes_part(fails: Fails) -> None:
    def scenario() -> Threads:
        table: stm.TVar[str, int] = stm.TVar(None, {"a": 0, "b": 0})

        @stm.atomically
        def function() -> None:
            table["a"] += 1

        def nested() -> None:
            with stm.atomically(), stm.atomically():
                table["a"] += 1

        def choosing() -> None:
            stm.run(stm.or_else, stm.retry, lambda: table.update(a=table["a"] + 1))

        def irrevocable() -> None:
            with stm.atomically(irrevocable=True):
                table["a"] += 1

        def watching() -> None:
            with stm.snapshot():
                assert len(table) == len(table.copy())
            assert table.get_many(["a", "b"]).keys() == {"a", "b"}

        yield function, nested, choosing, irrevocable, watching
        assert table["a"] == 4

    explore(scenario, schedules=100)
    assert explore(scenario, preemptions=1, schedules=400).schedules == 400


def test_no_schedules_at_all_are_enough() -> None:
    assert explore(check_and_act, schedules=0).schedules == 0


# ---- waiting and time ----------------------------------------------------------------------------


def test_a_wait_that_never_ends_is_told(fails: Fails) -> None:
    def scenario() -> Threads:
        open_: stm.TRef[bool] = stm.TRef(None, False)

        def enter() -> None:
            with stm.atomically():
                stm.check(open_.value)

        yield enter, enter

    found = fails(Deadlock, scenario)
    assert found.schedule == 1
    assert "enter1: wait, test_explore.py:" in str(found.error)
    assert "enter2: wait, test_explore.py:" in str(found.error)


def test_timeouts_pass_when_everybody_waits() -> None:
    def scenario() -> Threads:
        never: stm.TRef[bool] = stm.TRef(None, False)

        def wait(seconds: float) -> float:
            try:
                with stm.atomically(timeout=seconds):
                    stm.check(never.value)
            except stm.TransactionTimeout:
                return time.monotonic()
            raise AssertionError("it was not to come true")

        def rest() -> float:
            time.sleep(2000)
            return time.monotonic()

        times = yield partial(wait, 3000), partial(wait, 1000), rest
        assert times == pytest.approx([3000, 1000, 2000])

    explore(scenario, schedules=30)


def test_a_timeout_does_not_pass_while_others_can_go_on() -> None:
    def scenario() -> Threads:
        ready: stm.TRef[bool] = stm.TRef(None, False)

        @stm.atomically(timeout=1e-6)
        def wait() -> None:
            stm.check(ready.value)

        @stm.atomically
        def signal_it() -> None:
            ready.value = True

        yield wait, signal_it

    assert explore(scenario, preemptions=2).complete


def test_locks_of_the_library_give_way() -> None:
    def scenario() -> Threads:
        lock, bound = threading.RLock(), threading.BoundedSemaphore(2)
        wall, jobs = threading.Barrier(2), queue.Queue[int](maxsize=1)
        taken: list[int] = []

        def put() -> None:
            wall.wait()
            for n in range(3):
                with bound, lock, lock:
                    pass
                jobs.put(n)

        def take() -> None:
            wall.wait()
            for _ in range(3):
                taken.append(jobs.get())
            with pytest.raises(queue.Empty):
                jobs.get(timeout=60)
            assert time.monotonic() == pytest.approx(60)

        yield put, take
        assert taken == [0, 1, 2]

    explore(scenario, schedules=100)


def test_the_scenario_itself_does_not_wait_for_ever(fails: Fails) -> None:
    flag = stm.TRef(None, 0)

    @stm.atomically
    def wait() -> None:
        stm.check(flag.value)

    def waits() -> Threads:
        with pytest.raises(stm.TransactionTimeout):
            stm.atomically(timeout=1000)(stm.retry)()
        wait()
        yield ()

    def locks() -> Threads:
        lock = threading.Lock()
        assert lock.acquire()
        assert not lock.acquire(timeout=1000)
        lock.acquire()
        yield ()

    for scenario in waits, locks:
        assert "the scenario itself waits" in str(fails(Deadlock, scenario).error)


# ---- schedules that do not end -------------------------------------------------------------------


def test_polling_ends_if_others_can_end_it() -> None:
    def scenario() -> Threads:
        ready: stm.TRef[bool] = stm.TRef(None, False)

        def poll() -> None:
            while not ready.value:
                pass

        @stm.atomically
        def end() -> None:
            ready.value = True

        yield poll, end

    explore(scenario, schedules=20)
    explore(scenario, preemptions=0)


def test_polling_for_nothing_is_stuck(fails: Fails) -> None:
    def scenario() -> Threads:
        ready: stm.TRef[bool] = stm.TRef(None, False)

        def poll() -> None:
            while not ready.value:
                pass

        yield (poll,)

    found = fails(Stuck, scenario, steps=200)
    assert "200 steps" in str(found.error)
    assert "… 140 steps before" in found.note


def test_what_explore_cannot_see_is_told_with_its_stack(fails: Fails) -> None:
    outside = threading.Lock()

    def scenario() -> Threads:
        def hang() -> None:
            outside.acquire()

        yield (hang,)

    outside.acquire()
    error = fails(Stuck, scenario, patience=0.1).error
    outside.release()
    assert "hang has not come to another point for 0.1 s" in str(error)
    assert "outside.acquire()" in str(error)


def test_what_explore_does_not_decide_is_named(fails: Fails) -> None:
    runs: list[None] = []

    def scenario() -> Threads:
        def fail_once() -> None:
            runs.append(None)
            assert len(runs) > 1

        yield (fail_once,)

    assert "did not fail again when it was replayed" in fails(AssertionError, scenario).note


def test_interrupt_ends_it() -> None:
    before = threading.enumerate()

    def scenario() -> Threads:
        other: stm.TRef[int] = stm.TRef(None, 0)

        def poll() -> None:
            while True:
                assert not other.value

        def interrupt() -> None:
            os.kill(os.getpid(), signal.SIGINT)
            poll()

        yield interrupt, poll

    with pytest.raises(KeyboardInterrupt):
        explore(scenario, steps=10**9)
    assert threading.enumerate() == before


def test_cleaning_up_may_use_blocks(fails: Fails) -> None:
    closed: list[str] = []

    def scenario() -> Threads:
        table: stm.TVar[str, int] = stm.TVar(None, {"a": 0})

        def stay() -> None:
            try:
                with stm.atomically():
                    stm.check(table["a"])
            finally:
                with stm.atomically():
                    table["a"] = 1

        def fail() -> None:
            raise LookupError

        try:
            yield stay, fail
        finally:
            closed.append("scenario")
            assert table == {"a": 0}

    fails(LookupError, scenario)
    assert closed
