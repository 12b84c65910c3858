"""Random programs with blocks, as texts, for `test_programs`.

A program is a function `main(a, b)`, a generator, a coroutine, or the text of a module or a class.
It has local names that may be unbound, one variable `tv` that it changes only in blocks, and calls
`point()` where a conflict may hit. Whatever it does is decided by its arguments and `tv`, so
running a block again must change nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

NAMES = ("x", "y", "z", "w")
KEYS = ("'p'", "'q'")
ERRORS = ("ValueError", "KeyError", "NameError", "Exception", "BaseException")
KINDS = ("function", "generator", "coroutine", "module", "class")
WITH_RETURN = ("function", "generator", "coroutine", "nested")
IN_DICT = ("module", "class")
BLOCK = "stm.atomically()"

type Lines = list[str]


@dataclass(frozen=True)
class Place:
    """Where a statement stands, which decides what it may be."""

    depth: int
    in_block: bool = False
    in_loop: bool = False
    in_handler: bool = False

    def below(self) -> Place:
        return replace(self, depth=self.depth - 1)


def indent(lines: Lines) -> Lines:
    return ["    " + line for line in lines]


class Writer:
    """Writes one program. `number(n)` makes every decision: it gives a number below n."""

    def __init__(self, number: Callable[[int], int], kind: str) -> None:
        self.number = number
        self.kind = kind
        self.counters = 0

    def pick[T](self, *choices: T) -> T:
        return choices[self.number(len(choices))]

    def name(self) -> str:
        return self.pick(*NAMES)

    # ---- expressions

    def value(self, place: Place, depth: int = 2) -> str:
        """An expression without a line break; most are numbers."""
        if depth == 0 or self.number(3) < 2:
            return self.pick("1", "2", "a", "b", self.name())
        forms = [self.sum, self.choice, self.closure, self.read, self.passing]
        if depth == 2:
            forms += [self.walrus, self.comprehension]
        if self.kind == "function":
            forms.append(self.recursion)
        return self.pick(*forms)(place, self.value(place, depth - 1))

    def sum(self, place: Place, inner: str) -> str:
        return f"({inner} + {self.value(place, 0)})"

    def choice(self, place: Place, inner: str) -> str:
        return f"({inner} if {self.name()} else {self.value(place, 0)})"

    def closure(self, place: Place, inner: str) -> str:
        return self.pick(f"(lambda: {inner})()", f"(lambda p, q=3: p + q)({inner})")

    def read(self, place: Place, inner: str) -> str:
        return self.pick(f"tv.get({self.pick(*KEYS)}, {inner})", "handled()")

    def passing(self, place: Place, inner: str) -> str:
        return f"at({inner})"

    def recursion(self, place: Place, inner: str) -> str:
        return f"(num(main(a - 1, {inner})) if a > 0 else 4)" if self.number(4) == 3 else inner

    def walrus(self, place: Place, inner: str) -> str:
        return f"({self.name()} := {inner})"

    def comprehension(self, place: Place, inner: str) -> str:
        name, inner = self.name(), self.value(place, 0)
        # One outside of functions keeps every block there from being run again.
        if self.kind in IN_DICT and self.number(20) < 19:
            return inner
        forms = [
            f"num([i for i in range(num({inner}) % 3)])",
            f"num([{self.name()} for {name} in (1, {inner})])",
            f"num({{k: sum(n for n in (1, 2) if n > k) for k in (0, {inner})}})",
        ]
        if self.kind != "class":
            forms.append(f"num(any(({name} := n) > 1 for n in (1, {inner})))")
        return self.pick(*forms)

    # ---- statements

    def suite(self, place: Place) -> Lines:
        """One to three statements, indented."""
        lines: Lines = []
        for _ in range(1 + self.number(3)):
            lines += self.statement(place)
        return indent(lines)

    def statement(self, place: Place) -> Lines:
        simple = (self.assign, self.assign, self.point, self.leave, self.small)
        if place.depth <= 0 or self.number(3) == 0:
            return self.pick(*simple)(place)
        return self.pick(
            *(self.block,) * 4,
            *(self.branch,) * 2,
            *(self.loop,) * 2,
            *(self.attempt,) * 2,
            self.counted_loop,
            self.other_with,
            self.cases,
            self.function,
        )(place.below())

    def assign(self, place: Place) -> Lines:
        value, name, other = self.value(place), self.name(), self.name()
        forms = [
            [f"{name} = {value}"],
            [f"{name} += {value}"],
            [f"{name} = add(", f"    {value},", f"    {other},", ")"],
            [f"{name} = (", f"    {value}", f"    + {other}", ")"],
            [f"{name} = -(", f"    {value})"],
            [f"{name}, {other} = {value}, {self.name()}"],
            [f"assert {value} is not None, (", f"    {name})"],
        ]
        if place.in_block:
            key = self.pick(*KEYS)
            forms += [
                [f"tv[{key}] = num({value})"],
                [f"tv[{key}] = tv.get({key}, 0) + 1"],
                [f"tv[{key}] = add(tv.get({key}, 0),", f"    {value})"],
            ]
        return self.pick(*forms)

    def point(self, place: Place) -> Lines:
        return ["point()"]

    def small(self, place: Place) -> Lines:
        name, value = self.name(), self.value(place)
        forms = [
            [f"del {name}"],
            ["pass"],
            ["'a text'"],
            [f"import math as {name}", f"{name} = {name}.floor(2.5)"],
            [f"class {name}:", f"    {self.name()} = {value}", f"{name} = 5"],
            [f"{name}: int = {value}"],
        ]
        if self.kind == "generator" and not place.in_block:
            forms += [[f"yield {value}"], [f"{name} = yield {value}"]] * 2
        if self.kind == "coroutine" and not place.in_block:
            forms += [["await pause()"], [f"{name} = await pause({value})"]] * 2
        return self.pick(*forms)

    def leave(self, place: Place) -> Lines:
        forms = [[f"raise {self.pick(*ERRORS[:3])}({self.value(place)})"]]
        if place.in_loop:
            forms += [["break"], ["continue"]] * 2
        if place.in_handler:
            forms.append(["raise"])
        if self.kind in WITH_RETURN:
            forms += [[f"return {self.value(place)}"], ["return"], ["return 7"]]
        choice = self.pick(*forms)
        return choice if self.number(3) == 0 else [f"if {self.value(place)} == 2:", *indent(choice)]

    def block(self, place: Place) -> Lines:
        inside = replace(place, in_block=True)
        if self.number(20) == 19:
            return [f"with {BLOCK}: {self.name()} = {self.value(inside)}"]
        return [*self.block_head(place), *self.suite(inside)]

    def block_head(self, place: Place) -> Lines:
        if (form := self.number(20)) < 14:
            return [f"with {BLOCK}:"] if form < 8 else [f"with {BLOCK} as tx:"]
        manager = f"manager({self.value(replace(place, in_block=True))}) as {self.name()}"
        outside = f"manager({self.value(place)}) as {self.name()}"
        return self.pick(
            [f"with {outside}, {BLOCK}:"],
            ["with (", f"    {outside},", f"    {BLOCK},", "):"],
            ["with (", f"    {BLOCK},", f"    {manager},", "):"],
            ["with (", f"    {BLOCK},", f"    {BLOCK} as tx,", "):"],
            [f"with {BLOCK}, {manager}:"],
            [f"with {BLOCK}, {BLOCK}:"],
        )

    def other_with(self, place: Place) -> Lines:
        if self.kind == "coroutine" and not place.in_block and self.number(2):
            return [f"async with pausing({self.value(place)}) as tx:", *self.suite(place)]
        return [f"with manager({self.value(place)}) as {self.name()}:", *self.suite(place)]

    def branch(self, place: Place) -> Lines:
        lines = [f"if {self.value(place)} > {self.pick('1', self.name())}:", *self.suite(place)]
        if self.number(2):
            lines += ["else:", *self.suite(place)]
        return lines

    def loop(self, place: Place) -> Lines:
        target = self.name()
        head = f"for {target} in range(num({self.value(place)}) % 3):"
        if self.kind == "coroutine" and not place.in_block and self.number(2):
            head = f"async for {target} in counting(num({self.value(place)}) % 3):"
        lines = [head, *self.suite(replace(place, in_loop=True))]
        if self.number(3) == 2:
            lines += ["else:", *self.suite(place)]
        return lines

    def counted_loop(self, place: Place) -> Lines:
        self.counters += 1
        counter = f"c{self.counters}"
        test = self.pick(f"{counter} < 2", f"{counter} < 2 and point() is None")
        body = self.suite(replace(place, in_loop=True))
        if self.number(3) == 2:
            stop = [f"{counter} += 1", f"if {counter} > 2: break"]
            return [f"{counter} = 0", "while True:", *indent(stop), *body]
        return [f"{counter} = 0", f"while {test}:", f"    {counter} += 1", *body]

    def attempt(self, place: Place) -> Lines:
        lines = ["try:", *self.suite(place)]
        form = self.number(5)
        if form == 4:
            kind, self.kind = self.kind, "star"  # no way out of the clause but raising
            inner = replace(place, in_loop=False, in_handler=False)
            lines += [f"except* {self.pick(*ERRORS[:4])}:", *self.suite(inner)]
            self.kind = kind
        elif form:
            name = self.pick("", f" as {self.name()}")
            handler = replace(place, in_handler=True)
            lines += [f"except {self.pick(*ERRORS)}{name}:", *self.suite(handler)]
        if form == 0 or self.number(3) == 2:
            # The text of `finally` is there once for each way into it.
            lines += ["finally:", *self.suite(replace(place, in_handler=False))]
        return lines

    def cases(self, place: Place) -> Lines:
        return [
            f"match ({self.value(place)}, {self.name()}):",
            f"    case (1, {self.name()}):",
            *indent(self.suite(place)),
            f"    case [int({self.name()}), _] if {self.value(place)} > 2:",
            *indent(self.suite(place)),
        ]

    def function(self, place: Place) -> Lines:
        name, called = self.name(), self.pick("g", self.name())
        kind, self.kind = self.kind, "nested"
        body = self.suite(Place(depth=min(1, place.depth), in_block=place.in_block))
        self.kind = kind
        scope = "global" if kind in IN_DICT else "nonlocal"
        return [
            f"def {called}(p={self.value(place)}):",
            f"    {scope} {self.pick('x', 'y')}",
            *body,
            "    return p",
            f"{name} = num({called}())",
        ]


def write(number: Callable[[int], int], kind: str) -> str:
    """The text of a program that is decided by `number`, as in `Writer`."""
    writer = Writer(number, kind)
    place = Place(depth=4)
    lines: Lines = ["x = a", "y = b"]
    if writer.number(4):
        lines += ["z = 3", "w = 4"]
    for _ in range(writer.number(3)):
        lines += writer.statement(place)
    lines += writer.block(place)
    if writer.number(2):
        lines += writer.statement(place)
    if kind == "module":
        return "\n".join(lines) + "\n"
    if kind == "class":
        return "\n".join(["class Main:", *indent(lines)]) + "\n"
    result = writer.pick("(x, y, z, w)", "(x, y)", "sorted(k for k in locals() if k in 'xyzw')")
    lines.append(f"yield {result}" if kind == "generator" else f"return {result}")
    head = "async def main(a, b):" if kind == "coroutine" else "def main(a, b):"
    return "\n".join([head, *indent(lines)]) + "\n"
