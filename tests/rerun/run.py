"""Runs a program text with one way to run blocks and tells all that can be seen of it."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Generator
from types import CodeType, FunctionType, GeneratorType, TracebackType
from typing import Any, Protocol

STEPS = 3000


class Blocks(Protocol):
    """What `stm` is for a program: the toy, the lock, or the real thing."""

    def atomically(self) -> Any: ...
    def variable(self) -> Any: ...
    def point(self) -> None: ...


class TooLong(BaseException):
    """The program takes too many steps to be worth anything."""


class Manager:
    """A context manager that swallows some exceptions."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __enter__(self) -> object:
        return self.value

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        return kind is KeyError


class Pausing(Manager):
    """The same for `async with`."""

    async def __aenter__(self) -> object:
        await Pause()
        return self.value

    async def __aexit__(
        self, kind: type[BaseException] | None, error: object, _: TracebackType | None
    ) -> bool:
        await Pause()
        return kind is KeyError


class Pause:
    def __init__(self, value: object = 0) -> None:
        self.value = value

    def __await__(self) -> Generator[None, None, object]:
        yield
        return self.value


async def counting(below: int) -> AsyncIterator[int]:
    for i in range(below):
        await Pause()
        yield i


class Helpers:
    """The functions that programs call."""

    def __init__(self, blocks: Blocks, steps: int) -> None:
        self.blocks = blocks
        self.steps = steps

    def point(self) -> None:
        self.steps -= 1
        if self.steps < 0:
            raise TooLong
        self.blocks.point()

    def num(self, value: Any) -> int:
        self.point()
        if isinstance(value, list | set | dict | tuple | str):
            return len(value)
        return int(value) if isinstance(value, int) else 3

    def at(self, value: Any) -> Any:
        self.point()
        return value

    def add(self, one: Any, other: Any) -> int:
        return self.num(one) + self.num(other)

    def namespace(self, a: int) -> dict[str, Any]:
        return {
            "__name__": "program",
            "stm": self.blocks,
            "block": self.blocks.atomically,
            "tv": self.blocks.variable(),
            "a": a,
            "b": 1,
            "point": self.point,
            "num": self.num,
            "at": self.at,
            "add": self.add,
            "handled": lambda: type(sys.exception()).__name__,
            "manager": Manager,
            "pausing": Pausing,
            "pause": Pause,
            "counting": counting,
        }


def plain(value: Any) -> Any:
    """A value in a form in which those of two runs can be compared."""
    if isinstance(value, tuple | list):
        return tuple(plain(item) for item in value)
    if value is None or isinstance(value, int | str):
        return value
    return type(value).__name__


def drive(generator: Any) -> Any:
    """The values of a generator, or what a coroutine returns, sending numbers into it."""
    seen = []
    try:
        value = next(generator) if isinstance(generator, GeneratorType) else generator.send(None)
        while True:
            seen.append(plain(value))
            value = generator.send(len(seen) if isinstance(generator, GeneratorType) else None)
    except StopIteration as stop:
        return seen, plain(stop.value)


def call(code: CodeType, names: dict[str, Any], separate: bool) -> Any:
    local = {"a": names["a"]} if separate else names
    exec(code, names, local)
    if isinstance(main := local.get("main"), FunctionType):
        result = main(names["a"], names["b"])
        return drive(result) if hasattr(result, "send") else plain(result)
    scope = vars(local["Main"]) if "Main" in local else local
    return tuple((name, plain(scope.get(name, "unbound"))) for name in "xyzw")


def run(blocks: Blocks, code: CodeType, a: int, separate: bool, steps: int = STEPS) -> Any:
    """The outcome of a program: what it returns or raises, and the state of its variable.

    It runs while an exception is handled, which must still be so in the end. `separate` gives the
    text of a module locals of its own. Raises `TooLong`.
    """
    helpers = Helpers(blocks, steps)
    names = helpers.namespace(a)
    outcome: Any
    try:
        raise LookupError
    except LookupError as outer:
        try:
            outcome = call(code, names, separate)
        except BaseException as error:
            outcome = type(error).__name__, [plain(value) for value in error.args]
        if sys.exception() is not outer:
            raise AssertionError("another exception is said to be handled") from None
    if helpers.steps < 0:
        raise TooLong
    return outcome, {key: plain(value) for key, value in names["tv"].items()}
