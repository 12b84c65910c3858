"""Streams of committed changes."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any, NamedTuple, Self

from stmpy import _native
from stmpy._var import TRef, TVar
from stmpy.errors import NestedMisuse, StmError
from stmpy.structs import Closed, Empty


class Change(NamedTuple):
    """One key that a commit has written. Changes of one commit come together."""

    commit: int
    """The number of the commit; `tx.version` of the block that made it."""
    variable: TVar[Any, Any] | TRef[Any]
    """The handle that was given to `watch`."""
    key: Any
    """The key; None in a `TRef`."""
    value: Any
    """The new value, a copy of its own; None if the key was deleted."""
    deleted: bool


class watch:  # used as a function, as `open` is
    """The committed changes of some variables from now on, in the order of their commits.

    None is lost and none comes twice, whichever thread, interpreter or process has made it. Iterate
    with `for` or `async for`, which wait for the next change and end at `close()`; or call `get`.
    A context manager, with `async with` too: changes that are not taken stay in memory, so close
    it. Where they outgrow half of the store's `history_bytes`, the watch is given up and raises
    `SnapshotTooOld`; then make another one, and read the contents anew. A watch that dies with its
    interpreter or process holds nothing. A store has room for 64.

    Raises NestedMisuse within a block, for variables of several stores, and where it is read within
    a block; StoreClosed once the store is closed and all that was committed is taken.
    (After the watches of etcd.)
    """

    def __init__(self, *variables: TVar[Any, Any] | TRef[Any]) -> None:
        if not variables:
            raise TypeError("watch() takes the variables to follow, at least one")
        for variable in variables:
            if not isinstance(variable, TVar | TRef):
                raise TypeError(f"watch() takes TVars and TRefs, not {variable!r}")
        self._variables = variables
        self._follower = _native.Follower(variables[0].store, variables)
        self._after = self._follower.start
        self._ready: deque[Change] = deque()
        self._taking = threading.Lock()  # two who take at once would get the same
        self._taker = 0  # the thread that holds it
        self._waiting: set[asyncio.Future[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None  # that looks at the file
        self._file = -1

    def __repr__(self) -> str:
        names = ", ".join(f"{type(one).__name__}({one.name!r})" for one in self._variables)
        return f"watch({names})"

    @property
    def start(self) -> int:
        """The number of the commit after which the changes begin."""
        return self._after

    def contents(self) -> list[Any]:
        """A dict or value for each variable as it is now; only later changes follow."""
        block = self._variables[0].store.snapshot()
        with self._turn(), block as tx:
            self._after = tx.snapshot
            self._ready.clear()
            return [
                variable.copy() if isinstance(variable, TVar) else variable.value
                for variable in self._variables
            ]

    def _turn(self) -> threading.Lock:
        """The lock of who takes changes; a signal handler can't wait for what it interrupts."""
        if self._taker == threading.get_ident():
            raise NestedMisuse(
                f"{self!r}: read by a signal handler while its own thread was reading; let the "
                "handler leave a note, and read outside it"
            )
        return self._taking

    def _take(self) -> Change | None:
        """The next change, if there is one."""
        with self._turn():
            self._taker = threading.get_ident()
            try:
                return self._next()
            finally:
                self._taker = 0

    def _next(self) -> Change | None:
        while not self._ready:
            taken = self._follower.take()
            if not taken:
                return None
            for commit, which, key, value, deleted in taken:
                if commit > self._after:
                    change = Change(commit, self._variables[which], key, value, deleted)
                    self._ready.append(change)
        return self._ready.popleft()

    def get(self, block: bool = True, timeout: float | None = None) -> Change:
        """The next change; waits for it, or raises `Empty` where it may not, or not that long.

        Raises `Closed` after `close()`.
        """
        if timeout is not None and timeout < 0:
            raise ValueError(f"timeout is a number of seconds from 0 up, not {timeout!r}")
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            if self._follower.closed:
                raise Closed(f"{self!r}: closed; make another one")
            change = self._take()
            if change is not None:
                return change
            if not block:
                raise Empty(f"{self!r}: nothing was committed; wait, or look again later")
            left = timeout if deadline is None else max(0.0, deadline - time.monotonic())
            if not self._follower.wait(left) and not self._follower.closed:
                raise Empty(f"{self!r}: nothing was committed in {timeout} s")

    def get_nowait(self) -> Change:
        """The next change, or raise `Empty` at once."""
        return self.get(block=False)

    def __iter__(self) -> Iterator[Change]:
        while True:
            try:
                change = self.get()
            except Closed:
                return
            yield change

    # ---- in tasks --------------------------------------------------------------------------------

    async def aget(self) -> Change:
        """The next change, for a task; cancelling it loses nothing. `Closed` after `close()`."""
        while True:
            if self._follower.closed:
                raise Closed(f"{self!r}: closed; make another one")
            change = self._take()
            if change is not None:
                return change
            await self._readable()

    async def __aiter__(self) -> AsyncIterator[Change]:
        while True:
            try:
                change = await self.aget()
            except Closed:
                return
            yield change

    async def _readable(self) -> None:
        """Wait until there may be a change; the loop looks at the file only meanwhile."""
        loop = asyncio.get_running_loop()
        if self._loop not in (None, loop):
            raise StmError(f"{self!r}: a task of another loop waits for it; make one for each loop")
        ready = loop.create_future()
        if not self._waiting:
            self._loop, self._file = loop, self._follower.fileno()
            loop.add_reader(self._file, self._wake)
        self._waiting.add(ready)
        try:
            self._follower.arm()
            await ready
        finally:
            self._waiting.discard(ready)
            if not self._waiting and self._loop is not None:
                loop.remove_reader(self._file)
                self._loop = None

    def _wake(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._file, 8)
        self._let_go()

    def _let_go(self) -> None:
        for ready in self._waiting:
            if not ready.done():
                ready.set_result(None)

    def _end(self) -> None:
        """Close in the thread of the loop, which may be looking at the file."""
        if self._loop is not None:
            self._loop.remove_reader(self._file)
            self._loop = None
        self._let_go()
        self._follower.close()

    # ---- the end ---------------------------------------------------------------------------------

    def close(self) -> None:
        """Follow no longer, and let go who waits; what was not taken is dropped. Safe again."""
        loop = self._loop
        if loop is None or loop is asyncio._get_running_loop():
            self._end()
            return
        try:
            loop.call_soon_threadsafe(self._end)
        except RuntimeError:  # the loop is closed
            self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
