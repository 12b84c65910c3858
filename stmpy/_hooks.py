"""What is raised when functions given to `on_commit` or `on_abort` have failed."""

from typing import NoReturn

_OUTCOMES = {
    True: "the block is committed; functions given to on_commit failed",
    False: "the block is undone; functions given to on_abort failed",
}


def failed(committed: bool, errors: list[BaseException]) -> NoReturn:
    """Raise an ExceptionGroup of what they raised, after all of them were called.

    What no `except Exception` catches, such as KeyboardInterrupt, is raised itself.
    """
    group = [error for error in errors if isinstance(error, Exception)]
    cause = ExceptionGroup(_OUTCOMES[committed], group) if group else None
    for error in errors:
        if not isinstance(error, Exception):
            raise error from cause
    assert cause is not None
    raise cause
