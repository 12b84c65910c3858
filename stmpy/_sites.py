"""Where a `with` block ends, and how its frame gets back to the start of the body.

A context manager cannot run its body again, but a frame can be moved: the block commits at the
LINE event (PEP 669) that fires when the frame comes back to the line of the `with` just before
`__exit__` is called, and a conflict moves the frame to the first instruction of the body by
assigning `frame.f_lineno`. `analyse` finds, for one `with` item in one code object, every place
where that event fires and the assignments that lead from there to exactly that instruction with
exactly its stack. Where they cannot be found, or a re-run could be noticed, the block is not
rerunnable: it then runs in serial mode, where it cannot conflict.

The analysis reads bytecode and runs nothing. It is done once for each item; its caller keeps the
result.
"""

from __future__ import annotations

import opcode
import sys
from opcode import opmap

from stmpy._rebinds import find_rebinds
from stmpy._stacks import Flow, NotRerunnable, cut, depth

TYPE_CHECKING = False  # see stmpy/_store.py
if TYPE_CHECKING:
    from types import CodeType
    from typing import Final

# `exit` lies on the stack while the body runs, since 3.14 with the object it is a method of; the
# block ends by calling it with three times None.
_IS_313: Final = sys.version_info < (3, 14)
_CALL: Final = opmap["CALL"]
_EXIT_CALL: Final = (_CALL, 2 if _IS_313 else 3)
_EXIT_SWAPS: Final = ((opmap["SWAP"], 2),) if _IS_313 else ((opmap["SWAP"], 3), (opmap["SWAP"], 2))
_LOAD_CONST: Final = opmap["LOAD_CONST"]
_LOAD_COMMON_CONSTANT: Final = opmap.get("LOAD_COMMON_CONSTANT", -1)
_COMMON_NONE: Final = frozenset(
    i for i, constant in enumerate(getattr(opcode, "_common_constants", ())) if constant is None
)
_LOAD_SPECIAL: Final = opmap.get("LOAD_SPECIAL", -1)
_BEFORE_WITH: Final = opmap.get("BEFORE_WITH", -1)
_PUSH_EXC_INFO: Final = opmap["PUSH_EXC_INFO"]
_WITH_EXCEPT_START: Final = opmap["WITH_EXCEPT_START"]
_YIELD_VALUE: Final = opmap["YIELD_VALUE"]
_TARGETS: Final = frozenset(
    opmap[name] for name in ("POP_TOP", "STORE_FAST", "STORE_NAME", "STORE_GLOBAL", "STORE_DEREF")
)
_MOST_JUMPS: Final = 3


class Site:
    """One `with` item of one code object; offsets are in bytes, as `frame.f_lasti` is.

    `exits` pairs the offset of each LINE event at which the block ends with the line numbers to
    assign to `f_lineno` there, in this order, to run the body again. The exception handler of the
    block, `handler`, is one of them (-1 if nothing in the body can raise). After the jump `names`
    are put back in the locals of the frame, and `globals` in its globals. If one of
    `must_be_bound` is unbound when the block is entered, a re-run could be noticed. `suspends`
    says that the body may yield or await. Where it is not `rerunnable`, `reason` says why.
    """

    def __init__(
        self,
        *,
        with_line: int,
        suspends: bool,
        reason: str = "",
        body: int = -1,
        exits: tuple[tuple[int, tuple[int, ...]], ...] = (),
        handler: int = -1,
        names: tuple[str, ...] = (),
        globals: tuple[str, ...] = (),
        must_be_bound: tuple[str, ...] = (),
    ) -> None:
        self.rerunnable = not reason
        self.reason = reason
        self.with_line = with_line
        self.body = body
        self.exits = exits
        self.handler = handler
        self.names = names
        self.globals = globals
        self.must_be_bound = must_be_bound
        self.suspends = suspends


class _Block:
    """The walk through one block: what belongs to the body, and where it ends."""

    def __init__(self, flow: Flow, enter: int) -> None:
        self.flow = flow
        self.inside: set[int] = set()
        self.exits: dict[int, set[int]] = {}  # the lines from which each of them is reached
        self.handler = -1
        self.after = flow.next[enter]
        entered = flow.stack[self.after]
        if entered < 0:
            raise NotRerunnable("the value stack is too deep for CPython to move the frame")
        self.level = depth(entered) - 1
        self.stack = cut(entered, self.level)
        # Anything but a plain name after `as` can raise, or jump, before the body has begun.
        if flow.op[self.after] not in _TARGETS:
            raise NotRerunnable("the target after `as` is not a plain name")
        self.body = flow.next[self.after]
        if self.body not in flow.starts.get(flow.line[self.body], ()):
            raise NotRerunnable(
                "the body starts on the line of the with statement "
                "(another context manager after this one counts as body)"
            )

    def walk(self) -> None:
        """Follow every path from the start of the body to the end of the block."""
        flow, todo = self.flow, [self.body]
        while todo:
            i = todo.pop()
            if i in self.inside:
                continue
            self.inside.add(i)
            if (entry := flow.handlers[i]) is not None and not self._is_own_handler(entry):
                todo.append(entry[0])
            for place in flow.successors[i]:
                if self._is_exit(place):
                    self.exits.setdefault(place, set()).add(flow.line[i])
                elif cut(flow.stack[place], self.level) != self.stack:
                    raise NotRerunnable("the body is left on a path that is not understood")
                else:
                    todo.append(place)

    def _is_own_handler(self, entry: tuple[int, int]) -> bool:
        flow, (handler, level) = self.flow, entry
        if level < self.level:
            raise NotRerunnable("an exception in the body can pass by the with statement")
        if level > self.level or flow.op[flow.next[handler]] != _WITH_EXCEPT_START:
            return False
        if flow.op[handler] != _PUSH_EXC_INFO or self.handler not in (-1, handler):
            raise NotRerunnable("the with statement has an exception handler of unknown form")
        self.handler = handler
        return True

    def _is_exit(self, i: int) -> bool:
        """Whether the call of `exit` starts at `i`, below it at most a value to return."""
        flow, stack = self.flow, self.flow.stack[i]
        if stack < 0:
            raise NotRerunnable("the value stack is too deep for CPython to move the frame")
        if depth(stack) == self.level + 1 and cut(stack, self.level) == self.stack:
            for swap in _EXIT_SWAPS:
                if (flow.op[i], flow.arg[i]) != swap:
                    return False
                i = flow.next[i]
        elif stack != self.stack:
            return False
        for _ in range(3):
            if not _loads_none(flow, i):
                return False
            i = flow.next[i]
        return (flow.op[i], flow.arg[i]) == _EXIT_CALL

    def check_events(self) -> None:
        """A LINE event must fire at each end, whatever the body did before."""
        flow = self.flow
        for i, lines in self.exits.items():
            if not flow.has_event(i) or flow.line[i] in lines:
                raise NotRerunnable(
                    "CPython sends no event at the end of the block (if that is a loop with a "
                    "`return` in it, put a statement such as `pass` after the loop)"
                )
        if self.handler < 0:
            return
        if not flow.has_event(self.handler):
            raise NotRerunnable("the exception handler of the block has no line")
        if any(flow.line[i] == flow.line[self.handler] for i in self.inside):
            raise NotRerunnable("part of the body is on the line of the with statement")

    def plan(self, start: int) -> tuple[int, ...]:
        """The shortest way from one end to the start of the body, as lines to jump to.

        A jump lands at the deepest stack that the present one can be cut down to. Where that is
        another place on the line of the body, a jump to some line in between may first drop what
        lies on top of the stack. Nothing runs at that place.
        """
        flow, last = self.flow, self.flow.line[self.body]
        seen = {start}
        paths: list[tuple[int, tuple[int, ...]]] = [(start, ())]
        for _ in range(_MOST_JUMPS):
            longer = []
            for place, path in paths:
                if flow.landing(place, last) == self.body:
                    return (*path, last)
                for line in flow.starts:
                    landing = flow.landing(place, line)
                    if landing < 0 or landing in seen:
                        continue
                    if depth(flow.stack[landing]) >= self.level:
                        seen.add(landing)
                        longer.append((landing, (*path, line)))
            paths = longer
        raise NotRerunnable(
            "CPython would move the frame to another place than the start of the body"
        )


def _loads_none(flow: Flow, i: int) -> bool:
    if flow.op[i] == _LOAD_CONST:
        return flow.code.co_consts[flow.arg[i]] is None
    return flow.op[i] == _LOAD_COMMON_CONSTANT and flow.arg[i] in _COMMON_NONE


def _enters_with(flow: Flow, i: int) -> bool:
    """Whether the instruction at `i` is the one with which a with statement calls `__enter__`."""
    op, arg = flow.op, flow.arg
    if _IS_313:
        return op[i] == _BEFORE_WITH
    return (op[i], arg[i]) == (_CALL, 0) and (op[i - 1], arg[i - 1]) == (_LOAD_SPECIAL, 0)


def analyse(code: CodeType, enter_offset: int) -> Site:
    """Find out how the `with` item that is entered at `enter_offset` of `code` can be run again.

    `enter_offset` is `f_lasti` of the frame that called `__enter__`. A call that does not come
    from a with statement, as `ExitStack.enter_context`, gives a site that is not rerunnable.
    """
    flow = Flow(code)
    suspends = _YIELD_VALUE in flow.op
    enter = enter_offset // 2
    try:
        if not _enters_with(flow, enter):
            raise NotRerunnable("`__enter__` was not called by a with statement")
        block = _Block(flow, enter)
        block.walk()
        suspends = any(flow.op[i] == _YIELD_VALUE for i in block.inside)
        block.check_events()
        ends = [*block.exits, block.handler] if block.handler >= 0 else [*block.exits]
        exits = tuple((2 * end, block.plan(end)) for end in sorted(ends))
        rebinds = find_rebinds(flow, block.after, block.body, block.inside, block.handler)
    except NotRerunnable as reason:
        return Site(with_line=flow.line[enter], suspends=suspends, reason=str(reason))
    return Site(
        with_line=flow.line[enter],
        suspends=suspends,
        body=2 * block.body,
        exits=exits,
        handler=2 * block.handler if block.handler >= 0 else -1,
        names=tuple(sorted(rebinds.names)),
        globals=tuple(sorted(rebinds.globals)),
        must_be_bound=tuple(sorted(rebinds.must_be_bound)),
    )
