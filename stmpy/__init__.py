"""Software transactional memory for Python: variables that many interpreters change at once.

Layout: `_native` is the core in C, under `_core`; `_store` and `_var` are thin Python over it;
`_sites`, `_stacks`, `_rebinds` and `_frames` let a `with` block run again.
"""

from __future__ import annotations

import sys

from stmpy._native import atomically as atomically
from stmpy._native import check as check
from stmpy._native import in_transaction as in_transaction
from stmpy._native import on_abort as on_abort
from stmpy._native import on_commit as on_commit
from stmpy._native import or_else as or_else
from stmpy._native import register as register
from stmpy._native import retry as retry
from stmpy._native import run as run
from stmpy._store import Store as Store
from stmpy._store import default_store
from stmpy._store import open as open
from stmpy._var import TRef as TRef
from stmpy._var import TVar as TVar
from stmpy.errors import CommitUnknown as CommitUnknown
from stmpy.errors import Conflict as Conflict
from stmpy.errors import DecodeError as DecodeError
from stmpy.errors import DurabilityError as DurabilityError
from stmpy.errors import EncodeError as EncodeError
from stmpy.errors import InvariantViolated as InvariantViolated
from stmpy.errors import NestedMisuse as NestedMisuse
from stmpy.errors import NotANumber as NotANumber
from stmpy.errors import ReadOnly as ReadOnly
from stmpy.errors import SnapshotTooOld as SnapshotTooOld
from stmpy.errors import StmError as StmError
from stmpy.errors import StoreClosed as StoreClosed
from stmpy.errors import StoreFull as StoreFull
from stmpy.errors import TransactionRequired as TransactionRequired
from stmpy.errors import TransactionTimeout as TransactionTimeout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from stmpy._derived import derived as derived
    from stmpy._invariants import always as always
    from stmpy._pool import InterpreterPool as InterpreterPool
    from stmpy._tasks import arun as arun
    from stmpy._watch import watch as watch
    from stmpy.statistics import Stats as Stats
    from stmpy.structs import TBarrier as TBarrier
    from stmpy.structs import TChannel as TChannel
    from stmpy.structs import TCounter as TCounter
    from stmpy.structs import TEvent as TEvent
    from stmpy.structs import TLatch as TLatch
    from stmpy.structs import TPriorityQueue as TPriorityQueue
    from stmpy.structs import TQueue as TQueue
    from stmpy.structs import TSemaphore as TSemaphore
    from stmpy.structs import TSet as TSet

    __version__: str


__all__ = [
    "CommitUnknown",
    "Conflict",
    "DecodeError",
    "DurabilityError",
    "EncodeError",
    "InterpreterPool",
    "InvariantViolated",
    "NestedMisuse",
    "NotANumber",
    "ReadOnly",
    "SnapshotTooOld",
    "Stats",
    "StmError",
    "Store",
    "StoreClosed",
    "StoreFull",
    "TBarrier",
    "TChannel",
    "TCounter",
    "TEvent",
    "TLatch",
    "TPriorityQueue",
    "TQueue",
    "TRef",
    "TSemaphore",
    "TSet",
    "TVar",
    "TransactionRequired",
    "TransactionTimeout",
    "always",
    "arun",
    "atomically",
    "check",
    "derived",
    "in_transaction",
    "on_abort",
    "on_commit",
    "open",
    "or_else",
    "register",
    "retry",
    "run",
    "snapshot",
    "stats",
    "watch",
]


def snapshot(*, store: Store | None = None) -> atomically:
    """A block that only reads, at one snapshot, for as long as it likes.

    It keeps no read set, never conflicts and never waits. Raises `ReadOnly` at a write, and
    `SnapshotTooOld` once the history it needs has outgrown `history_bytes`.
    """
    return atomically(read_only=True, store=store)


def stats(store: Store | None = None) -> Stats:
    """What happened on the store so far (the default one, unless another is given)."""
    if store is not None and not isinstance(store, Store):
        raise TypeError(f"stats(store) takes a Store, as stmpy.open returns it, not {store!r}")
    return (store or default_store()).stats()


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"} - {"TYPE_CHECKING", "annotations", "sys"})


class _OnDemand:
    """A name that is imported from another module when it is first used, and is plain from then on.

    Most programs need few of them, and the pool brings half of concurrent.futures with it.
    """

    def __init__(self, home: str) -> None:
        self._home = home

    def __set_name__(self, _: type, name: str) -> None:
        self._name = name

    def __get__(self, module: ModuleType, _: type | None = None) -> Any:
        from importlib import import_module

        value = module.__dict__[self._name] = getattr(import_module(self._home), self._name)
        return value


class _Version:
    """The version of what is installed, looked up each time: it takes long, and few ask."""

    def __get__(self, module: ModuleType, _: type | None = None) -> str:
        from importlib.metadata import version

        return version("stmpy-store")


class _Module(type(sys)):  # type: ignore[misc]  # types.ModuleType, which `types` is not needed for
    """The class of this module. A function `__getattr__` in its place (PEP 562) is no less simple,
    but CPython before 3.15 does not specialise `stm.atomically` where a module has one.
    """

    InterpreterPool = _OnDemand("stmpy._pool")
    Stats = _OnDemand("stmpy.statistics")
    TBarrier = _OnDemand("stmpy.structs")
    TChannel = _OnDemand("stmpy.structs")
    TCounter = _OnDemand("stmpy.structs")
    TEvent = _OnDemand("stmpy.structs")
    TLatch = _OnDemand("stmpy.structs")
    TPriorityQueue = _OnDemand("stmpy.structs")
    TQueue = _OnDemand("stmpy.structs")
    TSemaphore = _OnDemand("stmpy.structs")
    TSet = _OnDemand("stmpy.structs")
    always = _OnDemand("stmpy._invariants")
    arun = _OnDemand("stmpy._tasks")
    derived = _OnDemand("stmpy._derived")
    watch = _OnDemand("stmpy._watch")
    __version__ = _Version()


sys.modules[__name__].__class__ = _Module

if sys.version_info < (3, 14):
    import _interpreters

    # CPython 3.13.0 corrupts its heap when two isolated interpreters import datetime and the main
    # interpreter has not done so before; values may be dates.
    if _interpreters.get_current() == _interpreters.get_main():
        import datetime as _datetime  # noqa: F401
    del _interpreters
