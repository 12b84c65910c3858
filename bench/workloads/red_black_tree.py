"""A red-black tree, left-leaning (Sedgewick, 2008): updates change the colours of shared nodes.

A node is a tuple (left, right, red) by its key; `None` stands for no subtree.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import stmpy as stm
from bench.workloads import sets
from bench.workloads.invariant import expect

if TYPE_CHECKING:
    from bench.harness import Work

type Link = int | None
type Node = tuple[Link, Link, bool]


class RedBlackTree:
    """The usual algorithms, with each node rewritten whole."""

    def __init__(self, name: str) -> None:
        self.nodes: stm.TVar[int, Node] = stm.TVar(f"{name} nodes")
        self.root: stm.TRef[int] = stm.TRef(f"{name} root")

    def clear(self) -> None:
        self.nodes.clear()
        self.root.value = -1

    def _top(self) -> Link:
        return None if self.root.value < 0 else self.root.value

    def _set_top(self, top: Link) -> None:
        if top is not None:
            self._colour(top, red=False)
        self.root.value = -1 if top is None else top

    def __contains__(self, key: int) -> bool:
        at = self._top()
        while at is not None and at != key:
            left, right, _ = self.nodes[at]
            at = left if key < at else right
        return at is not None

    # ---- small steps

    def _red(self, at: Link) -> bool:
        return at is not None and self.nodes[at][2]

    def _left_red(self, at: Link) -> bool:
        return at is not None and self._red(self.nodes[at][0])

    def _colour(self, at: int, red: bool) -> None:
        left, right, _ = self.nodes[at]
        self.nodes[at] = (left, right, red)

    def _flip(self, at: int) -> None:
        left, right, red = self.nodes[at]
        assert left is not None
        assert right is not None
        self._colour(at, not red)
        self._colour(left, not self._red(left))
        self._colour(right, not self._red(right))

    def _rotate_left(self, at: int) -> int:
        left, up, red = self.nodes[at]
        assert up is not None
        inner, right, _ = self.nodes[up]
        self.nodes[at] = (left, inner, True)
        self.nodes[up] = (at, right, red)
        return up

    def _rotate_right(self, at: int) -> int:
        up, right, red = self.nodes[at]
        assert up is not None
        left, inner, _ = self.nodes[up]
        self.nodes[at] = (inner, right, True)
        self.nodes[up] = (left, at, red)
        return up

    def _balance(self, at: int) -> int:
        left, right, _ = self.nodes[at]
        if self._red(right) and not self._red(left):
            at = self._rotate_left(at)
        left = self.nodes[at][0]
        if self._red(left) and self._left_red(left):
            at = self._rotate_right(at)
        left, right, _ = self.nodes[at]
        if self._red(left) and self._red(right):
            self._flip(at)
        return at

    # ---- adding

    def add(self, key: int) -> bool:
        if key in self:
            return False
        self._set_top(self._insert(self._top(), key))
        return True

    def _insert(self, at: Link, key: int) -> int:
        if at is None:
            self.nodes[key] = (None, None, True)
            return key
        left, right, red = self.nodes[at]
        if key < at:
            self.nodes[at] = (self._insert(left, key), right, red)
        else:
            self.nodes[at] = (left, self._insert(right, key), red)
        return self._balance(at)

    # ---- removing

    def remove(self, key: int) -> bool:
        if key not in self:
            return False
        top = self._top()
        assert top is not None
        left, right, _ = self.nodes[top]
        if not self._red(left) and not self._red(right):
            self._colour(top, red=True)
        self._set_top(self._delete(top, key))
        del self.nodes[key]
        return True

    def _red_to_left(self, at: int) -> int:
        self._flip(at)
        left, right, red = self.nodes[at]
        if self._left_red(right):
            assert right is not None
            self.nodes[at] = (left, self._rotate_right(right), red)
            at = self._rotate_left(at)
            self._flip(at)
        return at

    def _red_to_right(self, at: int) -> int:
        self._flip(at)
        if self._left_red(self.nodes[at][0]):
            at = self._rotate_right(at)
            self._flip(at)
        return at

    def _delete_least(self, at: int) -> tuple[Link, int]:
        """The subtree without its least node, and that node."""
        left = self.nodes[at][0]
        if left is None:
            return None, at
        if not self._red(left) and not self._left_red(left):
            at = self._red_to_left(at)
        left, right, red = self.nodes[at]
        assert left is not None
        rest, least = self._delete_least(left)
        self.nodes[at] = (rest, right, red)
        return self._balance(at), least

    def _delete(self, at: int, key: int) -> Link:
        """The subtree without this key, which is in it."""
        if key < at:
            left = self.nodes[at][0]
            if not self._red(left) and not self._left_red(left):
                at = self._red_to_left(at)
            left, right, red = self.nodes[at]
            assert left is not None
            self.nodes[at] = (self._delete(left, key), right, red)
            return self._balance(at)
        if self._red(self.nodes[at][0]):
            at = self._rotate_right(at)
        if key == at and self.nodes[at][1] is None:
            return None
        right = self.nodes[at][1]
        if not self._red(right) and not self._left_red(right):
            at = self._red_to_right(at)
        left, right, red = self.nodes[at]
        assert right is not None
        if key == at:
            rest, least = self._delete_least(right)
            self.nodes[least] = (left, rest, red)
            return self._balance(least)
        self.nodes[at] = (left, self._delete(right, key), red)
        return self._balance(at)

    # ---- checking

    def keys(self) -> list[int]:
        top = self._top()
        expect(not self._red(top), "the root is red")
        self._black_height(top)
        return list(self._walk(top))

    def _walk(self, at: Link) -> Iterator[int]:
        if at is not None:
            yield from self._walk(self.nodes[at][0])
            yield at
            yield from self._walk(self.nodes[at][1])

    def _black_height(self, at: Link) -> int:
        if at is None:
            return 1
        left, right, red = self.nodes[at]
        expect(not (red and (self._red(left) or self._red(right))), "red under red")
        heights = self._black_height(left), self._black_height(right)
        expect(heights[0] == heights[1], f"black heights {heights} under {at}")
        return heights[0] + (not red)


keys = RedBlackTree("red-black tree")
tally: stm.TVar[int, int] = stm.TVar("red-black tree tally")
begin, check = sets.beginner(keys, tally), sets.checker(keys, tally)


def work(number: int, updates: int) -> Work:
    return sets.worker(keys, tally, number, updates)
