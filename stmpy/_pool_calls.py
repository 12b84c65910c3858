"""How a call travels to another interpreter and its outcome back, on CPython 3.13.

No object may pass from one interpreter to another, so both ways carry bytes: a pickled call into a
name of the other `__main__`, a pickled outcome back through a queue. Functions are pickled by name.
One that is named `__main__.f` would be looked for in the worker's `__main__`, which is empty; so
the main script is loaded there a second time, as a module whose name is not `__main__`.
"""

import _interpqueues
import io
import pickle
import runpy
import sys
import traceback
from _interpreters import InterpreterError, NotShareableError
from collections.abc import Callable
from types import ModuleType
from typing import Final

__all__ = ["ExecutionFailed", "NotShareableError", "Outcomes", "pack_call", "run_call"]

# What a worker calls the main script; the brackets keep it from being imported by that name.
MAIN = "<main script>"

type Call = tuple[Callable[..., object], tuple[object, ...], dict[str, object]]


class ExecutionFailed(InterpreterError):
    """The call raised; this is the text of it, with the other interpreter's traceback.

    It is the `__cause__` of the exception that the future raises, or is raised itself when that
    exception cannot be copied.
    """


def pack_call(function: Callable[..., object], args: object, kwargs: object) -> bytes:
    """A call as bytes. Raises `NotShareableError` if a part of it cannot be pickled."""
    main = getattr(sys.modules["__main__"], "__file__", None)
    return _dumps((main, _dumps((function, args, kwargs))))


def _dumps(value: object) -> bytes:
    try:
        return pickle.dumps(value)
    except Exception as error:
        message = f"{value!r} cannot be copied to another interpreter: {error}"
        raise NotShareableError(message) from error


class _CallUnpickler(pickle.Unpickler):
    def __init__(self, data: bytes, main: str | None) -> None:
        super().__init__(io.BytesIO(data))
        self.main = main

    def find_class(self, module: str, name: str) -> object:
        if module == "__main__" and self.main:
            _load_main(self.main)
            module = MAIN
        return super().find_class(module, name)


def _load_main(path: str) -> None:
    if MAIN not in sys.modules:
        module = ModuleType(MAIN)
        # In place before it runs, so that what the script pickles or looks up finds it.
        sys.modules[MAIN] = module
        try:
            module.__dict__.update(runpy.run_path(path, run_name=MAIN))
        except BaseException:
            del sys.modules[MAIN]
            raise


def run_call(packed: bytes, queue: int) -> None:
    """Runs a packed call in the current interpreter and puts its outcome into the queue."""
    try:
        main, data = pickle.loads(packed)
        function, args, kwargs = _CallUnpickler(data, main).load()
        outcome = _RETURNED, _dumps(function(*args, **kwargs)), ""
    except NotShareableError as error:
        outcome = _NOT_SHAREABLE, b"", str(error)
    except BaseException as error:
        outcome = _RAISED, _pack_exception(error), _describe(error)
    _interpqueues.put(queue, pickle.dumps(outcome), _PICKLED, _REMOVE)


_RETURNED, _RAISED, _NOT_SHAREABLE = range(3)

# The queue wants a format, for its users to agree on, and to know what becomes of an item when the
# interpreter that put it ends. Neither matters to a queue whose items are taken before that.
_PICKLED: Final = 1
_REMOVE: Final = 1


def _pack_exception(error: BaseException) -> bytes:
    """The exception as bytes, or none if it cannot be made again from them on the other side."""
    try:
        data = pickle.dumps(error)
        return data if type(pickle.loads(data)) is type(error) else b""
    except Exception:
        return b""


def _describe(error: BaseException) -> str:
    lines = traceback.format_exception(error)
    # The last line leads, so that a message cut short still names the exception.
    return f"{lines[-1].strip()}\n\nUncaught in the interpreter:\n\n{''.join(lines).strip()}"


class Outcomes:
    """Receives the outcomes of one worker's calls."""

    def __init__(self) -> None:
        self.queue: int = _interpqueues.create(1, _PICKLED, _REMOVE)

    def close(self) -> None:
        _interpqueues.destroy(self.queue)

    def take(self) -> object:
        """Returns the result of the call that has just run, or raises what it raised."""
        kind, data, text = pickle.loads(_interpqueues.get(self.queue)[0])
        if kind == _NOT_SHAREABLE:
            raise NotShareableError(text)
        try:
            value = pickle.loads(data) if data else None
        except Exception as error:
            # What the worker can load, this interpreter cannot: a class of its main script.
            if kind == _RETURNED:
                raise NotShareableError(f"the result cannot be copied here: {error}") from error
            value = None
        if kind == _RETURNED:
            return value
        failed = ExecutionFailed(text)
        if isinstance(value, BaseException):
            raise value from failed
        raise failed
