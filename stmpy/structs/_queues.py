"""Queues: first in first out, and by priority."""

from __future__ import annotations

import bisect
import queue
from collections.abc import Iterable
from typing import Any, Final

from stmpy import _native
from stmpy._store import Store
from stmpy.errors import StmError
from stmpy.structs._base import Structure, whole

_HEAD: Final = "head"
_TAIL: Final = "tail"
_NOTHING: Any = object()


class Empty(StmError, queue.Empty):
    """Nothing is in the queue. Call again, or let `get` wait."""


class Full(StmError, queue.Full):
    """The queue holds `maxsize` items. Call again, or let `put` wait."""


class _Queue[T](Structure):
    """What queues have in common: room for `maxsize` items, waiting for room and for items."""

    _defaults = (0,)

    def __init__(
        self, name: str | None = None, maxsize: int = 0, *, store: Store | None = None
    ) -> None:
        whole("maxsize is a number", maxsize, 0)
        self._open(name, store, (maxsize,))

    def _put(self, item: T) -> None:
        """Put the item in; retries while the queue is full."""
        raise NotImplementedError

    def _get(self) -> T:
        """Take the item out whose turn it is; retries while there is none."""
        raise NotImplementedError

    def qsize(self) -> int:
        """How many items it holds."""
        raise NotImplementedError

    def _filled(self, count: str) -> str:
        return f"{count} of {self.maxsize} items" if self.maxsize else f"{count} items"

    @property
    def maxsize(self) -> int:
        """How many items fit; 0 is any number."""
        return int(self._options[0])

    def put(self, item: T, block: bool = True, timeout: float | None = None) -> None:
        """Put an item in; waits while the queue is full, or raises `Full` where it may not."""
        if not block:
            return self.put_nowait(item)
        if timeout is None:
            return self._state.store.run(self._put, item)
        late = Full(f"{self._what}: still full")
        return self._wait(lambda: self._put(item), timeout, lambda: late)

    def get(self, block: bool = True, timeout: float | None = None) -> T:
        """Take the first item; waits while there is none, or raises `Empty` where it may not."""
        if not block:
            return self.get_nowait()
        if timeout is None:
            return self._state.store.run(self._get)
        late = Empty(f"{self._what}: still empty")
        return self._wait(self._get, timeout, lambda: late)

    def put_nowait(self, item: T) -> None:
        """Put an item in, or raise `Full` at once."""

        def full() -> None:
            raise Full(f"{self._what}: holds its {self.maxsize} items; get some, or let put wait")

        self._run(lambda: _native.or_else(lambda: self._put(item), full))

    def get_nowait(self) -> T:
        """Take the first item, or raise `Empty` at once."""

        def empty() -> T:
            raise Empty(f"{self._what}: holds nothing; put something in, or let get wait")

        return self._run(lambda: _native.or_else(self._get, empty))

    def empty(self) -> bool:
        """Whether it holds nothing."""
        return self.qsize() == 0

    def full(self) -> bool:
        """Whether a put would have to wait."""
        return bool(self.maxsize) and self.qsize() >= self.maxsize


class TQueue[T](_Queue[T]):
    """A queue in order of arrival, with room for `maxsize` items, or any number if that is 0.

    Items lie in numbered places. A producer looks at the last number and the place behind it, a
    consumer at the first number and its place: on a queue that is neither empty nor full they do
    not conflict.
    """

    _kind = "queue"

    def _create(self, options: tuple[Any, ...]) -> None:
        self._state[_HEAD] = self._state[_TAIL] = 0

    def _place(self, number: int) -> tuple[str, int]:
        # The places of a bounded queue are used in turn, so that its producer can tell that it is
        # full by the place alone.
        return "item", number % self.maxsize if self.maxsize else number

    def _put(self, item: T) -> None:
        number = self._state[_TAIL]
        place = self._place(number)
        if self.maxsize:
            _native.check(place not in self._state)
        self._state[place] = item
        self._state[_TAIL] = number + 1

    def _get(self) -> T:
        number = self._state[_HEAD]
        item: T = self._state.pop(self._place(number), _NOTHING)
        _native.check(item is not _NOTHING)
        self._state[_HEAD] = number + 1
        return item

    def get_many(self, most: int) -> list[T]:
        """Take up to `most` of the oldest items in one block; waits for the first of them."""
        whole("most is a number", most, 1)

        def get_many() -> list[T]:
            items: list[T] = []
            first = self._state[_HEAD]
            for number in range(first, first + most):
                item = self._state.pop(self._place(number), _NOTHING)
                if item is _NOTHING:
                    break
                items.append(item)
            _native.check(items)
            self._state[_HEAD] = first + len(items)
            return items

        return self._run(get_many)

    def put_many(self, items: Iterable[T]) -> None:
        """Append all items in one block, which waits until there is room for all."""
        items = list(items)
        if self.maxsize and len(items) > self.maxsize:
            raise ValueError(f"{len(items)} items never fit into {self._what} of {self.maxsize}")

        def put_many() -> None:
            first = self._state[_TAIL]
            for number, item in enumerate(items, first):
                place = self._place(number)
                if self.maxsize:
                    _native.check(place not in self._state)
                self._state[place] = item
            self._state[_TAIL] = first + len(items)

        self._run(put_many)

    def _contents(self) -> str:
        head, tail = self._state._look_at(_HEAD), self._state._look_at(_TAIL)
        return self._filled(str(tail - head))

    def qsize(self) -> int:
        """How many items it holds."""
        ends = self._state.get_many([_HEAD, _TAIL], 0)
        return int(ends[_TAIL] - ends[_HEAD])


class TPriorityQueue[T](_Queue[T]):
    """A queue that gives the least item first; equal items in order of arrival.

    Items must be comparable with each other. It is one list in one value: for some hundreds of
    items, not for millions.
    """

    _kind = "priority"

    def _create(self, options: tuple[Any, ...]) -> None:
        self._state["items"] = []

    def _put(self, item: T) -> None:
        items = self._state["items"]
        if self.maxsize:
            _native.check(len(items) < self.maxsize)
        bisect.insort_right(items, item)

    def _get(self) -> T:
        items = self._state["items"]
        _native.check(items)
        result: T = items.pop(0)
        return result

    def _contents(self) -> str:
        items = self._state._look_at("items")
        return self._filled("..." if items is ... else str(len(items)))

    def qsize(self) -> int:
        """How many items it holds."""
        return len(self._state["items"])
