"""Making a function that runs in blocks look like the function that it runs."""

import copyreg
import functools
import inspect
from collections.abc import Callable
from typing import Any

from stmpy._native import AtomicFunction


def _name(function: AtomicFunction[..., Any]) -> str:
    return function.__qualname__


# As any function, one that was decorated travels by name.
copyreg.pickle(AtomicFunction, _name)


def _suspends(function: Callable[..., Any]) -> bool:
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
