"""Dependencies between attempts as one large graph, and the groups of attempts that form cycles.

A history is serializable if its dependencies have no cycle (Adya 1999). Two tricks keep the graph
linear in the size of the history:

*Real time.* "Ended before the other began" is a quadratic relation. So each attempt points to a
node for its end, the ends form a chain in time, and the last end before an attempt began points to
it: three edges per attempt, and the same paths.

*Snapshot isolation.* There an attempt acts at two moments: it reads at its start and writes at its
commit. With a node for each, a dependency leads from a commit to a start, an anti-dependency from
a start to a commit, and what snapshot isolation forbids is exactly a cycle again: write skew needs
two anti-dependencies in a row, but one arrives at a commit and the next would leave from a start.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

from tests.history.model import NEVER

WW: Final = 0
WR: Final = 1
RW: Final = 2
PRW: Final = 3  # an anti-dependency through a key set: the other inserted or deleted a key
RT: Final = 4  # real time; never stored
ANTI: Final = frozenset((RW, PRW))


class Edges:
    """Dependencies in columns: from, to, which, and on which key."""

    def __init__(self) -> None:
        self.source = array("i")
        self.target = array("i")
        self.kind = array("b")
        self.key = array("q")

    def __len__(self) -> int:
        return len(self.source)

    def add(self, source: int, target: int, kind: int, key: int) -> None:
        self.source.append(source)
        self.target.append(target)
        self.kind.append(kind)
        self.key.append(key)


def cyclic_groups(
    count: int,
    edges: Edges,
    times: tuple[Sequence[int], Sequence[int]] | None = None,
    *,
    split: bool = False,
) -> list[list[int]]:
    """The attempts of each strongly connected group that has a cycle.

    `times` are begin and end of each attempt, None to leave real time out; `split` asks for what
    snapshot isolation forbids instead of what serializability forbids.
    """
    source, target = edges.source[:], edges.target[:]
    nodes = count
    if split:
        nodes = 2 * count
        for i, kind in enumerate(edges.kind):
            if kind in ANTI:
                target[i] += count
            else:
                source[i] += count
        source.extend(range(count))
        target.extend(range(count, nodes))
    if times is not None:
        nodes = _add_real_time(*times, nodes, nodes - count, source, target)
    components = _components(*_adjacency(nodes, source, target))
    bound = 2 * count if split else count
    groups = [sorted({v % count for v in nodes if v < bound}) for nodes in components]
    return [group for group in groups if len(group) > 1]


def _add_real_time(
    begin: Sequence[int],
    end: Sequence[int],
    first: int,
    commit: int,
    source: array[int],
    target: array[int],
) -> int:
    """Adds the chain of ends as nodes from `first`; attempt a ends at its node `a + commit`."""
    order = sorted((a for a in range(len(end)) if end[a] != NEVER), key=end.__getitem__)
    ends = array("q", map(end.__getitem__, order))
    for rank, attempt in enumerate(order):
        source.append(attempt + commit)
        target.append(first + rank)
    nodes = first + len(order)
    source.extend(range(first, nodes - 1))
    target.extend(range(first + 1, nodes))
    for attempt, began in enumerate(begin):
        before = bisect_left(ends, began)
        if before:
            source.append(first + before - 1)
            target.append(attempt)
    return nodes


def _adjacency(nodes: int, source: array[int], target: array[int]) -> tuple[array[int], array[int]]:
    """Counting sort: the successors of v are `successors[head[v]:head[v + 1]]`."""
    head = array("i", bytes(4 * (nodes + 1)))
    for v in source:
        head[v] += 1
    total = 0
    for v in range(nodes + 1):
        total += head[v]
        head[v] = total
    successors = array("i", bytes(4 * len(source)))
    for v, w in zip(source, target, strict=True):
        head[v] -= 1
        successors[head[v]] = w
    return head, successors


def _components(head: array[int], successors: array[int]) -> list[list[int]]:
    """Strongly connected components of more than one node (Tarjan 1972, without recursion)."""
    nodes = len(head) - 1
    closed = nodes + 1
    order = array("i", bytes(4 * nodes))  # 0: not visited; `closed`: its component is complete
    low = array("i", bytes(4 * nodes))
    cursor = head[:]
    stack: list[int] = []
    path: list[int] = []
    found: list[list[int]] = []
    visited = 0
    for root in range(nodes):
        if order[root]:
            continue
        path.append(root)
        while path:
            v = path[-1]
            if not order[v]:
                visited += 1
                order[v] = low[v] = visited
                stack.append(v)
            lowest = low[v]
            for i in range(cursor[v], head[v + 1]):
                w = successors[i]
                seen = order[w]
                if not seen:
                    cursor[v] = i
                    path.append(w)
                    break
                # Of a successor on the stack, low is at most its order; of a child just completed,
                # it is what the child could reach. Either way it is reachable from here.
                if seen != closed and low[w] < lowest:
                    lowest = low[w]
            else:
                path.pop()
                if lowest == order[v]:
                    _close(v, stack, order, closed, found)
            low[v] = lowest
    return found


def _close(
    v: int, stack: list[int], order: array[int], closed: int, found: list[list[int]]
) -> None:
    if stack[-1] == v:
        order[stack.pop()] = closed
        return
    component = []
    while True:
        w = stack.pop()
        order[w] = closed
        component.append(w)
        if w == v:
            found.append(component)
            return
