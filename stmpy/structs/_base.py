"""What all structures have in common: one variable that carries them, and waiting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stmpy import _native
from stmpy._store import Store, default_store
from stmpy._var import TVar, name_of
from stmpy.errors import NestedMisuse, StmError, TransactionTimeout

# How a structure's options are kept in its variable, so that every handle has the same.
OPTIONS = "options"


def whole(what: str, number: object, least: int) -> None:
    """Raise TypeError or ValueError unless it is a whole number, `least` or more."""
    if isinstance(number, int) and number >= least:
        return
    error = ValueError if isinstance(number, int) else TypeError
    raise error(f"{what} from {least} up, not {number!r}")


class Structure:
    """A named structure kept in one `TVar`; the base of all of them.

    Whoever creates it sets its options. A later handle may leave them out or give the same; others
    raise `StmError`. Without a name it is reached only through its handles.
    """

    _kind: str
    _state: TVar[Any, Any]

    def _open(self, name: str | None, store: Store | None, options: tuple[Any, ...]) -> None:
        given = name_of(type(self).__name__, name)
        self._state = TVar(f"{self._kind}:{given}", store=store or default_store())
        new = self.store.atomically(label=f"new {type(self).__name__}")
        self._options = new(lambda: self._agree(options))()

    def _agree(self, options: tuple[Any, ...]) -> tuple[Any, ...]:
        """The options that hold; those given, where nobody has set any before."""
        found = self._state.get(OPTIONS)
        if found is None:
            self._state[OPTIONS] = options
            self._create(options)
            return options
        if options not in (found, self._defaults):
            raise StmError(
                f"{self._what}: exists with other options, {found}; leave them out or give the same"
            )
        return tuple(found)

    _defaults: tuple[Any, ...] = ()

    def _create(self, options: tuple[Any, ...]) -> None:
        """Put the first state in; called once, in the block that creates the structure."""

    @property
    def name(self) -> str:
        """The name under which other handles find it."""
        return self._state.name.partition(":")[2]

    @property
    def store(self) -> Store:
        """The store that it lives in."""
        return self._state.store

    def __reduce__(self) -> tuple[Any, ...]:
        return _attach, (type(self), self.name, self.store)

    def __repr__(self) -> str:
        from stmpy._repr import describe

        return describe(type(self).__name__, self.name, self._contents)

    def _contents(self) -> str:
        """What `repr` says of its state; reads with `_look_at`, which no block notices."""
        raise NotImplementedError

    @property
    def _what(self) -> str:
        """What it is called in messages."""
        return f"{type(self).__name__}({self.name!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Structure) or type(other) is not type(self):
            return NotImplemented
        return (self.name, self.store) == (other.name, other.store)

    def __hash__(self) -> int:
        return hash((type(self), self.name))

    def _run[T](self, fn: Callable[[], T]) -> T:
        """`fn()` as a part of the open block, or as one of its own."""
        return self._state.store.run(fn)

    def _wait[T](
        self, fn: Callable[[], T], timeout: float | None, late: Callable[[], Exception]
    ) -> T:
        """As `_run`, where `fn` may retry; raises `late()` once `timeout` seconds have passed.

        A block has one deadline over everything it waits for, so within one there is no `timeout`.
        """
        if timeout is None:
            return self._run(fn)
        if timeout < 0:
            raise ValueError(f"timeout is a number of seconds from 0 up, not {timeout!r}")
        if _native.in_transaction():
            raise NestedMisuse(
                f"{self._what}: timeout= within a block; give it to the block, "
                "`stm.atomically(timeout=...)`, or use or_else for an alternative"
            )
        try:
            result: T = self.store.atomically(timeout=timeout)(fn)()
        except TransactionTimeout:
            raise late() from None
        return result


def _attach(cls: type[Structure], name: str, store: Store) -> Structure:
    return cls(name, store=store)  # type: ignore[call-arg]  # every structure takes both
