"""What is no scenario, what explore leaves alone, and what it says to misuse."""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

import pytest

import stmpy as stm
from stmpy.testing import conflicts, explore
from tests.testing.planted import Threads, check_and_act


def no_generator() -> Any:
    return [print]


def no_sequence() -> Any:
    yield print


def no_functions() -> Any:
    yield ["print"]


@pytest.mark.parametrize("scenario", [no_generator, no_sequence, no_functions])
def test_what_is_no_scenario(scenario: Callable[[], Any]) -> None:
    with pytest.raises(TypeError, match="a scenario"):
        explore(scenario)


@pytest.mark.parametrize("replay", ["a3", "A3B2", "3A", "A-1", "A99999999"])
def test_what_is_no_schedule(replay: str) -> None:
    with pytest.raises(stm.StmError, match="is no turn"):
        explore(check_and_act, replay=replay)


def test_a_schedule_of_another_scenario_is_followed_as_far_as_it_goes() -> None:
    assert explore(check_and_act, replay="Z3 B100 A C").schedules == 1


def test_one_at_a_time() -> None:
    def scenario() -> Threads:
        with pytest.raises(stm.NestedMisuse, match="explore"):
            explore(check_and_act)
        with pytest.raises(stm.NestedMisuse, match="conflicts"), conflicts(0.5):
            pass
        yield ()

    explore(scenario, schedules=1)
    with conflicts(0.5), pytest.raises(stm.NestedMisuse, match="explore"):
        explore(check_and_act)


def test_threads_are_yielded_not_started() -> None:
    def scenario() -> Threads:
        def start() -> None:
            with pytest.raises(stm.StmError, match="yield the functions"):
                threading.Thread(target=print).start()

        start()
        yield (start,)

    explore(scenario, schedules=1)


def test_a_forked_child_is_on_its_own() -> None:
    def scenario() -> Threads:
        total: stm.TRef[int] = stm.TRef(None, 0)

        def fork() -> int:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # threads and forks
                child = os.fork()
            with stm.atomically():
                total.value += 1
            if child == 0:
                os._exit(0)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

        assert (yield fork, fork) == [0, 0]
        assert total.value == 4

    explore(scenario, schedules=3)


def test_interpreters_of_their_own_are_refused(interpreters: Any) -> None:
    interpreters.run(
        interpreters.create(),
        """
        import stmpy as stm
        from stmpy.testing import conflicts, explore

        def scenario():
            yield [print]

        try:
            explore(scenario)
        except stm.StmError as error:
            assert "main interpreter" in str(error)
        else:
            raise AssertionError("explore ran")
        total = stm.TRef(None, 0)
        with conflicts([True]) as injected, stm.atomically():
            total.value += 1
        assert injected.injected == 1
        """,
    )


def test_too_many_threads() -> None:
    def scenario() -> Threads:
        yield [print] * 27

    with pytest.raises(stm.StmError, match="up to 26 threads"):
        explore(scenario, schedules=1)


def test_other_threads_go_on_as_ever() -> None:
    """They find plain locks and the real clock, and their blocks are not interleaved."""
    begin, end = threading.Event(), threading.Event()
    counted: stm.TRef[int] = stm.TRef(None, 0)

    def count() -> None:
        while not end.is_set():
            lock, start = threading.Lock(), time.monotonic()
            with lock, stm.atomically(timeout=60):
                counted.value += 1
            assert time.monotonic() >= start > 0
            begin.set()

    thread = threading.Thread(target=count)
    thread.start()
    begin.wait()
    explore(check_and_act, schedules=20)
    end.set()
    thread.join()
    assert counted.value > 0
