"""Liveness under fairness: is there a run that is fair and never reaches the goal?

Keep the states that can be reached from one where `when` holds without passing through `goal`, and
look for a strongly connected component in which a fair run can stay (Lichtenstein and Pnueli,
1985), or a state where nothing need happen any more.  A run is fair when no thread that can always
move stands still for ever (weak fairness), and when an action named in `Model.strong` that becomes
possible again and again is taken again and again (strong fairness).  Actions named in
`Model.unfair` are owed nothing.
"""

import time
from dataclasses import replace
from functools import partial

from .graph import Graph, Unsafe, build
from .model import Eventually, Model
from .search import Outcome, collector_paused
from .trace import Trace, replay


def check(model: Model) -> Outcome:
    """Check every `Eventually` of the model over all fair runs, and whatever `explore` checks."""
    begun = time.process_time()
    with collector_paused():
        try:
            graph = build(model)
        except Unsafe as unsafe:
            path, prop = unsafe.path, unsafe.prop
            run = replay(model, path, prop, canonical=_same, in_action=unsafe.in_action)
            return Outcome(unsafe.seen, 0, len(run), time.process_time() - begun, run)
        faults = (_refute(model, graph, wanted) for wanted in model.eventually())
        fault = next((found for found in faults if found is not None), None)
    depth = len(graph.path_to(len(graph.states) - 1)) - 1
    seconds = time.process_time() - begun
    return Outcome(len(graph.states), graph.transitions, depth, seconds, fault)


def _same(state: bytes) -> bytes:
    """No symmetry reduction: each state stands for itself."""
    return state


def _refute(model: Model, graph: Graph, wanted: Eventually) -> Trace | None:
    states = graph.states
    missing = {i for i, state in enumerate(states) if not wanted.goal(state)}
    waiting = [i for i in missing if wanted.when(states[i])]
    inside = graph.closure(waiting, lambda i: i not in missing)
    # States are numbered breadth-first, so the smallest number is nearest to the beginning.
    stuck = [i for i in inside if all(group < 0 for _, group in graph.successors[i])]
    if stuck:
        return _trace(model, graph, wanted, (waiting, missing), [min(stuck)])
    fair = [part for c in graph.components(inside) for part in _fair_parts(graph, c)]
    if not fair:
        return None
    return _trace(model, graph, wanted, (waiting, missing), _tour(graph, min(fair, key=min)))


def _claims(graph: Graph, component: set[int]) -> tuple[dict[int, int], int]:
    """Which groups can move in each state, and which do move inside, as sets of bits."""
    can: dict[int, int] = {}
    moves = 0
    for i in component:
        can[i] = 0
        for j, group in graph.successors[i]:
            if group >= 0:
                can[i] |= 1 << group
                if j in component:
                    moves |= 1 << group
    return can, moves


def _fair_parts(graph: Graph, component: set[int]) -> list[set[int]]:
    """The parts of a component in which a fair run can stay for ever."""
    can, moves = _claims(graph, component)
    for number, (_, strong) in enumerate(graph.groups):
        bit = 1 << number
        if moves & bit:
            continue
        if strong and any(bits & bit for bits in can.values()):
            rest = {i for i, bits in can.items() if not bits & bit}
            return [p for c in graph.components(rest) for p in _fair_parts(graph, c)]
        if all(bits & bit for bits in can.values()):
            return []
    return [component]


def _tour(graph: Graph, component: set[int]) -> list[int]:
    """A cycle that takes a step of each group, or passes a state where the group cannot move."""
    can, moves = _claims(graph, component)
    tour = [min(component)]
    for number in range(len(graph.groups)):
        bit = 1 << number
        if moves & bit:
            tour += graph.walk(tour[-1:], component, partial(_takes, number))[1:]
        elif can[tour[-1]] & bit:
            tour += graph.walk(tour[-1:], component, partial(_rests, can, bit))[1:]
    return tour + graph.walk(tour[-1:], component, lambda j, g: j == tour[0])[1:]


def _takes(number: int, state: int, group: int) -> bool:
    return group == number


def _rests(can: dict[int, int], bit: int, state: int, group: int) -> bool:
    return not can[state] & bit


def _trace(
    model: Model,
    graph: Graph,
    wanted: Eventually,
    region: tuple[list[int], set[int]],
    tour: list[int],
) -> Trace:
    """The run: to a state where `when` holds, on to the tour without the goal, the tour."""
    waiting, missing = region
    first = tour[0]
    entry = [first]
    if first not in waiting:
        entry = graph.walk(waiting, missing, lambda j, g: j == first)
    path = graph.path_to(entry[0]) + entry[1:]
    run = [graph.states[i] for i in path + tour[1:]]
    trace = replay(model, run, wanted.name, canonical=_same)
    return replace(trace, loop=len(path) - 1)
