"""Calling what `on_commit` and `on_abort` were given, once the block is over."""

from collections.abc import Callable, Sequence
from typing import Any


def _call_all(hooks: Sequence[Callable[[], Any]], message: str) -> None:
    errors: list[Exception] = []
    for hook in hooks:
        try:
            hook()
        except Exception as error:
            errors.append(error)
    if errors:
        raise ExceptionGroup(message, errors)


def committed(hooks: Sequence[Callable[[], Any]]) -> None:
    """Call every hook; raises an ExceptionGroup of those that failed. The commit stands."""
    _call_all(hooks, "the block is committed; functions given to on_commit failed")


def aborted(hooks: Sequence[Callable[[], Any]]) -> None:
    """Call every hook; raises an ExceptionGroup of those that failed. The block is undone."""
    _call_all(hooks, "the block is undone; functions given to on_abort failed")
