"""What `repr` shows of variables and structures: the name, and a bounded part of the contents.

Within a block that is what the block sees. It never raises, and nothing joins what the block has
read: a print, a debugger or a failed assertion changes neither conflicts nor schedules.
"""

import reprlib
from collections.abc import Callable, Iterable
from typing import Any, Final

from stmpy._native import Var
from stmpy.errors import StoreClosed

_MOST: Final = 60  # characters of one key or value
_short: Final = reprlib.Repr(
    maxlevel=3, maxdict=4, maxlist=4, maxtuple=4, maxset=4, maxfrozenset=4, maxother=_MOST
)


def brief(value: object) -> str:
    """A key or value, cut short; `...` stands for what is too large, or not known before commit."""
    text = "..." if value is ... else _short.repr(value)
    return text if len(text) <= _MOST else f"{text[: _MOST - 3]}..."


def within(parts: Iterable[str], count: int, shown: int) -> str:
    """Parts in braces, and how many of `count` were not `shown`."""
    more = [f"... {count - shown} more"] if count > shown else []
    return f"{{{', '.join([*parts, *more])}}}"


def mapping(variable: Var[Any, Any]) -> str:
    """Some keys of a variable with their values, and how many there are beside these."""
    count, some = variable._look()
    return within((f"{brief(key)}: {brief(value)}" for key, value in some), count, len(some))


def describe(kind: str, name: str, contents: Callable[[], str]) -> str:
    """`kind('name', contents)`, or what of it can be seen."""
    try:
        return f"{kind}({name!r}, {contents()})"
    except StoreClosed:
        return f"{kind}({name!r}, closed)"
    except Exception:
        return f"{kind}({name!r}, ...)"
