"""Compares what `stmpy._stacks` foretells with what CPython does. Runs in a process of its own.

`jumps` lets real frames jump, each in a child process, as such a frame can't go on. `events` runs
code with all its events and looks for one that should have come.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import random
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from stmpy._stacks import Flow
from tests.rerun.programs import KINDS, write
from tests.rerun.run import TooLong, run
from tests.rerun.toy import Lock

MONITORING = sys.monitoring
EVENTS = MONITORING.events
TOOL = 3  # the core takes 4 where it can, in the same process
CORPUS = Path(__file__).parent / "corpus.txt"
FILES = ("<program>", "<corpus>")
VISITS = 2
TARGETS = 8


def run_corpus() -> None:
    names: dict[str, Any] = {"__name__": "corpus"}
    exec(compile(CORPUS.read_text(), "<corpus>", "exec"), names)
    for function in list(names.values()):
        if inspect.iscoroutinefunction(function):
            asyncio.run(function())
        elif inspect.isgeneratorfunction(function):
            list(function())
        elif inspect.isfunction(function):
            function()


def run_programs(rng: random.Random, count: int) -> None:
    warnings.simplefilter("ignore", SyntaxWarning)
    for _ in range(count):
        text = write(rng.randrange, rng.choice(KINDS))
        try:
            run(Lock(), compile(text, "<program>", "exec"), 1, False)
        except (SyntaxError, TooLong):
            continue


class Flows:
    def __init__(self) -> None:
        self.flows: dict[int, Flow] = {}

    def __getitem__(self, code: CodeType) -> Flow:
        if id(code) not in self.flows:
            self.flows[id(code)] = Flow(code)  # keeps the code object, and so its identity
        return self.flows[id(code)]


def land(frame: FrameType, line: int) -> int:
    """Where a jump really lands, -1 if it is refused; tried out in a child."""
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        try:
            warnings.simplefilter("ignore")
            frame.f_lineno = line  # type: ignore[misc]
            place = frame.f_lasti // 2
        except ValueError:
            place = -1
        os.write(writer, str(place).encode())
        os._exit(0)
    os.close(writer)
    place = int(os.read(reader, 20))
    os.close(reader)
    os.waitpid(child, 0)
    return place


def jumps(seed: int, programs: int) -> None:
    """Checks the landings of jumps from the line events of the corpus and of random programs."""
    rng, flows = random.Random(seed), Flows()
    visits: dict[tuple[int, int], int] = {}
    right = 0

    def on_line(code: CodeType, line: int) -> object:
        nonlocal right
        frame = sys._getframe(1)
        place = id(code), frame.f_lasti
        visits[place] = visits.get(place, 0) + 1
        if code.co_filename not in FILES or visits[place] > VISITS:
            return MONITORING.DISABLE
        flow = flows[code]
        near = [target for target in flow.starts if abs(target - line) < TARGETS]
        for target in rng.sample(near, min(len(near), TARGETS)):
            foretold = flow.landing(frame.f_lasti // 2, target)
            if foretold >= 0:
                found = land(frame, target)
                assert found == foretold, (code, frame.f_lasti, target, foretold, found)
                right += 1
        return None

    watch({EVENTS.LINE: on_line})
    run_corpus()
    run_programs(rng, programs)
    print(right)


def events(seed: int, programs: int) -> None:
    """Checks that a line event comes wherever one is foretold."""
    flows = Flows()
    last: dict[FrameType, int] = {}
    announced: dict[FrameType, int] = {}
    right = 0

    def on_line(code: CodeType, _line: int) -> None:
        frame = sys._getframe(1)
        announced[frame] = frame.f_lasti

    def on_instruction(code: CodeType, offset: int) -> object:
        nonlocal right
        if code.co_filename not in FILES:
            return MONITORING.DISABLE
        frame, flow = sys._getframe(1), flows[code]
        before, here = last.get(frame), offset // 2
        last[frame] = here
        came = announced.pop(frame, None) == offset
        if before is not None and flow.op[here] >= 0 and flow.line[before] != flow.line[here]:
            assert came or not flow.has_event(here), (code, before, here)
            right += came
        return None

    def on_end(*_: object) -> None:
        last.pop(sys._getframe(1), None)

    ends = dict.fromkeys((EVENTS.PY_RETURN, EVENTS.PY_UNWIND), on_end)
    watch({EVENTS.LINE: on_line, EVENTS.INSTRUCTION: on_instruction, **ends})
    run_corpus()
    run_programs(random.Random(seed), programs)
    print(right)


def watch(callbacks: dict[int, Callable[..., Any]]) -> None:
    MONITORING.use_tool_id(TOOL, "probe")
    for event, callback in callbacks.items():
        MONITORING.register_callback(TOOL, event, callback)
    MONITORING.set_events(TOOL, sum(callbacks))
