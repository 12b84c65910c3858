"""The real thing in the place of the toy: blocks of a store, with conflicts injected."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from itertools import count
from typing import Any

import stmpy as stm
from stmpy.testing import conflicts


class Store:
    """Blocks of a store of its own. `loses` is asked at each access and at each commit."""

    def __init__(self) -> None:
        self.reruns = 0
        self._numbers = count()
        self._stack = ExitStack()

    def __enter__(self) -> Store:
        self._store = stm.open(max_bytes=16 << 20)
        self._read: stm.TVar[str, int] = self._store.TVar("read")
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        self._store.close()

    def start(self, loses: Callable[[], bool]) -> None:
        """Begin a run of a program."""

        def ask() -> bool:
            lost = loses()
            self.reruns += lost
            return lost

        self._stack.close()
        self._stack.enter_context(conflicts(ask))

    def atomically(self) -> Any:
        return self._store.atomically()

    def variable(self) -> stm.TVar[Any, Any]:
        return self._store.TVar(str(next(self._numbers)))

    def point(self) -> None:
        self._read.get("anything")
