"""Further shapes of blocks: what they do to names, and where they stand."""

from __future__ import annotations

import sys

from tests.rerun.shapes import Shape

INDEXED = sys.version_info >= (3, 15)  # an iterator lies on the stack with an index

NAMING = (
    Shape(
        "a local that is read, one that is not, and one that is only read",
        """
        def main(a, b):
            total, other, constant = 1, 2, 3
            with block():
                total += at(constant)
                other = at(4)
                tv["k"] = other
            return total, other
        """,
        names="total",
    ),
    Shape(
        "a local that is read after an exception",
        """
        def main(a, b):
            step = 0
            try:
                with block():
                    at(1)
                    step = 1
                    at(2)
                    raise KeyError(3)
            except KeyError:
                return step
        """,
        ends=0,
        names="step",
    ),
    Shape(
        "every way to bind a local",
        """
        def main(a, b):
            c = d = e = f = g = h = i = j = k = l = 0
            with block():
                point()
                if at(a) != 1:
                    c = 1
                    d += 1
                    for e in (1, 2): pass
                    import math as f
                    def g(): pass
                    class h: pass
                    with manager(1) as i: pass
                    (j := 1)
                    try: at(3)
                    except KeyError as k: pass
                    [l] = [3]
                at(tv)
            return c, d, e, f, g, h, i, j, k, l
        """,
        names="c d e f g h i j k l",
        must_be_bound="k",
    ),
    Shape(
        "deleting a local",
        """
        def main(a, b):
            x = 5
            with block():
                tv["k"] = x
                del x
                point()
                x = tv["k"] + at(1)
            return x
        """,
        names="x",
        must_be_bound="x",
    ),
    Shape(
        "a local that may stay unbound",
        """
        def main(a, b):
            with block():
                point()
                if at(a) == 2:
                    x = 1
            return x
        """,
        names="x",
        must_be_bound="x",
        unbound=True,
    ),
    Shape(
        "a local that is unbound in the block but never read so",
        """
        def main(a, b):
            with block():
                point()
                x = at(1)
                point()
            y = x
            return x, y
        """,
    ),
    Shape(
        "looking at all locals",
        """
        def main(a, b):
            with block():
                point()
                x = at(1)
                tv["k"] = sorted(locals())
            return tv["k"]
        """,
        names="x",
        must_be_bound="x",
        unbound=True,
    ),
    Shape(
        "looking at all locals before",
        """
        def main(a, b):
            locals()
            with block():
                point()
                x = at(1)
                tv["k"] = x
            return x
        """,
    ),
    Shape(
        "a variable of the function around it",
        """
        def main(a, b):
            total = 1
            def inner():
                nonlocal total
                with block():
                    total += at(1)
            inner()
            return total
        """,
        names="total",
        must_be_bound="total",
    ),
    Shape(
        "a variable that a function inside it rebinds",
        """
        def main(a, b):
            total = 1
            with block():
                def inner():
                    nonlocal total
                    total += at(1)
                inner()
            return total
        """,
        names="total",
        must_be_bound="total",
    ),
    Shape(
        "a variable that a lambda reads after it is set",
        """
        def main(a, b):
            with block():
                limit = at(3)
                tv["k"] = sum(map(lambda n: n + limit, (at(1), 2)))
        """,
        names="limit",
    ),
    Shape(
        "a variable that a lambda may read before it is set",
        """
        def main(a, b):
            limit = 5
            with block():
                add_limit = lambda n: n + limit
                tv["k"] = add_limit(at(1))
                limit = at(3)
            return limit
        """,
        names="limit",
        must_be_bound="limit",
    ),
    Shape(
        "a generator expression that assigns",
        """
        def main(a, b):
            last = 0
            with block():
                any((last := at(n)) > 2 for n in (1, 3))
            return last
        """,
        names="last",
        must_be_bound="last",
    ),
    Shape(
        "comprehensions with names of their own",
        """
        def main(a, b):
            i = 7
            with block():
                tv["k"] = [at(i) for i in range(3)]
                tv["l"] = {k: [k + n for n in range(2)] for k in (1, 2)}
                tv["m"] = [sum(k for j in (1, 2)) for k in (1, 2)]
            return i
        """,
        names="i n",
    ),
    Shape(
        "globals",
        """
        count = 1
        def main(a, b):
            global count
            with block():
                count += at(1)
                tv["k"] = count
            return count
        """,
        globals="count",
    ),
    Shape(
        "the name after as, rebound",
        """
        def main(a, b):
            with block() as tx:
                tx = at(tx) and at(3)
                tv["k"] = tx
        """,
        reason="rebinds the name after `as`",
    ),
    Shape(
        "the name after as, rebound but never read before",
        """
        def main(a, b):
            with block() as tx:
                tx = at(3)
                tv["k"] = tx
        """,
    ),
    Shape(
        "in a module",
        """
        total = 1
        with block() as tx:
            total += at(1)
            extra = at(total)
            tv["k"] = total
        def main(a, b):
            return total, extra
        """,
        names="extra total",
    ),
    Shape(
        "in a module with a comprehension",
        """
        with block() as tx:
            tv["k"] = at(1)
        values = [i for i in range(3)]
        def main(a, b):
            return values
        """,
        reason="hidden local",
    ),
    Shape(
        "in a class",
        """
        class Inner:
            total = 1
            with block():
                total += at(1)
                def method(self): pass
        def main(a, b):
            return Inner.total
        """,
        names="method total",
    ),
    Shape(
        "in a class, rebinding what is around it",
        """
        def main(a, b):
            total = 1
            class Inner:
                nonlocal total
                with block():
                    total += at(1)
            return total
        """,
        reason="class rebinds a variable",
    ),
    Shape(
        "in five loops",
        """
        def main(a, b):
            for i in range(2):
                for j in range(2):
                    for k in range(1):
                        for l in range(1):
                            for m in range(1):
                                with block():
                                    tv[i] = at(j)
        """,
        reason="too deep" if INDEXED else "",
    ),
    Shape(
        "in a generator",
        """
        def main(a, b):
            total = 0
            for i in range(2):
                with block():
                    total += at(i)
                yield total, handled()
        """,
        names="total",
    ),
    Shape(
        "around a yield",
        """
        def main(a, b):
            with block():
                yield at(1)
        """,
        suspends=True,
    ),
    Shape(
        "around a delegation",
        """
        def main(a, b):
            with block():
                x = yield from range(2)
        """,
        suspends=True,
    ),
    Shape(
        "around an await",
        """
        async def main(a, b):
            with block():
                return await pause(at(1))
        """,
        suspends=True,
    ),
    Shape(
        "around async for and async with",
        """
        async def main(a, b):
            async with pausing(3) as x:
                with block():
                    async for i in counting(2):
                        tv["k"] = i
            return x
        """,
        must_be_bound="x",
        suspends=True,
    ),
    Shape(
        "between awaits",
        """
        async def main(a, b):
            total = await pause(1)
            async for i in counting(2):
                with block():
                    total += at(i)
            return total
        """,
        names="total",
    ),
    Shape(
        "entered by hand",
        """
        def main(a, b):
            item = block()
            with manager(item.__enter__()):
                tv["k"] = 1
            item.__exit__(None, None, None)
        """,
        reason="not called by a with statement",
    ),
)
