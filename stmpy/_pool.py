"""`InterpreterPool`: an executor whose workers are interpreters, each with its own GIL.

From CPython 3.14 on it is the standard library's `InterpreterPoolExecutor` that does the work. On
3.13, which has the interpreters but no pool, `stmpy._pool_workers` gives the same interface.

    with stm.InterpreterPool(4) as pool:
        futures = [pool.submit(work, part) for part in parts]

Functions are found by name, as with `ProcessPoolExecutor`: put them in a module, or in the main
script outside `if __name__ == "__main__":`. Arguments and results are copied. Handles such as
`TVar` stay the same variable on the other side, so what is shared needs no copy.
"""

import sys
import warnings
from collections.abc import Iterable
from threading import Thread
from time import monotonic

from stmpy import _store

if sys.version_info >= (3, 14):
    from concurrent.futures import InterpreterPoolExecutor as _Pool
    from concurrent.futures.interpreter import BrokenInterpreterPool
    from concurrent.interpreters import ExecutionFailed, NotShareableError
else:
    from stmpy._pool_calls import ExecutionFailed, NotShareableError
    from stmpy._pool_workers import BrokenInterpreterPool
    from stmpy._pool_workers import InterpreterPool as _Pool

__all__ = ["BrokenInterpreterPool", "ExecutionFailed", "InterpreterPool", "NotShareableError"]


def _parked() -> list[str]:
    """What threads wait for in blocks on the default store."""
    store = _store._default
    waiters = () if store is None else store.stats().waiters
    return [f"{one.block} for {one.variable}[{one.key!r}]" for one in waiters]


class InterpreterPool(_Pool):
    """Runs calls in up to `max_workers` interpreters, each with a GIL of its own.

    `submit`, `map`, `shutdown` and the exceptions are those of `concurrent.futures`. Leaving its
    `with` waits for every call. A call that waits in a block ends when somebody commits what it
    waits for, or by the block's `timeout`, and not because the pool is left, also by Ctrl-C: after
    some seconds a RuntimeWarning names the blocks that are waited for.
    """

    patience = 5.0
    """Seconds that a shutdown waits in silence."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """As of an executor; says what it waits for when that takes long."""
        super().shutdown(wait=False, cancel_futures=cancel_futures)
        if wait:
            self._wait_for(list(self._threads))

    def _wait_for(self, threads: Iterable[Thread]) -> None:
        until = monotonic() + self.patience
        for thread in threads:
            thread.join(max(0.0, until - monotonic()))
        parked = _parked() if any(thread.is_alive() for thread in threads) else []
        if parked:
            warnings.warn(
                f"InterpreterPool: still waits for its calls; in blocks wait {', '.join(parked)}; "
                "commit what they wait for, or give those blocks a timeout",
                RuntimeWarning,
                stacklevel=4,
            )
        for thread in threads:
            thread.join()
