"""Making a function that runs in blocks look like the function that it runs."""

from __future__ import annotations

import copyreg
import functools

from stmpy._native import AtomicFunction

TYPE_CHECKING = False  # see stmpy/_store.py
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final


def _name(function: AtomicFunction[..., Any]) -> str:
    return function.__qualname__


# As any function, one that was decorated travels by name.
copyreg.pickle(AtomicFunction, _name)


_PLAIN: Final = type(_name)
_SUSPENDS: Final = 0x20 | 0x80 | 0x200  # inspect.CO_GENERATOR, CO_COROUTINE, CO_ASYNC_GENERATOR


def _suspends(function: Callable[..., Any]) -> bool:
    if type(function) is _PLAIN and not function.__dict__:
        return bool(function.__code__.co_flags & _SUSPENDS)
    import inspect  # most functions are plain, and this takes as long to import as all of stmpy

    return (
        inspect.isgeneratorfunction(function)
        or inspect.iscoroutinefunction(function)
        or inspect.isasyncgenfunction(function)
    )


def adopt(wrapper: Any, function: Callable[..., Any]) -> None:
    """Give `wrapper` the name, documentation and signature of `function`.

    Raises TypeError for a generator or coroutine function: calling it only makes an object, and
    its body would run after the block is over.
    """
    if _suspends(function):
        name = getattr(function, "__qualname__", repr(function))
        raise TypeError(
            f"atomically can't decorate {name}: its body would run after the "
            "block is over; decorate a function that it calls"
        )
    functools.update_wrapper(wrapper, function)
