"""A counter that many threads add to, and a set."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, MutableSet
from collections.abc import Set as AbstractSet
from typing import Any, ClassVar, Final, Self

from stmpy._repr import brief, within
from stmpy._store import Store
from stmpy.structs._base import OPTIONS, Structure

_VALUE: Final = "value"


class TCounter(Structure):
    """A number that blocks add to without getting into each other's way.

    Additions never conflict with each other, in however many threads; a block that reads `value`
    and writes conflicts with every addition.
    """

    _kind = "counter"

    def __init__(self, name: str | None = None, *, store: Store | None = None) -> None:
        self._open(name, store, ())

    def _contents(self) -> str:
        return brief(self._state._look_at(_VALUE) or 0)

    def add(self, n: int = 1) -> None:
        """Add `n`, which may be negative."""
        self._run(lambda: self._state.add(_VALUE, n))

    @property
    def value(self) -> int:
        """The sum of all that was added."""
        value: int = self._state.get(_VALUE, 0)
        return value


class TSet[T: Hashable](Structure, MutableSet[T]):
    """A transactional set of what can be a key of a `TVar`; conflicts element by element.

    As with `set`, `==` compares elements and operators such as `|` return a plain set; every
    method is one block.
    """

    _kind = "set"
    __hash__: ClassVar[None]  # type: ignore[assignment]  # it changes, as a set does

    def __init__(
        self, name: str | None = None, initial: Iterable[T] = (), *, store: Store | None = None
    ) -> None:
        self._initial = tuple(initial)
        self._open(name, store, ())

    def _create(self, options: tuple[Any, ...]) -> None:
        for element in self._initial:
            self._state["in", element] = True

    def _contents(self) -> str:
        count, some = self._state._look()
        elements = [brief(key[1]) for key, _ in some if key != OPTIONS]
        return within(elements, count - 1, len(elements))

    @classmethod
    def _from_iterable[S](cls, it: Iterable[S]) -> AbstractSet[S]:
        # What operators make is a value, not another shared set.
        return set(it)

    def __contains__(self, element: object) -> bool:
        return ("in", element) in self._state

    def __iter__(self) -> Iterator[T]:
        return iter([key[1] for key in self._state if key != OPTIONS])

    def __len__(self) -> int:
        return len(self._state) - 1

    def add(self, value: T) -> None:
        """Put the element in; nothing if it is there."""
        self._run(lambda: self._state.__setitem__(("in", value), True))

    def discard(self, value: T) -> None:
        """Take the element out; nothing if it is absent."""
        self._run(lambda: self._state.pop(("in", value), None))

    def remove(self, value: T) -> None:
        """Take the element out; raises KeyError if it is absent."""
        self._run(lambda: MutableSet.remove(self, value))

    def pop(self) -> T:
        """Take any element out and return it; raises KeyError if there is none."""
        return self._run(lambda: MutableSet.pop(self))

    def clear(self) -> None:
        """Take every element out."""

        def clear() -> None:
            for element in self:
                self.discard(element)

        self._run(clear)

    __eq__ = AbstractSet.__eq__

    def __ior__(self, it: AbstractSet[Any]) -> Self:  # type: ignore[misc]  # `|` makes a plain set
        self._run(lambda: MutableSet.__ior__(self, it))
        return self

    def __iand__(self, it: AbstractSet[Any]) -> Self:
        self._run(lambda: MutableSet.__iand__(self, it))
        return self

    def __isub__(self, it: AbstractSet[Any]) -> Self:
        self._run(lambda: MutableSet.__isub__(self, it))
        return self

    def __ixor__(self, it: AbstractSet[Any]) -> Self:  # type: ignore[misc]
        self._run(lambda: MutableSet.__ixor__(self, it))
        return self
