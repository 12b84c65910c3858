"""Transactional variables: `TVar`, a mapping, and `TRef`, a single value."""

from __future__ import annotations

import os
from _collections_abc import ItemsView, Mapping, MutableMapping, ValuesView

from stmpy import _native
from stmpy._store import Store, default_store

# A class that declares its type parameters in brackets imports typing when it is made, and so does
# a bound of one; see stmpy/_store.py.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator
    from typing import Any, Self, TypeVar

    K = TypeVar("K", bound=Hashable)
else:
    from _typing import TypeVar

    K = TypeVar("K")
V = TypeVar("V")

# The names that were given an initial value, by kind: whoever adds a name puts it in.
_CATALOG = "stmpy.catalog"


def _claim(
    variable: _native.Var[Any, Any] | _native.Ref[Any], name: str | None, put: Callable[[], None]
) -> None:
    """Call `put` in the block that creates the variable, if this is that block."""
    if variable._bare:
        return
    new = variable.store.atomically(label=f"new {type(variable).__name__}")
    if name is None:  # nobody else can have made it
        new(put)()
        return
    catalog: _native.Var[str, str] = _native.Var(variable.store, _CATALOG)

    def claim() -> None:
        if variable.name not in catalog:
            catalog[variable.name] = type(variable).__name__
            put()

    new(claim)()


def name_of(kind: str, name: object) -> str:
    """The name that was given, or one that nobody else has."""
    if name is None:
        return f"~{os.urandom(8).hex()}"
    if isinstance(name, str):
        return name
    from stmpy._repr import brief

    raise TypeError(
        f"{kind}({brief(name)}): the first argument is the name, a str, or None for none; what it "
        "begins with comes after that"
    )


def _pairs(name: str | None, initial: Mapping[K, V] | Iterable[tuple[K, V]]) -> Mapping[K, V]:
    """The initial contents of a mapping, which can be put in more than once."""
    if isinstance(initial, Mapping):
        return initial
    try:
        return dict(initial)
    except (TypeError, ValueError) as error:
        from stmpy._repr import brief

        raise TypeError(
            f"TVar({name!r}, {brief(initial)}): begins with a mapping or with (key, value) pairs "
            f"({error}); for a single value, such as a list, there is TRef"
        ) from error


class _Items(ItemsView[K, V]):
    """The items as one snapshot shows them."""

    _mapping: TVar[K, V]

    def __iter__(self) -> Iterator[tuple[K, V]]:
        return iter(self._mapping.copy().items())


class _Values(ValuesView[V]):
    """The values as one snapshot shows them."""

    _mapping: TVar[Any, V]

    def __contains__(self, value: object) -> bool:
        return value in self._mapping.copy().values()

    def __iter__(self) -> Iterator[V]:
        return iter(self._mapping.copy().values())


class TVar(_native.Var[K, V], MutableMapping[K, V]):
    """A transactional dict, the same one wherever its name is used in its store.

    Blocks conflict key by key: on keys that one reads and another writes, and on the set of keys
    where one iterates or takes `len()` and another inserts or deletes. Outside a block, reads see
    the last commit and writes raise `TransactionRequired`. Keys are str, bytes, int, float, bool,
    None and tuples of these; values are what `EncodeError` does not refuse. A mutable value that a
    block has read belongs to the block: change it in place and the block stores it.

    `initial`, a mapping or pairs, is put in by whoever creates the variable; one that exists
    already stays as it is. Without a name the
    variable is reached only through its handles.

    `validator(key, value)` is called for each key that a block of this interpreter has written,
    with the value at its end: where it raises or returns something false other than None, the block
    is undone and raises `InvariantViolated`. Deleting a key is no write of a value. What is there
    is checked at once; a variable has one validator in an interpreter, the last that was given.
    """

    __slots__ = ("__weakref__",)

    def __new__(
        cls,
        name: str | None = None,
        initial: Any = None,
        *,
        store: Store | None = None,
        validator: Callable[..., object] | None = None,
    ) -> Self:
        given = name_of("TVar", name)
        return super().__new__(cls, store or default_store(), given, initial is None)

    def __init__(
        self,
        name: str | None = None,
        initial: Mapping[K, V] | Iterable[tuple[K, V]] | None = None,
        *,
        store: Store | None = None,
        validator: Callable[[K, V], object] | None = None,
    ) -> None:
        pairs = None if initial is None else _pairs(name, initial)
        if validator is not None:
            from stmpy._invariants import validate_keys

            validate_keys(self.store, self.name, validator)
        if pairs is not None:
            _claim(self, name, lambda: self.update(pairs))

    def __reduce__(self) -> tuple[Any, ...]:
        return _bound, (type(self), self.name, self.store)

    def __repr__(self) -> str:
        from stmpy._repr import describe, mapping

        return describe("TVar", self.name, lambda: mapping(self))

    def __or__(self, other: Mapping[K, V]) -> dict[K, V]:
        if not isinstance(other, Mapping):
            return NotImplemented
        return self.copy() | dict(other.items())

    def __ror__(self, other: Mapping[K, V]) -> dict[K, V]:
        if not isinstance(other, Mapping):
            return NotImplemented
        return dict(other.items()) | self.copy()

    def __ior__(self, other: Any) -> Self:  # type: ignore[misc]  # takes pairs too, as in a dict
        self.update(other)
        return self

    def items(self) -> ItemsView[K, V]:
        """The keys with their values; iterating reads all of them at one snapshot."""
        return _Items(self)

    def values(self) -> ValuesView[V]:
        """The values; iterating reads all of them at one snapshot."""
        return _Values(self)

    def clear(self) -> None:
        """Delete every key."""
        for key in self:
            del self[key]


class TRef(_native.Ref[V]):
    """One transactional value, read and set as `.value`.

    The same one wherever its name is used in its store. `initial` is put in by whoever creates it;
    until then the value is None. `validator(value)` is as that of `TVar`, and None may be set
    only if it accepts that.
    """

    __slots__ = ("__weakref__",)

    def __new__(
        cls,
        name: str | None = None,
        initial: Any = None,
        *,
        store: Store | None = None,
        validator: Callable[..., object] | None = None,
    ) -> Self:
        given = name_of("TRef", name)
        return super().__new__(cls, store or default_store(), given, initial is None)

    def __init__(
        self,
        name: str | None = None,
        initial: V | None = None,
        *,
        store: Store | None = None,
        validator: Callable[[V], object] | None = None,
    ) -> None:
        if validator is not None:
            from stmpy._invariants import validate_value

            validate_value(self.store, self.name, validator)
        if initial is not None:
            _claim(self, name, lambda: setattr(self, "value", initial))

    def __reduce__(self) -> tuple[Any, ...]:
        return _bound, (type(self), self.name, self.store)

    def __repr__(self) -> str:
        from stmpy._repr import brief, describe

        return describe("TRef", self.name, lambda: brief(self._look_at(None)))

    def swap(self, fn: Callable[[V], V]) -> V:
        """Set the value to `fn(value)` and return it; a block of its own outside one."""

        def swap() -> V:
            new = self.value = fn(self.value)
            return new

        return self.store.run(swap)


def _bound[T](cls: Callable[..., T], name: str, store: Store) -> T:
    return cls(name, store=store)
