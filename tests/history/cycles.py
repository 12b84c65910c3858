"""Find the shortest cycle in a group of attempts, and name it.

Cycles are searched from the gravest kind to the mildest, first without real time and then with it,
so that what is reported is the simplest thing that went wrong (the order of Elle's report).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from tests.history.findings import REAL_TIME
from tests.history.graph import ANTI, RT, RW, WR, WW, Edges, cyclic_groups
from tests.history.model import ABORTED, History

_DEPENDENCIES: Final = frozenset((WW, WR))
_STARTS: Final = 64  # attempts of a large group from which a shortest cycle is searched
_VISITS: Final = 200_000  # steps taken while looking for one kind of cycle in one group


class Edge(NamedTuple):
    source: int
    target: int
    kind: int
    key: int


class Cycle(NamedTuple):
    kind: str
    edges: list[Edge]


class Group:
    """A few attempts with the dependencies among them."""

    def __init__(self, history: History, attempts: Sequence[int], edges: Iterable[Edge]) -> None:
        self.history = history
        members = set(attempts)
        self.attempts = attempts
        self.edges = [e for e in edges if e.source in members and e.target in members]
        self.out: dict[int, list[Edge]] = {attempt: [] for attempt in attempts}
        for edge in self.edges:
            self.out[edge.source].append(edge)
        self.by_begin = sorted(attempts, key=history.begin.__getitem__)
        self.begins = [history.begin[attempt] for attempt in self.by_begin]
        self.visits = 0

    def path(
        self, source: int, target: int, kinds: frozenset[int], length: int, *, split: bool = False
    ) -> list[Edge] | None:
        """The shortest path of 1 to `length` edges of these kinds (breadth first), or None.

        A cycle is a path from an attempt to itself. With `split` no two anti-dependencies follow
        each other, the last and the first of a cycle included.
        """
        reached = len(self.by_begin)  # real time has led to all of by_begin from here on
        came_by: dict[tuple[int, bool], tuple[tuple[int, bool], Edge]] = {}
        queue = deque([((source, False), 0)])
        while queue:
            state, depth = queue.popleft()
            attempt, anti = state
            steps = [
                e for e in self.out[attempt] if e.kind in kinds and not (anti and e.kind in ANTI)
            ]
            if RT in kinds:
                later = bisect_right(self.begins, self.history.end[attempt])
                steps += [Edge(attempt, b, RT, -1) for b in self.by_begin[later:reached]]
                reached = min(reached, later)
            self.visits += 1 + len(steps)
            for edge in steps:
                step = (edge.target, split and edge.kind in ANTI)
                if step in came_by:
                    continue
                came_by[step] = (state, edge)
                if step == (target, False):
                    return _trace(came_by, (source, False), step)
                if depth + 1 < length and step != (source, False):
                    queue.append((step, depth + 1))
        return None

    def cycle(self, kinds: frozenset[int], *, split: bool = False) -> list[Edge] | None:
        """The shortest cycle found of these kinds; there is one whenever this is not None."""
        number = {attempt: i for i, attempt in enumerate(self.attempts)}
        inner = Edges()
        for edge in self.edges:
            if edge.kind in kinds:
                inner.add(number[edge.source], number[edge.target], edge.kind, edge.key)
        times = None
        if RT in kinds:
            times = (
                [self.history.begin[a] for a in self.attempts],
                [self.history.end[a] for a in self.attempts],
            )
        best: list[Edge] | None = None
        for group in cyclic_groups(len(number), inner, times, split=split):
            for tried, i in enumerate(group):
                if best and tried >= _STARTS:
                    break
                attempt = self.attempts[i]
                limit = len(best) - 1 if best else 2 * len(group)
                best = self.path(attempt, attempt, kinds, limit, split=split) or best
        return best

    def single(self, kinds: frozenset[int]) -> list[Edge] | None:
        """The shortest cycle found with exactly one anti-dependency, by deepening."""
        self.visits = 0
        rest = kinds - ANTI
        for length in range(1, len(self.attempts)):
            for anti in self.edges:
                if anti.kind in ANTI:
                    back = self.path(anti.target, anti.source, rest, length)
                    if back:
                        return [anti, *back]
                    if self.visits > _VISITS:
                        return None
        return None


def _trace(
    came_by: dict[tuple[int, bool], tuple[tuple[int, bool], Edge]],
    start: tuple[int, bool],
    state: tuple[int, bool],
) -> list[Edge]:
    edges: list[Edge] = []
    while not edges or state != start:
        state, edge = came_by[state]
        edges.append(edge)
    return edges[::-1]


def find_cycle(group: Group, *, snapshot_isolation: bool) -> Cycle | None:
    """The gravest cycle of the group, shortest first.

    Attempts that aborted are set aside at first: only if the committed ones have no cycle among
    themselves is it an aborted one that did not see a consistent state.
    """
    history = group.history
    committed = [a for a in group.attempts if history.status[a] != ABORTED]
    if len(committed) < len(group.attempts):
        found = find_cycle(
            Group(history, committed, group.edges), snapshot_isolation=snapshot_isolation
        )
        return found or _opacity(_gravest(group, snapshot_isolation))
    return _gravest(group, snapshot_isolation)


def _opacity(cycle: Cycle | None) -> Cycle | None:
    return Cycle("opacity", cycle.edges) if cycle else None


def _shorten(cycle: list[Edge]) -> list[Edge]:
    """The order of one key's versions is transitive: steps along it are told as one step."""
    first = next((i for i, edge in enumerate(cycle) if edge.kind != WW), 0)
    short: list[Edge] = []
    for edge in cycle[first:] + cycle[:first]:
        last = short[-1] if short else None
        along = edge.kind == WW and last is not None and last.kind in (WW, RW)
        if last and along and last.key == edge.key and last.source != edge.target:
            short[-1] = last._replace(target=edge.target)
        else:
            short.append(edge)
    return short


def _gravest(group: Group, snapshot_isolation: bool) -> Cycle | None:
    for real_time, suffix in ((frozenset[int](), ""), (frozenset((RT,)), REAL_TIME)):
        tiers = [("G0", frozenset((WW,))), ("G1c", _DEPENDENCIES)]
        for name, kinds in tiers:
            if edges := group.cycle(kinds | real_time):
                return _named(name + suffix, edges)
        if edges := group.single(_DEPENDENCIES | real_time | ANTI):
            return _named("G-single" + suffix, edges)
        weak = [("G2-item", frozenset((RW,))), ("G2", ANTI)]
        if snapshot_isolation:
            weak = [("G-nonadjacent", ANTI)]
        for name, kinds in weak:
            every = _DEPENDENCIES | real_time | kinds
            if edges := group.cycle(every, split=snapshot_isolation):
                return _named(name + suffix, edges)
    return None


def _named(kind: str, cycle: list[Edge]) -> Cycle:
    """Two transactions that contradict each other on one key: a write of one of them is lost."""
    edges = _shorten(cycle)
    kinds = {edge.kind for edge in edges}
    one_key = len(edges) == 2 and edges[0].key == edges[1].key
    return Cycle("lost update" if one_key and RW in kinds and kinds <= {WW, RW} else kind, edges)


def groups_of(history: History, edges: Edges, groups: list[list[int]]) -> list[Group]:
    """Each group with its own dependencies, sorted out in one pass over all of them."""
    member = {attempt: number for number, group in enumerate(groups) for attempt in group}
    inner: list[list[Edge]] = [[] for _ in groups]
    for i in range(len(edges)):
        source, target = edges.source[i], edges.target[i]
        number = member.get(source)
        if number is not None and member.get(target) == number:
            inner[number].append(Edge(source, target, edges.kind[i], edges.key[i]))
    return [Group(history, group, own) for group, own in zip(groups, inner, strict=True)]
