"""Values that are computed from variables, and kept until one of those changes."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from stmpy import _native
from stmpy._hubs import hub_of
from stmpy._store import Store, default_store


class derived[T]:  # a decorator, as `property` is
    """A value that `fn()` computes from variables; `.value` is what it is now.

    fn only reads. Outside a block the value is kept, and computed again at the first use after a
    commit that changed something which fn has read: at most once per commit, from one snapshot, so
    it never mixes old with new, also where derived values build on each other. In a block it is
    computed as part of the block: it sees what that has written, and joins what it has read.

    What `.value` gives is shared by all who ask, so do not change it in place. Where fn retries,
    `.value` waits. Functions can't travel: every interpreter has derived values of its own.
    """

    def __init__(self, fn: Callable[[], T], *, store: Store | None = None) -> None:
        if not callable(fn):
            raise TypeError(f"derived(fn) takes a function, not {fn!r}")
        self.fn = fn
        self.store = store or default_store()
        self._locks: dict[int, threading.RLock] = {}
        self._kept: tuple[T, _native.Interest] | None = None

    def __repr__(self) -> str:
        return f"derived({getattr(self.fn, '__qualname__', self.fn)!s})"

    @property
    def value(self) -> T:
        """What fn returns for the variables as they are now."""
        if _native.in_transaction():
            return self.store.atomically(read_only=True)(self.fn)()
        kept = self._kept
        if kept is None or kept[1].marked:
            with self._computing():
                kept = self._kept
                if kept is None or kept[1].marked:
                    kept = self._kept = self._compute()
        return kept[0]

    def _computing(self) -> threading.RLock:
        """One computes, the others wait for it; a signal handler in between may compute itself.

        A forked child has a lock of its own: who held that of its parent is not there.
        """
        return self._locks.setdefault(os.getpid(), threading.RLock())

    def _compute(self) -> tuple[T, _native.Interest]:
        return hub_of(self.store).observe(self.store.atomically(), self.fn, ())
