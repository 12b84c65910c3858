"""The order of one key's versions, the reads checked against it, and the dependencies it implies.

Adya's three dependencies between transactions, per key:

    ww  wrote the version that the other replaced
    wr  wrote the version that the other read
    rw  read the version that the other replaced (anti-dependency)

A list shows its order to whoever reads it. A register does not: its order comes from the commit
versions where the store told them, and otherwise from attempts that read one version and wrote the
next, which orders versions only in part. Either way `Order.after` says which versions surely come
after a version with no other surely between: every dependency drawn from it is real.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise

from tests.history.findings import Findings
from tests.history.graph import PRW, RW, WR, WW, Edges
from tests.history.keyview import KeyView
from tests.history.model import ABORTED, COMMITTED, NIL, NOT_KNOWN, History, value_name


@dataclass
class Order:
    after: dict[int, list[int]]
    chain: list[int]  # all versions in order, from NIL; empty where the order is only partial
    stamps: list[int]  # the commit version of each in `chain` (0 for NIL); empty if not known


def check_key(
    history: History, view: KeyView, edges: Edges, findings: Findings, *, snapshot_isolation: bool
) -> None:
    """Reports the anomalies that one key shows by itself and adds its dependencies to `edges`."""
    _check_elements(history, view, findings)
    order = _order(history, view)
    reads = []
    for attempt, version in view.reads:
        if version != NIL and not _check_read(history, view, attempt, version, findings):
            continue
        at_snapshot = _at_snapshot(order, history.snapshot[attempt])
        if at_snapshot is not None:
            seen = NIL if at_snapshot in view.tombstones else at_snapshot
            if seen != version:
                _wrong_snapshot(history, view, attempt, version, seen, findings)
        if version == NIL and view.tombstones:
            at_commit = None if snapshot_isolation else history.version[attempt] - 1
            absence = _absence(view, order, history.snapshot[attempt], at_commit)
            if absence is None:
                continue
            version = absence
        reads.append((attempt, version))
    _check_updates(history, view, reads, findings)
    _add_edges(view, order, reads, edges)
    if view.presences:
        _check_presences(history, view, order, findings)
        _add_presence_edges(history, view, order, edges)


def _absence(view: KeyView, order: Order, snapshot: int, at_commit: int | None) -> int | None:
    """Which absence was read, where a key was deleted at times; None if nobody can tell.

    A key that was inserted and deleted again since the snapshot is as absent as it was. One that
    validates its reads may take that for the same, for it then comes after both.
    """
    for moment in (at_commit, snapshot):
        version = None if moment is None or moment < 0 else _at_snapshot(order, moment)
        if version == NIL or version in view.tombstones:
            return version
    return None


def _order(history: History, view: KeyView) -> Order:
    finals = {a: v for a, v in view.final.items() if history.status[a] == COMMITTED}
    stamped = sorted((history.version[a], v) for a, v in finals.items())
    known = not stamped or stamped[0][0] != NOT_KNOWN
    if view.elements:
        return _list_order(view, finals, stamped if known else [])
    if known:
        chain = [NIL, *(version for _, version in stamped)]
        after = {one: [other] for one, other in pairwise(chain)}
        return Order(after, chain, [0, *(stamp for stamp, _ in stamped)])
    return Order(_partial_order(view, finals), [], [])


def _list_order(view: KeyView, finals: dict[int, int], stamped: list[tuple[int, int]]) -> Order:
    """The longest list that was seen, then what was appended but never seen."""
    chain = [NIL, *dict.fromkeys(v for v in view.elements if view.writer.get(v) in finals)]
    seen = set(chain)
    after = {one: [other] for one, other in pairwise(chain)}
    unseen = [version for version in finals.values() if version not in seen]
    if unseen:
        after[chain[-1]] = unseen
    stamps = [0, *(stamp for stamp, _ in stamped)] if stamped else []
    return Order(after, [NIL, *(version for _, version in stamped)] if stamped else [], stamps)


def _partial_order(view: KeyView, finals: dict[int, int]) -> dict[int, list[int]]:
    """Who read a version and then wrote: that write comes after it. All come after NIL."""
    read_before = {
        a: v for a, v in view.reads if a in finals and not (v == NIL and view.tombstones)
    }
    after: dict[int, list[int]] = {}
    for attempt, version in finals.items():
        after.setdefault(read_before.get(attempt, NIL), []).append(version)
    return after


def _check_elements(history: History, view: KeyView, findings: Findings) -> None:
    """Elements that must not be in a list, whoever saw it first."""
    name, seen = history.key_name(view.key), set()
    for element in view.elements:
        writer = view.writer.get(element)
        what = f"  {history.introduce(view.seen_by)} read {name} with "
        if element in seen:
            findings.add("duplicate", (view.seen_by,), f"{what}{value_name(element)} in it twice")
        elif writer is None:
            story = f"{what}{value_name(element)}, which nobody appended"
            findings.add("unwritten", (view.seen_by,), story)
        elif history.status[writer] == ABORTED:
            story = f"{what}{value_name(element)}, but {history.title(writer)}, its writer, aborted"
            findings.add("G1a", (view.seen_by, writer), story)
        seen.add(element)


def _check_read(
    history: History, view: KeyView, attempt: int, version: int, findings: Findings
) -> bool:
    """Whether the version was there to be read; what is wrong with it is reported."""
    writer = view.writer.get(version)
    name, value = history.key_name(view.key), value_name(version)
    what = f"  {history.introduce(attempt)} read {name} = {value}, "
    if writer is None or history.status[writer] == ABORTED:
        # A list has been reported already, element by element.
        if not view.elements:
            kind = "unwritten" if writer is None else "G1a"
            why = "which nobody wrote" if writer is None else f"but {history.title(writer)} aborted"
            findings.add(kind, (attempt,) if writer is None else (attempt, writer), what + why)
        return False
    if view.final[writer] != version and writer != attempt:
        last = value_name(view.final[writer])
        story = f"{what}but {history.title(writer)} went on to write {last} before it committed"
        findings.add("G1b", (attempt, writer), story)
        return False
    return True


def _position(order: Order, snapshot: int) -> int | None:
    """Where in the chain the latest version at this snapshot is, if the store told."""
    if not order.stamps or snapshot == NOT_KNOWN:
        return None
    return bisect_right(order.stamps, snapshot) - 1


def _at_snapshot(order: Order, snapshot: int) -> int | None:
    at = _position(order, snapshot)
    return None if at is None else order.chain[at]


def _wrong_snapshot(
    history: History, view: KeyView, attempt: int, version: int, expected: int, findings: Findings
) -> None:
    story = (
        f"  {history.introduce(attempt)} read {history.key_name(view.key)} = {value_name(version)}"
        f" at snapshot {history.snapshot[attempt]},"
        f" where the latest commit had left {value_name(expected)}"
    )
    findings.add("snapshot", (attempt,), story)


def _check_updates(
    history: History, view: KeyView, reads: list[tuple[int, int]], findings: Findings
) -> None:
    """Each version may be read and replaced by one committed attempt only."""
    replaced: dict[int, int] = {}
    name = history.key_name(view.key)
    for attempt, version in reads:
        if attempt in view.final and history.status[attempt] == COMMITTED:
            other = replaced.setdefault(version, attempt)
            if other != attempt:
                both = "  " + " and ".join(
                    f"{history.introduce(a)}, which wrote {value_name(view.final[a])},"
                    for a in (other, attempt)
                )
                story = f"{both} had both read {name} at {value_name(version)} and both committed"
                findings.add("lost update", (other, attempt), story)


def _add_edges(view: KeyView, order: Order, reads: list[tuple[int, int]], edges: Edges) -> None:
    after, writer, key, add = order.after, view.writer, view.key, edges.add
    for version, followers in after.items():
        before = writer.get(version, -1)
        for follower in followers:
            attempt = writer[follower]
            if before >= 0 and before != attempt:
                add(before, attempt, WW, key)
    for attempt, version in reads:
        source = writer.get(version, attempt)
        if source != attempt:
            add(source, attempt, WR, key)
        for follower in after.get(version, ()):
            target = writer[follower]
            if target != attempt:
                add(attempt, target, RW, key)


def _check_presences(history: History, view: KeyView, order: Order, findings: Findings) -> None:
    for attempt, present in view.presences:
        version = _at_snapshot(order, history.snapshot[attempt])
        if version is not None and present == (version == NIL or version in view.tombstones):
            story = (
                f"  {history.introduce(attempt)} read the keys at snapshot"
                f" {history.snapshot[attempt]} {'with' if present else 'without'}"
                f" {history.key_name(view.key)}, but the latest commit had it the other way"
            )
            findings.add("snapshot", (attempt,), story)


def _add_presence_edges(history: History, view: KeyView, order: Order, edges: Edges) -> None:
    """A key set depends on inserts and deletes alone, not on which value a key has."""
    writer, key = view.writer, view.key
    firsts = order.after.get(NIL, [])
    changes, ended_by = _changes_of_presence(view, order)
    for attempt, present in view.presences:
        source, targets = NIL, firsts
        if view.tombstones:
            at = _position(order, history.snapshot[attempt])
            if at is None:
                continue
            change = ended_by[at]
            source, targets = changes[change - 1], changes[change : change + 1]
        elif present:
            source, targets = (firsts[0] if len(firsts) == 1 else NIL), []
        if source != NIL and writer[source] != attempt:
            edges.add(writer[source], attempt, WR, key)
        for target in targets:
            if writer[target] != attempt:
                edges.add(attempt, writer[target], PRW, key)


def _changes_of_presence(view: KeyView, order: Order) -> tuple[list[int], list[int]]:
    """The versions that insert or delete, and for each version which of them comes next."""
    changes: list[int] = []
    ended_by: list[int] = []
    state: bool | None = None
    for version in order.chain:
        absent = version == NIL or version in view.tombstones
        if absent != state:
            changes.append(version)
            state = absent
        ended_by.append(len(changes))
    return changes, ended_by
