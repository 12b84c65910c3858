"""Symmetry reduction where the fields of a state name threads.

`Layout.sort_threads` is enough where no field does; here what names a thread is named anew when
the records change places.  (Ip and Dill, "Better Verification Through Symmetry", 1996.)
"""

from collections.abc import Callable, Sequence
from itertools import permutations, product

from .layout import Layout

type Rename = Callable[[bytearray, Sequence[int]], None]
"""Names threads anew: thread `i` has become thread `new[i]`; the records have changed places."""


class Named:
    """Finds the representative of all states that differ in which thread is which.

    `key` describes a thread without naming any: threads with different keys are told apart by
    them, and among those with the same keys all orders are tried.
    """

    def __init__(
        self, layout: Layout, key: Callable[[bytes, int, int], object], rename: Rename
    ) -> None:
        self.layout, self.key, self.rename = layout, key, rename

    def representative(self, state: bytes) -> bytes:
        """The same for all states that a permutation of the threads turns into each other."""
        groups: dict[object, list[int]] = {}
        for index, base in enumerate(self.layout.bases):
            groups.setdefault(self.key(state, base, index), []).append(index)
        ordered = [groups[key] for key in sorted(groups)]  # type: ignore[type-var]
        if len(ordered) == len(self.layout.bases):
            return self.permuted(state, [group[0] for group in ordered])
        orders = product(*map(permutations, ordered))
        return min(self.permuted(state, [i for part in parts for i in part]) for parts in orders)

    def permuted(self, state: bytes, order: Sequence[int]) -> bytes:
        """The state whose thread `i` is the thread `order[i]` of this one."""
        if list(order) == sorted(order):
            return state
        width, bases = self.layout.width, self.layout.bases
        s = bytearray(state[: bases[0]])
        for old in order:
            s += state[bases[old] : bases[old] + width]
        new = [0] * len(order)
        for place, old in enumerate(order):
            new[old] = place
        self.rename(s, new)
        return bytes(s)
