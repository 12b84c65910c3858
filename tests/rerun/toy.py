"""A re-runner in pure Python without any store: the proof of the plans in `stmpy._sites`.

It does to a frame exactly what the C core does, step by step, but a conflict is whatever the test
decides. What a block writes into a `Var` is undone before it runs again, and if it raises.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from types import CodeType, FrameType, TracebackType
from typing import Any

from stmpy._frames import Saved, run_again, save
from stmpy._sites import Site, analyse

TOOL = 3  # the core takes 4 where it can, in the same process
MONITORING = sys.monitoring
set_handled = ctypes.pythonapi.PyErr_SetHandledException
set_handled.argtypes = [ctypes.py_object]
set_handled.restype = None


class Conflict(BaseException):
    """Raised inside a body by a conflict; never seen outside of the block."""


class Rerunner:
    """Owns the monitoring tool, the analysed blocks, and the blocks that are open now.

    `loses`, given to `start`, is asked at the end of each attempt and at each `point` in a body.
    The variables are dicts; there is one thread.
    """

    loses: Callable[[], bool]

    def __init__(self) -> None:
        # Equal code objects are not the same one, so they are told apart by identity.
        self.codes: dict[int, CodeType] = {}
        self.sites: dict[tuple[int, int], Site] = {}
        self.exits: dict[int, set[int]] = {}
        self.reruns = 0
        self.serial = 0

    def start(self, loses: Callable[[], bool]) -> None:
        """Begin a run of a program."""
        self.loses = loses
        self.variables: list[dict[Any, Any]] = []
        self.open: list[Block] = []

    def __enter__(self) -> Rerunner:
        MONITORING.use_tool_id(TOOL, "toy")
        MONITORING.register_callback(TOOL, MONITORING.events.LINE, self.on_line)
        return self

    def __exit__(self, *_: object) -> None:
        for code in self.codes.values():
            MONITORING.set_local_events(TOOL, code, 0)
        MONITORING.register_callback(TOOL, MONITORING.events.LINE, None)
        MONITORING.free_tool_id(TOOL)

    def atomically(self) -> Block:
        return Block(self)

    def variable(self) -> dict[Any, Any]:
        self.variables.append({})
        return self.variables[-1]

    def point(self) -> None:
        """A place where a read may find that the snapshot is gone."""
        if self.open and self.open[0].site.rerunnable and (self.open[0].doomed or self.loses()):
            self.open[0].doomed = True
            raise Conflict

    def site(self, frame: FrameType) -> Site:
        code = frame.f_code
        key = id(code), frame.f_lasti
        if key not in self.sites:
            self.codes[id(code)] = code
            self.sites[key] = site = analyse(code, frame.f_lasti)
            if site.rerunnable:
                self.exits.setdefault(id(code), set()).update(at for at, _ in site.exits)
                # Setting no events first arms again what an earlier block's events have disabled.
                MONITORING.set_local_events(TOOL, code, 0)
                MONITORING.set_local_events(TOOL, code, MONITORING.events.LINE)
        return self.sites[key]

    def on_line(self, code: CodeType, _line: int) -> object:
        frame = sys._getframe(1)
        if frame.f_lasti not in self.exits[id(code)]:
            return MONITORING.DISABLE
        block = self.open[0] if self.open else None
        if block is not None and block.frame is frame and block.site.rerunnable:
            block.on_end(frame.f_lasti)
        return None


class Block:
    """One `with` block; a nested one joins the outermost, but undoes its own writes if it fails."""

    site: Site
    frame: FrameType
    saved: Saved

    def __init__(self, rerunner: Rerunner) -> None:
        self.rerunner = rerunner
        self.doomed = False
        self.committed = False

    def __enter__(self) -> Block:
        rerunner = self.rerunner
        self.state = [dict(variable) for variable in rerunner.variables]
        if not rerunner.open:
            self.frame = frame = sys._getframe(1)
            self.site = rerunner.site(frame)
            if self.site.rerunnable:
                saved = save(frame, self.site)
                if saved is None:
                    self.site = Site(
                        with_line=self.site.with_line,
                        suspends=self.site.suspends,
                        reason="a name is unbound",
                    )
                else:
                    self.saved = saved
            rerunner.serial += not self.site.rerunnable
        rerunner.open.append(self)
        return self

    def undo(self) -> None:
        for variable, state in zip(self.rerunner.variables, self.state, strict=True):
            variable.clear()
            variable.update(state)

    def on_end(self, offset: int) -> None:
        """The LINE event at an end of the body; the frame is about to call `__exit__`."""
        at_handler = offset == self.site.handler
        if self.doomed or (not at_handler and self.rerunner.loses()):
            self.run_again(offset)
        elif not at_handler:
            self.committed = True

    def run_again(self, offset: int) -> None:
        self.rerunner.reruns += 1
        self.doomed = False
        del self.rerunner.open[1:]
        self.undo()
        frame, site = self.frame, self.site
        handled = sys.exception()
        run_again(frame, site, dict(site.exits)[offset], self.saved)
        assert frame.f_lasti == site.body, (frame.f_lasti, site)
        if offset == site.handler:
            # The jump has made the exception that was in flight the handled one. A generator may
            # handle none itself and yet see the one that its caller handles.
            set_handled(None)
            if sys.exception() is not handled:
                set_handled(handled)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        rerunner = self.rerunner
        del rerunner.open[rerunner.open.index(self) :]
        if error is not None:
            self.undo()
        if not rerunner.open and self.site.rerunnable:
            assert self.committed or error is not None, "no event at the end of the block"
            assert not self.doomed, "a conflict left the block"
            assert not isinstance(error, Conflict)


class Lock:
    """What the programs are compared with: blocks run one after the other, each once."""

    def __init__(self) -> None:
        self.variables: list[dict[Any, Any]] = []
        self.undo: list[list[dict[Any, Any]]] = []

    def atomically(self) -> Lock:
        return self

    def variable(self) -> dict[Any, Any]:
        self.variables.append({})
        return self.variables[-1]

    def point(self) -> None:
        pass

    def __enter__(self) -> Lock:
        self.undo.append([dict(variable) for variable in self.variables])
        return self

    def __exit__(self, kind: object, error: object, _: object) -> None:
        for variable, state in zip(self.variables, self.undo.pop(), strict=True):
            if error is not None:
                variable.clear()
                variable.update(state)
