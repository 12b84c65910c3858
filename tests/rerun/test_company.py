"""Blocks run again as well where others watch the same code, or share it."""

from __future__ import annotations

import gc
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest

from tests.rerun.run import Manager, run
from tests.rerun.test_sites import SHAPES, each, losing_at
from tests.rerun.toy import Lock, Rerunner

MONITORING = sys.monitoring
TOOLS = (1, 5)  # one is asked after the toy, one before


@contextmanager
def traced() -> Iterator[None]:
    def trace(frame: FrameType, event: str, _: object) -> Any:
        return trace if frame.f_code.co_filename == "<program>" else None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


@contextmanager
def watched(result: object) -> Iterator[None]:
    """Other tools watch lines, and switch each place off after the first time or not at all."""
    events = MONITORING.events.LINE | MONITORING.events.PY_RETURN
    for tool in TOOLS:
        MONITORING.use_tool_id(tool, "company")
        for event in (MONITORING.events.LINE, MONITORING.events.PY_RETURN):
            MONITORING.register_callback(tool, event, lambda *_: result)
        MONITORING.set_events(tool, events)
    try:
        yield
    finally:
        for tool in TOOLS:
            MONITORING.set_events(tool, 0)
            MONITORING.free_tool_id(tool)


COMPANY: dict[str, Callable[[], Any]] = {
    "trace": traced,
    "tools": lambda: watched(None),
    "tools that leave": lambda: watched(MONITORING.DISABLE),
}


@pytest.mark.parametrize("company", COMPANY)
@each(*(shape for shape in SHAPES if not shape.suspends and not shape.reason))
def test_watched_block_runs_again(shape: Any, company: str) -> None:
    code = compile(textwrap.dedent(shape.text), "<program>", "exec")
    expected = run(Lock(), code, 1, False)
    with Rerunner() as stm, COMPANY[company]():
        for number in range(10):
            stm.start(losing_at({number, number + 2}))
            assert run(stm, code, 1, False) == expected
    assert (stm.reruns > 0) == (not shape.unbound)


def function(text: str, **names: Any) -> Callable[..., Any]:
    exec(compile(textwrap.dedent(text), "<program>", "exec"), names)
    made: Callable[..., Any] = names["main"]
    return made


def test_events_armed_again_by_another_tool() -> None:
    with Rerunner() as stm:
        stm.start(losing_at({0, 2, 3}))
        main = function(
            """
            def main():
                n = 0
                with stm.atomically():
                    restart_events()
                    n += 1
                return n
            """,
            stm=stm,
            restart_events=MONITORING.restart_events,
        )
        assert [main() for _ in range(5)] == [1] * 5
    assert stm.reruns == 3


SHARED = """
    def main(manager, inside):
        n = 0
        with manager as tx:
            n += 1
            inside()
        return n
"""


def test_other_frames_of_the_same_code_are_left_alone() -> None:
    """Another thread, and a call from inside, run the same statement with another manager."""
    with Rerunner() as stm:
        stm.start(losing_at({0, 1}))
        main = function(SHARED)
        others: list[int] = []

        def other() -> None:
            others.append(main(Manager(0), lambda: None))

        def inside() -> None:
            other()
            thread = threading.Thread(target=other)
            thread.start()
            thread.join()

        assert main(stm.atomically(), inside) == 1
    assert stm.reruns == 2
    assert others == [1] * 6


def test_statement_first_entered_by_another_manager() -> None:
    """Its events come before the block is known, and must not stay switched off."""
    with Rerunner() as stm:
        stm.start(losing_at({0, 1}))
        main = function(
            """
            def main(manager):
                n = 0
                with stm.atomically():
                    n += 1
                with manager:
                    n += 1
                return n
            """,
            stm=stm,
        )
        for manager in (Manager(0), Manager(0), stm.atomically(), stm.atomically()):
            assert main(manager) == 2
    assert stm.reruns == 2


def test_equal_code_objects_are_analysed_apart() -> None:
    with Rerunner() as stm:
        stm.start(losing_at({0, 2, 4}))
        first, second = function(SHARED), function(SHARED)
        assert first.__code__ == second.__code__
        assert first(stm.atomically(), int) == second(stm.atomically(), int) == 1
    assert stm.reruns == 2
    assert len(stm.sites) == 2


def test_nothing_is_kept() -> None:
    """A jump drops what lies on the stack, and neither more nor less."""
    value = object()
    with Rerunner() as stm:
        main = function(
            """
            def main(value):
                with stm.atomically():
                    for x in [value]:
                        stm.point()
                        return x
                    pass
            """,
            stm=stm,
        )
        for numbers in ({0, 1, 2}, {1, 3}, {0, 2, 4}):
            stm.start(losing_at(numbers))
            before = sys.getrefcount(value)
            for _ in range(20):
                assert main(value) is value
            gc.collect()
            assert sys.getrefcount(value) == before
    assert stm.reruns == 8
