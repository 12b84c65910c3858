"""Which names the body of a block rebinds, and which of them a second run could tell apart.

Before the body runs again the names that its own text binds (assignment, `for`, `import`, `def`,
`class`, `except ... as`, `:=`, `del`; also in functions, lambdas and comprehensions written inside
it) must have their values of the entry again, so that `total += 1` counts once. Two limits of
CPython shape what is found here:

- A local can be written through `frame.f_locals`, but not unbound again, and a jump binds every
  unbound local to None. So where the code that runs from the start of the body on could notice
  that a name is bound, the name must be bound at entry, or the block is not run again.
- A plain local that is always stored before it is read need not be put back. This leaves nothing
  to save for most blocks.

Offsets count code units, as in `_stacks`.
"""

from __future__ import annotations

from opcode import opmap
from types import CodeType

from stmpy._stacks import Flow, NotRerunnable, decode

TYPE_CHECKING = False  # see stmpy/_store.py
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final

# Flags of a code object, as in `inspect`, which is slow to import.
_OPTIMIZED: Final = 0x1
_VARARGS: Final = 0x4
_VARKEYWORDS: Final = 0x8

_LOADS: Final = frozenset(
    opmap[name] for name in ("LOAD_FAST", "LOAD_FAST_BORROW") if name in opmap
)
_LOAD_PAIRS: Final = frozenset(
    opmap[name]
    for name in ("LOAD_FAST_LOAD_FAST", "LOAD_FAST_BORROW_LOAD_FAST_BORROW")
    if name in opmap
)
_CAPTURES: Final = _LOADS | _LOAD_PAIRS
_LOAD_CHECK: Final = opmap["LOAD_FAST_CHECK"]
_LOAD_AND_CLEAR: Final = opmap["LOAD_FAST_AND_CLEAR"]
_STORE: Final = opmap["STORE_FAST"]
_STORE_LOAD: Final = opmap["STORE_FAST_LOAD_FAST"]
_STORE_STORE: Final = opmap["STORE_FAST_STORE_FAST"]
_DELETE: Final = opmap["DELETE_FAST"]
_LOAD_DEREFS: Final = frozenset((opmap["LOAD_DEREF"], opmap["LOAD_FROM_DICT_OR_DEREF"]))
_STORE_DEREF: Final = opmap["STORE_DEREF"]
_DELETE_DEREF: Final = opmap["DELETE_DEREF"]
_NAME_STORES: Final = frozenset((opmap["STORE_NAME"], opmap["DELETE_NAME"]))
_GLOBAL_STORES: Final = frozenset((opmap["STORE_GLOBAL"], opmap["DELETE_GLOBAL"]))
_LOAD_CONST: Final = opmap["LOAD_CONST"]
_LOAD_GLOBAL: Final = opmap["LOAD_GLOBAL"]
_JUMP_IF_TRUE: Final = opmap["POP_JUMP_IF_TRUE"]
_IMPORT_STAR: Final = (opmap["CALL_INTRINSIC_1"], 2)
# Functions through which a name can be seen without naming it.
_SEES_LOCALS: Final = frozenset(("locals", "vars", "dir", "eval", "exec"))


class Rebinds:
    """The sets of names that `Site` in `_sites` explains."""

    def __init__(self, names: set[str], must_be_bound: set[str]) -> None:
        self.names = names
        self.must_be_bound = must_be_bound
        self.globals: set[str] = set()


# What an instruction does to a local. A check notices that the name is unbound; an inlined
# comprehension hides a cell, uses a new one in its place, and shows the old one again.
_READS: Final = 1
_CHECKS: Final = 2
_STORES: Final = 4
_HIDES: Final = 8
_SHOWS: Final = 16


class _Locals:
    """The local variables of a code object: what each instruction does to them.

    `touch` maps a name to the instructions that concern it and what they do. `handler` is that of
    the block, -1 if it has none.
    """

    def __init__(self, flow: Flow, handler: int) -> None:
        code = flow.code
        self.flow = flow
        # Where a name may be read next, also if an exception is raised.
        self.edges = [
            after if handler is None else (*after, handler[0])
            for after, handler in zip(flow.successors, flow.handlers, strict=True)
        ]
        if handler >= 0:
            # There the frame goes on after the block if `__exit__` swallows an exception. Ours
            # never does, so a name that the body binds on all its paths is bound after the block.
            swallows = _first(flow, handler, _JUMP_IF_TRUE)
            self.edges[swallows] = (flow.next[swallows],)
        self.cells = frozenset(code.co_cellvars + code.co_freevars)
        self.slots = _slots(code)
        self.touch: dict[str, dict[int, int]] = {}
        for i, op in enumerate(flow.op):
            for slot, what in _accesses(op, flow.arg[i]):
                name = self.slots[slot]
                if name in self.cells:
                    what = _as_cell(op, what)
                # Where one instruction stores and then loads, the load reads what it stored.
                self.touch.setdefault(name, {}).setdefault(i, what)

    def first(self, name: str, start: int) -> set[int]:
        """The instructions that may be the first to read `name` from `start` on."""
        touch = self.touch.get(name, {})
        return {i for i in self._reach(name, start, past_stores=False) if touch.get(i, 0) & _READS}

    def stores(self, name: str, places: set[int]) -> bool:
        """Whether `name` itself, not what hides it, gets another value at one of the places."""
        return self.does(name, _STORES, places) and (
            name not in self.cells
            or self.does(name, _STORES, places & self._reach(name, 0, past_stores=True))
        )

    def _reach(self, name: str, start: int, past_stores: bool) -> set[int]:
        """The instructions that may run from `start` on while `name` is not hidden."""
        touch = self.touch.get(name, {})
        if not touch:
            return set()
        edges, seen, todo = self.edges, set(), [(start, False)]
        while todo:
            state = todo.pop()
            seen.add(state)
            i, hidden = state
            what = touch.get(i, 0)
            if not hidden and what & _STORES and not past_stores:
                continue
            hidden = not what & _SHOWS if hidden else bool(what & _HIDES)
            for place in edges[i]:
                if (place, hidden) not in seen:
                    todo.append((place, hidden))
        return {i for i, hidden in seen if not hidden}

    def are_seen(self, start: int) -> bool:
        """Whether the code from `start` on may look at all variables of the frame at once."""
        flow, names = self.flow, self.flow.code.co_names
        if _SEES_LOCALS.isdisjoint(names):
            return False
        seen, todo = {start}, [start]
        while todo:
            i = todo.pop()
            if flow.op[i] == _LOAD_GLOBAL and names[flow.arg[i] >> 1] in _SEES_LOCALS:
                return True
            todo.extend(place for place in self.edges[i] if place not in seen)
            seen.update(self.edges[i])
        return False

    def does(self, name: str, what: int, places: Iterable[int]) -> bool:
        touch = self.touch.get(name, {})
        return any(touch.get(i, 0) & what for i in places)


def _first(flow: Flow, i: int, op: int) -> int:
    while flow.op[i] != op:
        i = flow.next[i]
    return i


def _slots(code: CodeType) -> tuple[str, ...]:
    """The names of the local variables in the order in which instructions count them."""
    cells = tuple(name for name in code.co_cellvars if name not in code.co_varnames)
    return code.co_varnames + cells + code.co_freevars


def _accesses(op: int, arg: int) -> tuple[tuple[int, int], ...]:
    """The slots that an instruction touches, in order."""
    if op in _LOADS or op == _LOAD_AND_CLEAR:
        return ((arg, _READS),)
    if op == _LOAD_CHECK or op in _LOAD_DEREFS:
        return ((arg, _READS | _CHECKS),)
    if op in (_STORE, _STORE_DEREF):
        return ((arg, _STORES),)
    if op in (_DELETE, _DELETE_DEREF):
        return ((arg, _READS | _CHECKS | _STORES),)
    if op in _LOAD_PAIRS:
        return ((arg >> 4, _READS), (arg & 15, _READS))
    if op == _STORE_LOAD:
        return ((arg >> 4, _STORES), (arg & 15, _READS))
    if op == _STORE_STORE:
        return ((arg >> 4, _STORES), (arg & 15, _STORES))
    return ()


def _as_cell(op: int, what: int) -> int:
    """The meaning of an access when the slot holds a cell: a plain load captures the cell."""
    if op == _LOAD_AND_CLEAR:
        return _HIDES
    if op == _STORE:
        return _SHOWS
    return _READS | _CHECKS if what == _READS else what


def _outer_stores(code: CodeType) -> tuple[set[str], set[str]]:
    """The variables of enclosing functions, and the globals, that a nested function rebinds."""
    derefs: set[str] = set()
    global_names: set[str] = set()
    slots = _slots(code)
    ops, args, _ = decode(code.co_code)
    for op, arg in zip(ops, args, strict=True):
        if op in (_STORE_DEREF, _DELETE_DEREF):
            derefs.add(slots[arg])
        elif op in _GLOBAL_STORES:
            global_names.add(code.co_names[arg])
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            inner, inner_globals = _outer_stores(constant)
            derefs |= inner
            global_names |= inner_globals
    return derefs.intersection(code.co_freevars), global_names


def find_rebinds(flow: Flow, after: int, body: int, inside: set[int], handler: int) -> Rebinds:
    """What has to be done about names before the body runs again from `body`.

    `inside` are the instructions of the body, `after` the one that stores the target of the item,
    `handler` is where an exception of the body goes, or -1.
    """
    code, variables = flow.code, _Locals(flow, handler)
    names: set[str] = set()
    global_names: set[str] = set()
    outer: set[str] = set()
    for i in inside:
        op, arg = flow.op[i], flow.arg[i]
        if op in _NAME_STORES:
            names.add(code.co_names[arg])
        elif op in _GLOBAL_STORES:
            global_names.add(code.co_names[arg])
        elif (op, arg) == _IMPORT_STAR:
            raise NotRerunnable("the body imports names with a star")
        elif op == _LOAD_CONST and isinstance(nested := code.co_consts[arg], CodeType):
            derefs, nested_globals = _outer_stores(nested)
            outer |= derefs
            global_names |= nested_globals
    cells = {name for name in variables.cells if name in outer or variables.stores(name, inside)}
    if code.co_flags & _OPTIMIZED:
        rebinds = _in_function(variables, body, inside, cells)
    elif cells:
        raise NotRerunnable("the body of a class rebinds a variable of the function around it")
    elif code.co_varnames:
        # Bound by a jump it would stay so, and `locals()` and `exec` of this frame would no longer
        # see its real namespace.
        raise NotRerunnable(
            "a comprehension in the same module or class, outside of any function, has a hidden "
            "local that a jump would bind"
        )
    else:
        rebinds = Rebinds(names, set())
    rebinds.globals = global_names
    _leave_out_target(flow, after, rebinds)
    return rebinds


def _in_function(variables: _Locals, body: int, inside: set[int], cells: set[str]) -> Rebinds:
    """What concerns the locals of a function, which are in slots and not in a dict."""
    code = variables.flow.code
    everywhere = [i for i, op in enumerate(variables.flow.op) if op >= 0]
    sees_all = variables.are_seen(body)
    plain = [name for name in code.co_varnames if name not in variables.cells]
    bound = {
        name
        for name in code.co_varnames[: _count_arguments(code)]
        if not variables.does(name, _CHECKS, everywhere)
    }
    names, must_be_bound = set(cells), set()
    for name in plain:
        first = variables.first(name, body)
        if variables.stores(name, inside) and (first or sees_all):
            names.add(name)
        # No program can write a name like those of pytest's assertions, `@py_assert1`: whatever
        # has made the code has seen to it that they are read only after they were bound.
        checks = name.isidentifier() and variables.does(name, _CHECKS, first)
        if checks or (sees_all and name not in bound):
            must_be_bound.add(name)
    for name in cells:
        if sees_all or _may_notice_unbound(variables, name, body, everywhere):
            must_be_bound.add(name)
    return Rebinds(names, must_be_bound)


def _may_notice_unbound(variables: _Locals, name: str, body: int, everywhere: list[int]) -> bool:
    """Whether the value that a cell keeps from an earlier run can be told from none.

    It can where the frame itself reads before it stores, and where a closure may exist before the
    variable has a value.
    """
    if name in variables.flow.code.co_freevars or variables.first(name, body):
        return True
    captures = {i for i in everywhere if variables.flow.op[i] in _CAPTURES}
    if variables.does(name, _READS, captures & variables.first(name, 0)):
        return True
    deletes = [i for i in everywhere if variables.flow.op[i] == _DELETE_DEREF]
    return variables.does(name, _READS, deletes) and variables.does(name, _READS, captures)


def _count_arguments(code: CodeType) -> int:
    starred = bool(code.co_flags & _VARARGS) + bool(code.co_flags & _VARKEYWORDS)
    return code.co_argcount + code.co_kwonlyargcount + starred


def _leave_out_target(flow: Flow, after: int, rebinds: Rebinds) -> None:
    """Leave out the target of the `with` item, which gets its value only after the entry."""
    op, arg = flow.op[after], flow.arg[after]
    if op in _GLOBAL_STORES or op in _NAME_STORES:
        target = flow.code.co_names[arg]
    elif op in (_STORE, _STORE_DEREF):
        target = _slots(flow.code)[arg]
    else:
        return
    if target in (rebinds.globals if op in _GLOBAL_STORES else rebinds.names):
        raise NotRerunnable("the body rebinds the name after `as`")
    rebinds.must_be_bound.discard(target)
