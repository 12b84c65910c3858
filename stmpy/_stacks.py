"""What an assignment to `frame.f_lineno` does, worked out beforehand from the code object.

CPython decides where such a jump lands from a model of the value stack: for each instruction, which
kinds of item lie on the stack when it starts. Among the starts of the target line it takes the one
with the deepest stack that the current stack can be cut down to, and pops the rest. `Flow` builds
the same model, so that `Flow.landing` tells the landing place without running anything.

The stack is an integer with three bits per item, the top item lowest, because CPython compares
these numbers and the order they happen to have is part of what it does. Where its model is known to
go wrong the place is UNKNOWN here, and nobody jumps from it or to its line.

Offsets in this module count code units (two bytes). The source of the behaviour is `mark_stacks`,
`marklines` and the setter of `f_lineno` in CPython's Objects/frameobject.c, and `initialize_lines`
in Python/instrumentation.c for the places where a LINE event fires.
"""

from __future__ import annotations

import sys
from opcode import EXTENDED_ARG, opmap, opname, stack_effect

TYPE_CHECKING = False  # see stmpy/_store.py
if TYPE_CHECKING:
    from types import CodeType
    from typing import Final

ITERATOR: Final = 1
EXCEPT: Final = 2
OBJECT: Final = 3
NULL: Final = 4
LASTI: Final = 5
MIXED: Final = 6  # not one of CPython's: paths that meet here differ in this item
BITS: Final = 3

UNREACHED: Final = -2  # CPython never saw this instruction
OVERFLOWED: Final = -1  # more than twenty items: CPython refuses to jump
UNKNOWN: Final = -3  # CPython's own model is not to be trusted here
_WILL_OVERFLOW: Final = 1 << (63 // BITS - 1) * BITS
# CPython keeps the result of a SWAP in 32 bits, so the model of a deeper stack is cut there.
_SWAP_LIMIT: Final = 1 << 32


def _codes(*names: str) -> frozenset[int]:
    return frozenset(opmap[name] for name in names if name in opmap)


def _cache_sizes() -> list[int]:
    from opcode import _inline_cache_entries as entries  # type: ignore[attr-defined]

    return [entries.get(name, 0) for name in opname]


_CACHES: Final = _cache_sizes()
_FORWARD: Final = _codes(
    "POP_JUMP_IF_FALSE",
    "POP_JUMP_IF_TRUE",
    "POP_JUMP_IF_NONE",
    "POP_JUMP_IF_NOT_NONE",
    "JUMP_FORWARD",
    "FOR_ITER",
    "SEND",
)
_JUMP_FORWARD: Final = opmap["JUMP_FORWARD"]
_BACKWARD: Final = _codes("JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT")
_ENDS: Final = _codes("RETURN_VALUE", "RETURN_CONST", "RAISE_VARARGS", "RERAISE")
_GET_ITER: Final = opmap["GET_ITER"]
_GET_AITER: Final = opmap["GET_AITER"]
_END_ASYNC_FOR: Final = opmap["END_ASYNC_FOR"]
_PUSH_EXC_INFO: Final = opmap["PUSH_EXC_INFO"]
_POP_EXCEPT: Final = opmap["POP_EXCEPT"]
_PUSH_NULL: Final = opmap["PUSH_NULL"]
_LOAD_GLOBAL: Final = opmap["LOAD_GLOBAL"]
_LOAD_ATTR: Final = opmap["LOAD_ATTR"]
_SWAP: Final = opmap["SWAP"]
_COPY: Final = opmap["COPY"]
# Since 3.15 an iterator lies on the stack together with a slot for an index.
_ITERATOR_ITEMS: Final = 2 if sys.version_info >= (3, 15) else 1
# An event never fires at these, and they do not count as the start of a line.
_LINELESS: Final = _codes("END_ASYNC_FOR", "END_FOR", "END_SEND", "RESUME", "POP_ITER")
_SKIPPED: Final = _codes("END_FOR", "END_SEND")


class NotRerunnable(Exception):
    """The block has to run in serial mode; the message says why."""


def push(stack: int, kind: int) -> int:
    if stack < 0:
        return stack
    return OVERFLOWED if stack >= _WILL_OVERFLOW else stack << BITS | kind


def depth(stack: int) -> int:
    """The number of items of a known stack."""
    return (stack.bit_length() + BITS - 1) // BITS


def cut(stack: int, level: int) -> int:
    """The lowest `level` items of `stack`."""
    return stack >> BITS * max(depth(stack) - level, 0) if stack > 0 else stack


def _meet(one: int, other: int) -> int:
    """What is known where two paths meet: CPython keeps one, depending on the order of its scan."""
    if one < 0 or other < 0 or depth(one) != depth(other):
        return UNKNOWN
    for shift in range(0, one.bit_length(), BITS):
        if (one ^ other) >> shift & 7:
            one = one & ~(7 << shift) | MIXED << shift
    return one


def _swap(stack: int, n: int) -> int:
    if stack >= _SWAP_LIMIT:
        return UNKNOWN
    shift = BITS * (n - 1)
    difference = (stack ^ stack >> shift) & 7
    return stack ^ difference ^ difference << shift


def _step(op: int, arg: int, stack: int) -> int:
    """The stack after an instruction, the same wherever it goes on."""
    if stack < 0:
        return UNKNOWN if op == _SWAP else stack
    if op == _PUSH_NULL:
        return push(stack, NULL)
    if op == _LOAD_GLOBAL:
        stack = push(stack, OBJECT)
        return push(stack, NULL) if arg & 1 else stack
    if op == _LOAD_ATTR:
        return push(push(stack >> BITS, OBJECT), NULL) if arg & 1 else stack
    if op == _SWAP:
        return _swap(stack, arg)
    if op == _COPY:
        return push(stack, stack >> BITS * (arg - 1) & 7)
    if op == _GET_ITER:
        stack >>= BITS
        for _ in range(_ITERATOR_ITEMS):
            stack = push(stack, ITERATOR)
        return stack
    if op == _GET_AITER:
        return push(stack >> BITS, ITERATOR)
    if op == _END_ASYNC_FOR:
        return stack >> 2 * BITS
    if op == _PUSH_EXC_INFO:
        return push(stack, EXCEPT)
    if op == _POP_EXCEPT:
        return stack >> BITS
    change = stack_effect(op, arg)
    if change < 0:
        return stack >> BITS * -change
    for _ in range(change):
        stack = push(stack, OBJECT)
    return stack


def _compatible(start: int, target: int) -> bool:
    """Whether CPython cuts the stack `start` down to `target`."""
    if start < 0 or target < 0:
        return False
    while start > target:
        start >>= BITS
    while start:
        have, want = start & 7, target & 7
        if not (want == NULL or have == want or (want == OBJECT and have != NULL)):
            return False
        start >>= BITS
        target >>= BITS
    return target == 0


def read_exception_table(code: CodeType) -> list[tuple[int, int, int, int, bool]]:
    """The entries (start, end, handler, depth, whether the offset is pushed), in code units."""
    numbers: list[int] = []
    number = 0
    for byte in code.co_exceptiontable:
        number = number << 6 | byte & 63
        if not byte & 64:
            numbers.append(number)
            number = 0
    fields = iter(numbers)
    return [
        (start, start + size, handler, packed >> 1, bool(packed & 1))
        for start, size, handler, packed in zip(fields, fields, fields, fields, strict=True)
    ]


def decode(raw: bytes) -> tuple[list[int], list[int], list[int]]:
    """The opcode, the argument and the next instruction, at the first code unit of each one."""
    length = len(raw) // 2
    op, arg, following = [-1] * length, [0] * length, [0] * length
    i = 0
    while i < length:
        first, opcode, oparg = i, raw[2 * i], raw[2 * i + 1]
        while opcode == EXTENDED_ARG:
            i += 1
            opcode, oparg = raw[2 * i], oparg << 8 | raw[2 * i + 1]
        i += 1 + _CACHES[opcode]
        op[first], arg[first], following[first] = opcode, oparg, i
    return op, arg, following


class Flow:
    """The control flow of a code object with CPython's model of the value stack.

    All lists are indexed by code unit. `op`, `arg` and `next` are set at the first unit of an
    instruction (its first EXTENDED_ARG if it has one), `op` is -1 elsewhere. `line` is -1 where
    an instruction has none. `successors` are the instructions that may run right after one that
    raises nothing, `handlers` tells where an exception goes and the depth to which it cuts the
    stack. `stack` is the model before the instruction. `starts` maps a line to the places a jump
    to it may land on, in order.
    """

    def __init__(self, code: CodeType) -> None:
        self.code = code
        self.op, self.arg, self.next = decode(code.co_code)
        self.table = read_exception_table(code)
        self._mark_lines()
        self._mark_edges()
        self._mark_stacks()
        self.starts: dict[int, list[int]] = {}
        for i, line in self._line_starts:
            if line >= code.co_firstlineno:
                self.starts.setdefault(line, []).append(i)

    def _mark_lines(self) -> None:
        self.line = lines = [-1] * len(self.op)
        self._line_starts: list[tuple[int, int]] = []
        last = -1
        for begin, end, line in self.code.co_lines():
            if line is None:
                continue
            lines[begin // 2 : end // 2] = [line] * (end // 2 - begin // 2)
            if line != last:
                self._line_starts.append((begin // 2, line))
                last = line

    def _mark_edges(self) -> None:
        nowhere: tuple[int, ...] = ()
        self.successors = [nowhere] * len(self.op)
        self.handlers: list[tuple[int, int] | None] = [None] * len(self.op)
        # Where an event fires whatever lies before the instruction in the code.
        self._targets = {handler for _, _, handler, _, _ in self.table}
        for i, op in enumerate(self.op):
            if op < 0 or op in _ENDS:
                continue
            after = self.next[i]
            if op in _BACKWARD:
                self.successors[i] = ((place := after - self.arg[i]),)
            elif op not in _FORWARD:
                self.successors[i] = (after,)
                continue
            else:
                place = after + self.arg[i]
                self.successors[i] = (place,) if op == _JUMP_FORWARD else (after, place)
            # A loop that ends skips the END_FOR or END_SEND that it is said to jump to.
            self._targets.add(place + 1 if self.op[place] in _SKIPPED else place)
        for start, end, handler, level, _ in self.table:
            self.handlers[start:end] = [(handler, level)] * (end - start)

    def _mark_stacks(self) -> None:
        self.stack = stacks = [UNREACHED] * len(self.op)
        entries: dict[int, list[tuple[int, int, bool]]] = {}
        for start, _, handler, level, offset_pushed in self.table:
            entries.setdefault(start, []).append((handler, level, offset_pushed))
        todo = [0]
        stacks[0] = 0

        def reach(place: int, stack: int) -> None:
            known = stacks[place]
            if known != stack:
                merged = stack if known == UNREACHED else _meet(known, stack)
                if merged != known:
                    stacks[place] = merged
                    todo.append(place)

        while todo:
            i = todo.pop()
            before = stacks[i]
            # CPython looks at the start of each entry of the exception table only.
            for handler, level, offset_pushed in entries.get(i, ()):
                stack = cut(before, level)
                reach(handler, push(push(stack, LASTI) if offset_pushed else stack, EXCEPT))
            op = self.op[i]
            if op not in _ENDS:
                stack = _step(op, self.arg[i], before)
                for place in self.successors[i]:
                    reach(place, stack)

    def landing(self, i: int, line: int) -> int:
        """Where the frame is after `f_lineno = line` at instruction `i`; -1 if not known."""
        start, best, place = self.stack[i], OVERFLOWED, -1
        if start < 0 or str(MIXED) in oct(start):
            return -1
        for candidate in self.starts.get(line, ()):
            stack = self.stack[candidate]
            if stack == UNKNOWN or (stack > 0 and str(MIXED) in oct(stack)):
                return -1
            if stack > best and _compatible(start, stack):
                best, place = stack, candidate
        return place

    def has_event(self, i: int) -> bool:
        """Whether a LINE event can fire at instruction `i`, if the line was another before."""
        if self.line[i] < 0 or self.op[i] in _LINELESS:
            return False
        if i in self._targets:
            return True
        before = i - 1
        while before >= 0 and (self.op[before] < 0 or self.op[before] in _LINELESS):
            before -= 1
        return before < 0 or self.line[before] != self.line[i]
