"""Making a function that runs in blocks look like the function that it runs."""

import functools
import inspect
from collections.abc import Callable
from typing import Any


def adopt(wrapper: Any, function: Callable[..., Any]) -> None:
    """Give `wrapper` the name, documentation and signature of `function`.

    Raises TypeError for a generator or coroutine function: calling it only makes an object, and
    its body would run after the block is over.
    """
    if inspect.isgeneratorfunction(function) or inspect.iscoroutinefunction(function):
        raise TypeError(
            f"atomically can't decorate {function.__qualname__}: its body would run after the "
            "block is over; decorate a function that it calls"
        )
    functools.update_wrapper(wrapper, function)
