"""A cycle told so that a person can follow it."""

from __future__ import annotations

from tests.history.cycles import Cycle, Edge
from tests.history.graph import PRW, RT, WR, WW
from tests.history.model import (
    ABORTED,
    APPEND,
    DELETE,
    KEYS,
    LIST,
    NOT_KNOWN,
    READ,
    WRITE,
    History,
    Op,
    list_name,
    table_of,
    value_name,
)


def tell_cycle(history: History, cycle: Cycle) -> str:
    keys = {edge.key for edge in cycle.edges}
    keys |= {table_of(edge.key) for edge in cycle.edges if edge.key >= 0}
    lines = [f"  {_header(history, edge.source, keys)}" for edge in cycle.edges]
    for edge in cycle.edges:
        source, target = history.title(edge.source), history.title(edge.target)
        lines.append(f"    {source} comes before {target}: {_reason(history, edge)}")
    lines.append(f"    So {history.title(cycle.edges[0].source)} would have to come before itself.")
    return "\n".join(lines)


def _header(history: History, attempt: int, keys: set[int]) -> str:
    """Who the attempt was and what it did to the keys that matter here."""
    parts = [history.who(attempt)]
    if history.status[attempt] == ABORTED:
        parts.append("aborted")
    if (snapshot := history.snapshot[attempt]) != NOT_KNOWN:
        parts.append(f"snapshot {snapshot}")
    if (version := history.version[attempt]) != NOT_KNOWN:
        parts.append(f"committed as {version}")
    did = "; ".join(_describe(history, op) for op in history.operations(attempt) if op.key in keys)
    return f"{history.title(attempt)} ({', '.join(parts)}): {did}"


def _reason(history: History, edge: Edge) -> str:
    source, target = history.title(edge.source), history.title(edge.target)
    if edge.kind == RT:
        gap = history.begin[edge.target] - history.end[edge.source]
        return f"{source} had ended {gap:,} ns before {target} began"
    if edge.kind == PRW:
        change = _writes(history, edge.target, edge.key)
        return f"{source} read the keys of the table before {target} {change}"
    if edge.kind == WW:
        first, then = (_writes(history, a, edge.key) for a in (edge.source, edge.target))
        return f"{source} {first}, after that {target} {then}"
    read = _read(history, edge.target if edge.kind == WR else edge.source, edge.key)
    if edge.kind == WR:
        return f"{target} {read}, after {source} {_writes(history, edge.source, edge.key)}"
    unseen = _writes(history, edge.target, edge.key)
    return f"{source} {read}, and did not see that {target} {unseen}"


def _writes(history: History, attempt: int, key: int) -> str:
    kinds = (WRITE, DELETE, APPEND)
    ops = [op for op in history.operations(attempt) if op.key == key and op.kind in kinds]
    return " and ".join(_describe(history, op) for op in ops)


def _read(history: History, attempt: int, key: int) -> str:
    for op in history.operations(attempt):
        if op.key == key and op.kind in (READ, LIST):
            return _describe(history, op)
    return f"read the keys of the table with {history.key_name(key)} among them"


def _describe(history: History, op: Op) -> str:
    name = history.key_name(op.key)
    if op.kind == KEYS:
        names = " ".join(map(history.key_name, op.values))
        return f"read the keys of {history.key_name(op.key)} as {{{names}}}"
    if op.kind == LIST:
        return f"read {name} = {list_name(op.values)}"
    value = value_name(op.values[0])
    if op.kind == READ:
        return f"read {name} = {value}"
    if op.kind == DELETE:
        return f"deleted {name}"
    return f"wrote {name} = {value}" if op.kind == WRITE else f"appended {value} to {name}"
