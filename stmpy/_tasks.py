"""Blocks in asyncio: a task that waits leaves its loop to the others.

A block runs in the loop's thread without a pause, so tasks never share one. Where it retries, what
it has read is left with a hub, and the task waits for a future. One thread per loop and store, in
C, sleeps for all of them and tells the loop through an eventfd.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import weakref
from collections.abc import Callable
from contextlib import suppress

from stmpy import _native
from stmpy._store import Store, default_store
from stmpy.errors import NestedMisuse, TransactionTimeout


class _Waiting:
    """The tasks of one loop that wait for one store."""

    def __init__(self, loop: asyncio.AbstractEventLoop, store: Store) -> None:
        self.hub = _native.Hub(store)
        self._file = self.hub.fileno()
        self._futures: dict[_native.Interest, asyncio.Future[None]] = {}
        loop.add_reader(self._file, self._wake)

    def _wake(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._file, 8)
        for interest, future in self._futures.items():
            if interest.marked and not future.done():
                future.set_result(None)

    async def change(self, interest: _native.Interest, deadline: float | None) -> None:
        """Wait for a change of what the block has read, or for its `until`; not past the deadline.

        Raises TimeoutError at the deadline.
        """
        if interest.until is not None and (deadline is None or interest.until < deadline):
            with suppress(TimeoutError):
                await self._wait(interest, interest.until)
        else:
            await self._wait(interest, deadline)

    async def _wait(self, interest: _native.Interest, deadline: float | None) -> None:
        future = self._futures[interest] = asyncio.get_running_loop().create_future()
        try:
            # What came before the future was there has rung for nobody.
            if not interest.marked:
                async with asyncio.timeout_at(deadline):
                    await future
        finally:
            del self._futures[interest]
            interest.close()


_loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[int, _Waiting]]
_loops = weakref.WeakKeyDictionary()


def _waiting(loop: asyncio.AbstractEventLoop, store: Store) -> _Waiting:
    stores = _loops.get(loop)
    if stores is None:
        for other in list(_loops):
            if other.is_closed():
                del _loops[other]
        stores = _loops[loop] = {}
    waiting = stores.get(store._number)
    if waiting is None:
        waiting = stores[store._number] = _Waiting(loop, store)
    return waiting


def _refuse(fn: Callable[..., object]) -> None:
    if _native.in_transaction():
        raise NestedMisuse(
            "arun(): within a block, which would stay open while other tasks run; call the "
            "function itself as part of the block"
        )
    if inspect.iscoroutinefunction(fn):
        raise TypeError(
            f"arun({fn!r}): a block can't be left and come back to, so it holds no await; give a "
            "function that is not async, and await outside of it"
        )


async def arun[R](
    fn: Callable[..., R], /, *args: object, timeout: float | None = None, store: Store | None = None
) -> R:
    """Call `fn(*args)` in a block, as `run` does, from a task; returns its result.

    Where the block retries, the task waits and the loop goes on; no thread is held per task.
    Cancelling the task ends the wait at once. `timeout` counts seconds over all attempts and waits,
    then raises `TransactionTimeout`. fn itself runs without a pause in the thread of the loop, and
    so does everything it waits for by other means. So `await stm.arun(queue.get)` gets an item. The
    loop also waits for the disk, where the store is on one and not `"relaxed"`: there
    `await asyncio.to_thread(store.run, fn)` keeps it free.
    """
    _refuse(fn)
    store = store or default_store()
    loop = asyncio.get_running_loop()
    waiting = _waiting(loop, store)
    deadline = None if timeout is None else loop.time() + timeout
    left = timeout
    while True:
        outcome = waiting.hub.attempt(store.atomically(timeout=left), fn, args)
        if isinstance(outcome, tuple):
            return outcome[0]
        try:
            await waiting.change(outcome, deadline)
        except TimeoutError:
            raise TransactionTimeout(
                f"this block: its timeout of {timeout} s passed while it waited; nothing was "
                "changed: try again with more time"
            ) from None
        left = None if deadline is None else max(0.0, deadline - loop.time())
