"""The graph of all reachable states, and its strongly connected components."""

from array import array
from collections import deque
from collections.abc import Callable, Collection, Container, Iterable
from dataclasses import dataclass

from .model import Broken, Model, Step
from .search import DEADLOCK


class Unsafe(Exception):
    """A property that must hold in every state, or at every step, does not."""

    def __init__(self, prop: str, path: list[bytes], seen: int, *, in_action: bool = False) -> None:
        super().__init__(prop)
        self.prop, self.path, self.in_action = prop, path, in_action
        self.seen = seen  # how many states were reached before it


@dataclass(frozen=True, slots=True)
class Graph:
    """States in breadth-first order, each with its steps.

    No symmetry reduction: the identities of threads matter for fairness.
    """

    states: list[bytes]
    parents: "array[int]"
    """The state each was first reached from, or -1."""
    successors: list[tuple[tuple[int, int], ...]]
    """(next state, fairness group or -1) for each step."""
    groups: list[tuple[str, bool]]
    """Name of each fairness group, and whether it is owed strong fairness."""
    transitions: int

    def path_to(self, state: int) -> list[int]:
        """A shortest path from an initial state."""
        path = []
        while state >= 0:
            path.append(state)
            state = self.parents[state]
        return path[::-1]

    def walk(
        self, roots: Iterable[int], inside: Container[int], found: Callable[[int, int], bool]
    ) -> list[int]:
        """A shortest path of at least one step from a root to a step that is `found`.

        `found` gets the state the step leads to and the step's group; the path stays `inside`.
        """
        origin: dict[int, int] = {}
        queue = deque(dict.fromkeys(roots))
        starts = set(queue)
        while queue:
            i = queue.popleft()
            for j, group in self.successors[i]:
                if j not in inside:
                    continue
                if found(j, group):
                    path = [j, i]
                    while path[-1] not in starts:
                        path.append(origin[path[-1]])
                    return path[::-1]
                if j not in origin and j not in starts:
                    origin[j] = i
                    queue.append(j)
        raise LookupError("no such step can be reached")

    def closure(self, roots: Iterable[int], avoid: Callable[[int], bool]) -> set[int]:
        """What can be reached from the roots without entering a state to avoid."""
        inside = set(roots)
        stack = list(inside)
        while stack:
            for j, _ in self.successors[stack.pop()]:
                if j not in inside and not avoid(j):
                    inside.add(j)
                    stack.append(j)
        return inside

    def components(self, inside: Collection[int]) -> list[set[int]]:
        """Strongly connected components that contain a step (Tarjan 1972, without recursion)."""
        index: dict[int, int] = {}
        low: dict[int, int] = {}
        open_: list[int] = []  # states whose component is not known yet
        is_open: set[int] = set()
        found: list[set[int]] = []
        for root in inside:
            if root in index:
                continue
            work = [(root, iter(self.successors[root]))]
            while work:
                node, edges = work[-1]
                if node not in index:
                    index[node] = low[node] = len(index)
                    open_.append(node)
                    is_open.add(node)
                for j, _ in edges:
                    if j in is_open:
                        low[node] = min(low[node], index[j])
                    elif j in inside and j not in index:
                        work.append((j, iter(self.successors[j])))
                        break
                else:
                    work.pop()
                    if work:
                        above = work[-1][0]
                        low[above] = min(low[above], low[node])
                    if low[node] == index[node]:
                        found.append(_close(open_, is_open, node))
        return [c for c in found if len(c) > 1 or self._repeats(c)]

    def _repeats(self, single: set[int]) -> bool:
        return any(j in single for i in single for j, _ in self.successors[i])


def _close(open_: list[int], is_open: set[int], root: int) -> set[int]:
    at = len(open_) - 1
    while open_[at] != root:
        at -= 1
    component = set(open_[at:])
    del open_[at:]
    is_open -= component
    return component


def build(model: Model) -> Graph:
    """Explore the model and keep its steps; raises `Unsafe` at the first fault of another kind."""
    return _Builder(model).run()


class _Builder:
    def __init__(self, model: Model) -> None:
        self.model = model
        self.numbers: dict[bytes, int] = {}
        self.states: list[bytes] = []
        self.parents = array("l")
        self.groups: dict[tuple[str, bool], int] = {}
        self.group_of: dict[tuple[str, int], int] = {}

    def run(self) -> Graph:
        successors: list[tuple[tuple[int, int], ...]] = []
        transitions = 0
        for state in self.model.initial():
            self.number(state, -1)
        while len(successors) < len(self.states):
            here = len(successors)
            steps = self.steps(here)
            successors.append(
                tuple(
                    (self.number(state, here), self.group(name, thread))
                    for name, thread, state in steps
                )
            )
            transitions += len(steps)
        return Graph(self.states, self.parents, successors, list(self.groups), transitions)

    def number(self, state: bytes, parent: int) -> int:
        number = self.numbers.setdefault(state, len(self.states))
        if number == len(self.states):
            self.states.append(state)
            self.parents.append(parent)
            if prop := self.model.broken(state):
                raise self.unsafe(prop, number)
        return number

    def steps(self, here: int) -> list[Step]:
        try:
            steps = self.model.steps(self.states[here])
        except Broken as fault:
            raise self.unsafe(fault.prop, here, in_action=True) from None
        if not steps and not self.model.done(self.states[here]):
            raise self.unsafe(DEADLOCK, here)
        return steps

    def unsafe(self, prop: str, state: int, *, in_action: bool = False) -> Unsafe:
        path = []
        while state >= 0:
            path.append(self.states[state])
            state = self.parents[state]
        return Unsafe(prop, path[::-1], len(self.states), in_action=in_action)

    def group(self, name: str, thread: int) -> int:
        group = self.group_of.get((name, thread))
        if group is None:
            group = self.group_of[name, thread] = _group(self.model, self.groups, name, thread)
        return group


def _group(model: Model, groups: dict[tuple[str, bool], int], name: str, thread: int) -> int:
    """Number of the fairness group of an action.

    There is one for each thread, one for its store buffer, one for each action that is owed
    strong fairness; an unfair action is in none.
    """
    if name in model.unfair:
        return -1
    strong = name in model.strong
    label = f"T{thread} {name}" if strong or name == "flush" else f"T{thread}"
    return groups.setdefault((label, strong), len(groups))
