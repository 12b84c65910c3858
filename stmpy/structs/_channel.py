"""A channel that every subscriber reads."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from typing import Any

from stmpy import _native
from stmpy._repr import describe
from stmpy._store import Store
from stmpy.errors import StmError
from stmpy.structs._base import Structure
from stmpy.structs._queues import Empty


class Closed(StmError, ValueError):
    """The channel or the subscription is closed; a channel, once everything sent was read."""


class TChannel[T](Structure):
    """A channel that every subscriber reads from the moment it subscribes.

    What all present subscribers have read is dropped, and so is what is sent while there is none.
    """

    _kind = "channel"

    def __init__(self, name: str | None = None, *, store: Store | None = None) -> None:
        self._open(name, store, ())

    def _create(self, options: tuple[Any, ...]) -> None:
        self._state["sent"] = self._state["subscribers"] = 0
        self._state["closed"] = False

    def _contents(self) -> str:
        closed = ", closed" if self._state._look_at("closed") else ""
        return f"{self._state._look_at('subscribers')} subscribers{closed}"

    def send(self, item: T) -> None:
        """Give the item to every subscriber; raises `Closed` after `close`."""

        def send() -> None:
            if self._state["closed"]:
                raise Closed(f"{self._what}: closed; make another channel to send on")
            subscribers = self._state["subscribers"]
            if subscribers:
                number = self._state["sent"]
                self._state["item", number] = [subscribers, item]
                self._state["sent"] = number + 1

        self._run(send)

    def close(self) -> None:
        """Send no more; subscribers read what is left and end. Safe to call again."""
        self._run(lambda: self._state.__setitem__("closed", True))

    def subscribe(self) -> Subscription[T]:
        """A reader of all that is sent from now on."""
        key = os.urandom(8).hex()

        def subscribe() -> None:
            self._state["subscribers"] += 1
            self._state["next", key] = self._state["sent"]

        self._run(subscribe)
        return Subscription(self, key)


class Subscription[T]:
    """One reader of a `TChannel`. Its handles, in any thread, share one place in the channel.

    Close it, or use it as a context manager: what an open one has not read stays in memory.
    """

    def __init__(self, channel: TChannel[T], key: str) -> None:
        self._channel = channel
        self._state = channel._state
        self._key = key

    def __reduce__(self) -> tuple[Any, ...]:
        return Subscription, (self._channel, self._key)

    def __repr__(self) -> str:
        return describe("Subscription", self._channel.name, self._contents)

    def _contents(self) -> str:
        number = self._state._look_at(("next", self._key))
        return "closed" if number is None else f"{self._state._look_at('sent') - number} unread"

    def _drop(self, number: int) -> T:
        """The item; the last subscriber that comes for it takes it out."""
        left, item = self._state["item", number]
        if left == 1:
            del self._state["item", number]
        else:
            self._state["item", number] = [left - 1, item]
        result: T = item
        return result

    def _take(self) -> T:
        number = self._state.get(("next", self._key))
        if number is None:
            raise Closed(f"{self._channel._what}: this subscription is closed; subscribe again")
        if ("item", number) not in self._state:
            if self._state["closed"]:
                raise Closed(f"{self._channel._what}: closed, and everything is read")
            _native.retry()
        self._state["next", self._key] = number + 1
        return self._drop(number)

    def get(self, block: bool = True, timeout: float | None = None) -> T:
        """The next item; waits for it, or raises `Empty` where it may not; `Closed` at the end.

        In a block that is undone, nothing was read.
        """

        def empty() -> T:
            raise Empty(f"{self._channel._what}: nothing was sent; send, or let get wait")

        if not block:
            return self._channel._run(lambda: _native.or_else(self._take, empty))
        late = Empty(f"{self._channel._what}: nothing was sent in time")
        return self._channel._wait(self._take, timeout, lambda: late)

    def get_nowait(self) -> T:
        """The next item, or raise `Empty` at once."""
        return self.get(block=False)

    def __iter__(self) -> Iterator[T]:
        while True:
            try:
                item = self.get()
            except Closed:
                return
            yield item

    async def __aiter__(self) -> AsyncIterator[T]:
        from stmpy._tasks import arun

        while True:
            try:
                item = await arun(self._take, store=self._channel.store)
            except Closed:
                return
            yield item

    def close(self) -> None:
        """Give up what is not read yet. Safe to call again."""

        def close() -> None:
            number = self._state.pop(("next", self._key), None)
            if number is None:
                return
            self._state["subscribers"] -= 1
            for unread in range(number, self._state["sent"]):
                self._drop(unread)

        self._channel._run(close)

    def __enter__(self) -> Subscription[T]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
