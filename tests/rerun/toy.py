"""A re-runner in pure Python without any store: the proof of the plans in `stmpy._sites`.

It does to a frame exactly what the C core does, step by step, but a conflict is whatever the test
decides. What a block writes into a `Var` is undone before it runs again.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from types import CodeType, FrameType, TracebackType
from typing import Any

from stmpy._sites import Site, analyse

TOOL = 4
_MONITORING = sys.monitoring
_UNBOUND = object()
_set_handled = ctypes.pythonapi.PyErr_SetHandledException
_set_handled.argtypes = [ctypes.py_object]
_set_handled.restype = None


class Conflict(BaseException):
    """Raised inside a body by a conflict; never seen outside of the block."""


class Var(dict[Any, Any]):
    """A variable whose state is put back when a block runs again."""


class Rerunner:
    """Owns the monitoring tool, the analysed blocks, and the blocks that are open now.

    `commit` is asked at the end of each attempt and says whether it wins.
    """

    def __init__(self, commit: Callable[[], bool]) -> None:
        self.commit = commit
        self.variables: list[Var] = []
        self.sites: dict[tuple[CodeType, int], Site] = {}
        self.exits: dict[CodeType, set[int]] = {}
        self.open: list[Block] = []
        self.reruns = 0
        self.serial = 0
        self.misuse: list[CodeType] = []

    def __enter__(self) -> Rerunner:
        _MONITORING.use_tool_id(TOOL, "toy")
        _MONITORING.register_callback(TOOL, _MONITORING.events.LINE, self.on_line)
        return self

    def __exit__(self, *_: object) -> None:
        for code, _offset in self.sites:
            _MONITORING.set_local_events(TOOL, code, 0)
        _MONITORING.register_callback(TOOL, _MONITORING.events.LINE, None)
        _MONITORING.free_tool_id(TOOL)

    def atomically(self) -> Block:
        return Block(self)

    def new_var(self) -> Var:
        self.variables.append(Var())
        return self.variables[-1]

    def site(self, frame: FrameType) -> Site:
        key = frame.f_code, frame.f_lasti
        if key not in self.sites:
            self.sites[key] = site = analyse(*key)
            if site.rerunnable:
                self.exits.setdefault(frame.f_code, set()).update(at for at, _ in site.exits)
                # Setting no events first arms again what an earlier block's events have disabled.
                _MONITORING.set_local_events(TOOL, frame.f_code, 0)
                _MONITORING.set_local_events(TOOL, frame.f_code, _MONITORING.events.LINE)
        return self.sites[key]

    def on_line(self, code: CodeType, _line: int) -> object:
        frame = sys._getframe(1)
        if frame.f_lasti not in self.exits.get(code, ()):
            return _MONITORING.DISABLE
        block = self.open[-1] if self.open else None
        if block is not None and block.frame is frame and block.site.rerunnable:
            block.on_end(frame.f_lasti)
        return None


class Block:
    """One `with` block; nested ones are joined to the outermost."""

    site: Site
    frame: FrameType

    def __init__(self, rerunner: Rerunner) -> None:
        self.rerunner = rerunner
        self.doomed = False
        self.committed = False

    def __enter__(self) -> Block:
        rerunner = self.rerunner
        self.outer = rerunner.open[0] if rerunner.open else None
        if self.outer is None:
            self.frame = frame = sys._getframe(1)
            self.site = rerunner.site(frame)
            if self.site.rerunnable:
                bound = frame.f_locals
                if any(name not in bound for name in self.site.must_be_bound):
                    self.site = self.site._replace(rerunnable=False, reason="a name is unbound")
                self.save()
            rerunner.serial += not self.site.rerunnable
            rerunner.open.append(self)
        return self

    def save(self) -> None:
        frame = self.frame
        self.locals = {n: frame.f_locals.get(n, _UNBOUND) for n in self.site.names}
        self.globals = {n: frame.f_globals.get(n, _UNBOUND) for n in self.site.globals}
        self.state = [dict(variable) for variable in self.rerunner.variables]

    def on_end(self, offset: int) -> None:
        """The LINE event at an end of the body."""
        if self.doomed or (offset != self.site.handler and not self.rerunner.commit()):
            self.run_again(offset)
        elif offset != self.site.handler:
            self.committed = True

    def run_again(self, offset: int) -> None:
        self.rerunner.reruns += 1
        self.doomed = False
        for variable, state in zip(self.rerunner.variables, self.state, strict=True):
            variable.clear()
            variable.update(state)
        frame, site = self.frame, self.site
        handled = sys.exception()
        for name in site.fill:
            if name not in frame.f_locals:
                frame.f_locals[name] = None
        for line in dict(site.exits)[offset]:
            frame.f_lineno = line
        assert frame.f_lasti == site.body, (frame.f_lasti, site)
        if offset == site.handler:
            # The jump has made the exception that was in flight the handled one. A generator may
            # handle none itself and yet see the one that its caller handles.
            _set_handled(None)
            if sys.exception() is not handled:
                _set_handled(handled)
        self.put_back()

    def put_back(self) -> None:
        frame = self.frame
        in_function = frame.f_code.co_flags & 1
        for names, values in ((frame.f_locals, self.locals), (frame.f_globals, self.globals)):
            for name, value in values.items():
                if value is not _UNBOUND:
                    names[name] = value
                elif in_function and names is not frame.f_globals:
                    names[name] = None
                else:
                    names.pop(name, None)

    def conflict(self) -> None:
        """What a read that finds the snapshot gone does."""
        self.doomed = True
        raise Conflict

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self.outer is None:
            self.rerunner.open.remove(self)
            if self.site.rerunnable:
                assert self.committed or error is not None, "no event at the end of the block"
                assert not self.doomed, "a conflict left the block"
                assert not isinstance(error, Conflict)
