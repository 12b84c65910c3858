"""Blocks of every shape, each written by hand with what `analyse` must find.

Each text defines `main(a, b)`; it is also run, with `a` and `b` as 1. `block()` enters the item
that is analysed, `manager(value)` any other. `point()` and `at(value)` are where a conflict may
hit.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

LATER = sys.version_info >= (3, 14)  # a loop's end is no place for an event

ONE_LINE = "starts on the line of the with statement"
NO_EVENT = "CPython sends no event"
ELSEWHERE = "to another place"


class Shape(NamedTuple):
    """`ends` counts the ends besides the exception handler; `reason` is a part of the real one.

    `unbound` says that a name of `must_be_bound` is unbound when the text is run.
    """

    name: str
    text: str
    ends: int = 1
    reason: str = ""
    names: str = ""
    globals: str = ""
    must_be_bound: str = ""
    suspends: bool = False
    unbound: bool = False


LEAVING = (
    Shape(
        "falls through",
        """
        def main(a, b):
            with block():
                tv["k"] = at(1)
            return b
        """,
    ),
    Shape(
        "returns a value, returns none, falls through",
        """
        def main(a, b):
            with block() as tx:
                if at(a) == 2:
                    return tv.get("k")
                if at(b) == 3:
                    return
                tv["k"] = 1
        """,
        ends=3,
    ),
    Shape(
        "leaves a loop around it",
        """
        def main(a, b):
            for i in range(4):
                with block():
                    if at(i) == 0:
                        continue
                    if at(i) == 2:
                        break
                    tv[i] = at(i)
            else:
                return 5
        """,
        ends=3,
    ),
    Shape(
        "returns out of a loop, with something after it",
        """
        def main(a, b):
            with block():
                for i in range(3):
                    if at(i) == b:
                        return i
                tv["k"] = 1
        """,
        ends=2,
    ),
    Shape(
        "ends with a loop that returns",
        """
        def main(a, b):
            with block():
                for i in range(3):
                    if at(i) == b:
                        return i
        """,
        ends=2,
        reason=NO_EVENT if LATER else "",
    ),
    Shape(
        "ends with a loop that returns, made whole by a pass",
        """
        def main(a, b):
            with block():
                for i in range(3):
                    if at(i) == b + 8:
                        return i
                pass
        """,
        ends=2,
    ),
    Shape(
        "ends with a loop that breaks",
        """
        def main(a, b):
            with block():
                for i in range(3):
                    if at(i) == b:
                        break
        """,
    ),
    Shape(
        "always raises",
        """
        def main(a, b):
            with block():
                raise KeyError(at(1))
        """,
        ends=0,
    ),
    Shape(
        "never ends but by an exception",
        """
        def main(a, b):
            n = 0
            with block():
                while True:
                    n += at(1)
                    if n > 3:
                        raise ValueError(n)
        """,
        ends=0,
        names="n",
    ),
    Shape(
        "returns through finally",
        """
        def main(a, b):
            with block():
                try:
                    if at(a) == 1:
                        return tv.get("k", 2)
                    tv["k"] = 1
                finally:
                    tv["f"] = at(3)
        """,
        ends=2,
    ),
    Shape(
        "returns out of an exception handler",
        """
        def main(a, b):
            with block():
                try:
                    raise KeyError(at(1))
                except KeyError as error:
                    return error.args, handled()
        """,
    ),
    Shape(
        "swallows everything",
        """
        def main(a, b):
            with block():
                try:
                    tv["k"] = at(1)
                except BaseException:
                    return 3
                finally:
                    tv["f"] = 3
        """,
        ends=2,
    ),
    Shape(
        "nothing in it can raise",
        """
        def main(a, b):
            with block():
                pass
        """,
    ),
)

STARTING = (
    Shape("on one line", "def main(a, b):\n    with block(): tv['k'] = at(1)\n", reason=ONE_LINE),
    Shape(
        "another manager after it on the line",
        """
        def main(a, b):
            with block(), manager(3) as x:
                tv["k"] = at(x)
        """,
        reason=ONE_LINE,
    ),
    Shape(
        "another manager before it on the line",
        """
        def main(a, b):
            with manager(3) as x, block():
                if at(a) == 3:
                    return x
                tv["k"] = at(x)
        """,
        ends=2,
    ),
    Shape(
        "another manager after it on its own line",
        """
        def main(a, b):
            with (
                block() as tx,
                manager(3) as x,
            ):
                if at(a) == 1:
                    return at(x)
                tv["k"] = at(x)
        """,
        ends=2,
        reason="" if LATER else ELSEWHERE,
    ),
    Shape(
        "the second of two on lines of their own",
        """
        def main(a, b):
            with (
                manager(3) as x,
                block(),
            ):
                tv["k"] = at(x)
        """,
    ),
    Shape(
        "a call over several lines, returning a value",
        """
        def main(a, b):
            with block():
                tv["k"] = num(
                    at(a),
                )
                return tv.get("k")
        """,
        ends=1,
    ),
    Shape(
        "an expression over several lines, returning a value",
        """
        def main(a, b):
            with block():
                x = -(
                    at(a))
                return at(x)
        """,
        ends=1,
    ),
    Shape(
        "a loop",
        """
        def main(a, b):
            with block():
                for i in range(2):
                    tv[i] = at(i)
                return at(5)
        """,
        ends=1,
    ),
    Shape(
        "a loop whose test is written twice in the code",
        """
        def main(a, b):
            n = 0
            with block():
                while n < at(3):
                    n += 1
        """,
        names="n",
    ),
    Shape(
        "a loop without a test",
        """
        def main(a, b):
            n = 0
            with block():
                while True:
                    n += at(1)
                    if n > 3:
                        break
        """,
        names="n",
    ),
    Shape(
        "another with statement, and a value returned from it",
        """
        def main(a, b):
            with block():
                with manager(3) as x:
                    if at(a) == 1:
                        return at(x)
        """,
        ends=2,
        reason="" if LATER else ELSEWHERE,
    ),
    Shape(
        "another with statement that never falls through",
        """
        def main(a, b):
            with block():
                with manager(3) as x:
                    return at(x)
        """,
        ends=2,
    ),
    Shape(
        "another with statement, and a value returned from it past other lines",
        """
        def main(a, b):
            with block():
                with manager(3) as x:
                    if at(a) == 1:
                        return at(x)
                tv["k"] = at(2)
        """,
        ends=2,
    ),
    Shape(
        "another with statement, and a value returned after it",
        """
        def main(a, b):
            with block():
                with manager(3) as x:
                    tv["k"] = at(x)
                return at(x)
        """,
        ends=1,
    ),
    Shape(
        "a try statement",
        """
        def main(a, b):
            with block():
                try:
                    tv["k"] = at(1)
                except KeyError:
                    tv["k"] = at(2)
        """,
    ),
    Shape(
        "a decorated function",
        """
        def main(a, b):
            with block():
                @at
                def inner():
                    return at(3)
                return inner()
        """,
    ),
    Shape(
        "a match statement",
        """
        def main(a, b):
            with block():
                match at((a, b)):
                    case (1, c) if at(c):
                        return c
                    case _:
                        tv["k"] = 3
        """,
        ends=2,
    ),
    Shape(
        "the target is no name",
        """
        def main(a, b):
            with block() as tv["k"]:
                del tv["k"]
                point()
        """,
        reason="not a plain name",
    ),
)
