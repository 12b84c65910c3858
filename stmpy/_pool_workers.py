"""The interpreter pool of CPython 3.13: one thread per worker, one isolated interpreter per thread.

The threads belong to the interpreter that made the pool; each enters its own one for the length of
a call and leaves its GIL there. What threads and pool share is a `_Desk`, which does not know the
pool: a pool that is dropped is collected, and that closes the desk.

At exit the threads must end before the interpreter waits for them, so they are told from the hook
that runs just before that. `atexit` would be too late: it runs when they have ended.
"""

import _interpreters

# Two interpreters that import datetime first corrupt the heap of CPython 3.13.0, unless the main
# interpreter imported it before both.
import datetime  # noqa: F401
import itertools
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from concurrent.futures.thread import BrokenThreadPool
from logging import getLogger
from typing import Any

from stmpy._pool_calls import ExecutionFailed, Outcomes, pack_call

__all__ = ["BrokenInterpreterPool", "InterpreterPool"]

_RUN = "__import__('stmpy._pool_calls', fromlist=['_']).run_call(__stmpy_call__, __stmpy_queue__)"

type _Call = tuple[Callable[..., object], tuple[object, ...], dict[str, object]]


class BrokenInterpreterPool(BrokenThreadPool):
    """A worker could not be set up: its interpreter failed to start or its initializer raised.

    The pool takes no more calls; make a new one.
    """


class _Worker:
    """An isolated interpreter, entered by one thread."""

    def __init__(self) -> None:
        self.outcomes = Outcomes()
        self.id = _interpreters.create("isolated")

    def run(self, call: _Call) -> object:
        names = {"__stmpy_call__": pack_call(*call), "__stmpy_queue__": self.outcomes.queue}
        failure = _interpreters.exec(self.id, _RUN, names)
        if failure is not None:
            # Not the call's own exception, which travels as an outcome: stmpy did not load there.
            raise ExecutionFailed(failure.errdisplay)
        return self.outcomes.take()

    def close(self) -> None:
        self.outcomes.close()
        _interpreters.destroy(self.id)


class _Desk:
    """The calls that wait, and the state of the pool; Protected by `changed`."""

    def __init__(self, initializer: _Call | None) -> None:
        self.changed = threading.Condition()
        self.waiting: deque[tuple[Future[Any], _Call]] = deque()
        self.idle = 0
        self.closing = False
        self.broken = ""
        self.initializer = initializer

    def next(self) -> tuple[Future[Any], _Call] | None:
        """The next call, or None when the pool closes and all calls are taken."""
        with self.changed:
            self.idle += 1
            self.changed.wait_for(lambda: self.waiting or self.closing or self.broken)
            self.idle -= 1
            return self.waiting.popleft() if self.waiting else None

    def close(self) -> None:
        with self.changed:
            self.closing = True
            self.changed.notify_all()

    def cancel(self) -> None:
        with self.changed:
            for future, _ in self.waiting:
                future.cancel()
            self.waiting.clear()

    def fail(self) -> None:
        with self.changed:
            self.broken = "a worker could not be set up: make a new pool"
            for future, _ in self.waiting:
                if future.set_running_or_notify_cancel():
                    future.set_exception(BrokenInterpreterPool(self.broken))
            self.waiting.clear()
            self.changed.notify_all()

    def work(self) -> None:
        """The life of one worker's thread."""
        try:
            worker = _Worker()
        except BaseException:
            getLogger("concurrent.futures").critical("no interpreter for the pool", exc_info=True)
            self.fail()
            return
        try:
            if self.initializer:
                worker.run(self.initializer)
        except BaseException:
            getLogger("concurrent.futures").critical("exception in initializer", exc_info=True)
            self.fail()
        else:
            while (item := self.next()) is not None:
                _fulfil(worker, *item)
                # The caller may wait for the result to be freed; an idle worker must not hold it.
                del item
        finally:
            worker.close()


def _fulfil(worker: _Worker, future: Future[Any], call: _Call) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = worker.run(call)
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)


class InterpreterPool(Executor):
    """Runs calls in up to `max_workers` interpreters, each with a GIL of its own.

    Args:
        max_workers: the number of interpreters; by default the processors and four, at most 32.
        thread_name_prefix: begins the names of the threads that enter the interpreters.
        initializer: called with `initargs` in each interpreter before its first call.

    Raises what the standard library's `InterpreterPoolExecutor` raises: a future raises what the
    call raised, from an `ExecutionFailed` that holds the traceback; `NotShareableError` when call
    or result cannot be copied; `BrokenInterpreterPool` when an initializer failed.
    """

    _number = itertools.count().__next__

    def __init__(
        self,
        max_workers: int | None = None,
        thread_name_prefix: str = "",
        initializer: Callable[..., object] | None = None,
        initargs: tuple[object, ...] = (),
    ) -> None:
        if max_workers is None:
            max_workers = min(32, (os.process_cpu_count() or 1) + 4)
        if max_workers <= 0:
            raise ValueError("max_workers must be greater than 0")
        self._max_workers = max_workers
        self._prefix = thread_name_prefix or f"InterpreterPool-{self._number()}"
        self._desk = _Desk((initializer, initargs, {}) if initializer else None)
        self._threads: list[threading.Thread] = []
        weakref.finalize(self, self._desk.close)

    def submit[**P, T](self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        desk = self._desk
        with _all_desks_lock, desk.changed:
            if desk.broken:
                raise BrokenInterpreterPool(desk.broken)
            if desk.closing:
                raise RuntimeError("cannot schedule new futures after shutdown")
            if _exiting:
                raise RuntimeError("cannot schedule new futures after interpreter shutdown")
            future: Future[T] = Future()
            desk.waiting.append((future, (fn, args, kwargs)))
            if len(desk.waiting) > desk.idle and len(self._threads) < self._max_workers:
                self._start_thread()
            desk.changed.notify()
        return future

    def _start_thread(self) -> None:
        name = f"{self._prefix}_{len(self._threads)}"
        thread = threading.Thread(target=self._desk.work, name=name)
        thread.start()
        self._threads.append(thread)
        _desk_of_thread[thread] = self._desk

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        if cancel_futures:
            self._desk.cancel()
        self._desk.close()
        if wait:
            for thread in self._threads:
                thread.join()


_all_desks_lock = threading.Lock()
_desk_of_thread: weakref.WeakKeyDictionary[threading.Thread, _Desk] = weakref.WeakKeyDictionary()
_exiting = False


# A child has none of the threads, and perhaps a lock that one of them held.
os.register_at_fork(after_in_child=_all_desks_lock._at_fork_reinit)  # type: ignore[attr-defined]


def _close_all() -> None:
    global _exiting
    with _all_desks_lock:
        _exiting = True
        desks = list(_desk_of_thread.items())
    for _, desk in desks:
        desk.close()
    for thread, _ in desks:
        thread.join()


threading._register_atexit(_close_all)  # type: ignore[attr-defined]
