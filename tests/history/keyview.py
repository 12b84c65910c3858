"""What the attempts of a history say about one key, gathered in one walk over its operations.

The walk settles what needs no other key: whether each attempt saw its own writes, whether all
reads of a list agree on one order. What remains of an attempt is the version it saw before it
wrote (its *external* read) and the versions it wrote. A version is called by the value written:
for a list that is its last element, and NIL for the state before anybody wrote.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import Final

from tests.history.findings import Findings
from tests.history.model import (
    ABORTED,
    ADD,
    APPEND,
    DELETE,
    HEADER_WORDS,
    KEYS,
    KIND_BITS,
    KIND_MASK,
    LIST,
    NIL,
    READ,
    History,
    list_name,
    table_of,
    value_name,
)

REF_SHIFT: Final = 32  # a reference to an operation is attempt << 32 | position of its first word
REF_MASK: Final = (1 << REF_SHIFT) - 1


@dataclass
class KeyView:
    key: int
    reads: list[tuple[int, int]] = field(default_factory=list)  # attempt, version
    presences: list[tuple[int, bool]] = field(default_factory=list)  # attempt, key was in the set
    writer: dict[int, int] = field(default_factory=dict)  # value -> attempt, aborted ones too
    final: dict[int, int] = field(default_factory=dict)  # attempt -> the last value it wrote
    tombstones: set[int] = field(default_factory=set)
    elements: array[int] = field(default_factory=lambda: array("q"))  # longest list seen
    seen_by: int = -1  # the attempt that saw it


def references_by_key(history: History) -> dict[int, array[int]]:
    """The operations on each key, in the order of the history.

    Reading the key set of a table is an operation on every key that the table ever has: it says of
    each whether it was present.
    """
    words, starts = history.words, history.starts
    groups: dict[int, array[int]] = {}
    key_sets: dict[int, array[int]] = {}
    for attempt in range(len(history)):
        at, stop = starts[attempt] + HEADER_WORDS, starts[attempt + 1]
        reference = attempt << REF_SHIFT
        while at < stop:
            head, key = words[at], words[at + 1]
            where = groups if head & KIND_MASK != KEYS else key_sets
            if head & KIND_MASK >= ADD:
                pass  # counters have no versions to tell apart: tests.history.counters
            elif key in where:
                where[key].append(reference | at)
            else:
                where[key] = array("q", (reference | at,))
            at += 2 + (head >> KIND_BITS)
    if key_sets:
        for key in groups:
            if (table := table_of(key)) in key_sets:
                groups[key] = array("q", sorted([*groups[key], *key_sets[table]]))
    return groups


def view_key(history: History, key: int, refs: array[int], findings: Findings) -> KeyView:
    """Raises `ValueError` where one key is used both as a register and as a list."""
    words = history.words
    kinds = {words[ref & REF_MASK] & KIND_MASK for ref in refs} - {KEYS}
    if kinds <= {LIST, APPEND}:
        return _view_list(history, key, refs, findings)
    if kinds & {LIST, APPEND}:
        raise ValueError(f"{history.key_name(key)} is used both as a register and as a list")
    return _view_register(history, key, refs, findings)


def _view_register(history: History, key: int, refs: array[int], findings: Findings) -> KeyView:
    view, words = KeyView(key), history.words
    previous, known, state = -1, False, NIL
    for ref in refs:
        attempt, at = ref >> REF_SHIFT, ref & REF_MASK
        if attempt != previous:
            previous, known = attempt, False
        head = words[at]
        kind = head & KIND_MASK
        if kind == READ:
            value = words[at + 2]
            if not known:
                view.reads.append((attempt, value))
                known, state = True, value
            elif value != state:
                _internal(history, view, attempt, value_name(value), value_name(state), findings)
        elif kind == KEYS:
            present = key in words[at + 2 : at + 2 + (head >> KIND_BITS)]
            if not known:
                view.presences.append((attempt, present))
            elif present != (state != NIL):
                _internal(history, view, attempt, _present(present), value_name(state), findings)
        else:
            value = words[at + 2]
            _add_write(history, view, attempt, value, findings)
            known, state = True, value
            if kind == DELETE:
                view.tombstones.add(value)
                state = NIL
    return view


def _view_list(history: History, key: int, refs: array[int], findings: Findings) -> KeyView:
    view, words = KeyView(key), history.words
    previous = -1
    base: array[int] | None = None
    own = array("q")
    for ref in refs:
        attempt, at = ref >> REF_SHIFT, ref & REF_MASK
        if attempt != previous:
            previous, base, own = attempt, None, array("q")
        head = words[at]
        kind, values = head & KIND_MASK, words[at + 2 : at + 2 + (head >> KIND_BITS)]
        if kind == APPEND:
            _add_write(history, view, attempt, values[0], findings)
            own.append(values[0])
        elif kind == LIST:
            if base is None:
                base = values[: max(0, len(values) - len(own))]
                view.reads.append((attempt, base[-1] if base else NIL))
            if values != base + own:
                saw, expected = list_name(values), list_name(base + own)
                _internal(history, view, attempt, saw, expected, findings)
                continue
            # What an attempt that aborted had appended was never part of the list.
            aborted = history.status[attempt] == ABORTED
            _extend_order(history, view, attempt, base if aborted else values, findings)
        else:
            present = key in values
            if base is None and not own:
                view.presences.append((attempt, present))
            elif present != bool(own or base):
                saw, expected = _present(present), list_name((base or array("q")) + own)
                _internal(history, view, attempt, saw, expected, findings)
    return view


def _add_write(
    history: History, view: KeyView, attempt: int, value: int, findings: Findings
) -> None:
    other = view.writer.setdefault(value, attempt)
    if other != attempt or value == view.final.get(attempt):
        what = f"both {history.title(other)} and {history.title(attempt)} wrote {value_name(value)}"
        findings.add("duplicate", (other, attempt), f"  {what} to {history.key_name(view.key)}")
    view.final[attempt] = value


def _extend_order(
    history: History, view: KeyView, attempt: int, seen: array[int], findings: Findings
) -> None:
    """Every list that was seen must be a beginning of every longer one that was seen."""
    longest = view.elements
    if len(seen) > len(longest):
        shorter, longer = longest, seen
        view.elements = seen
        other, view.seen_by = view.seen_by, attempt
    else:
        shorter, longer = seen, longest
        other = view.seen_by
    if longer[: len(shorter)] != shorter:
        name = history.key_name(view.key)
        story = (
            f"  {history.introduce(attempt)} read {name} = {list_name(seen)},\n"
            f"  {history.introduce(other)} read {name} = {list_name(longest)}"
        )
        findings.add("incompatible order", (attempt, other), story)


def _internal(
    history: History, view: KeyView, attempt: int, saw: str, expected: str, findings: Findings
) -> None:
    name = history.key_name(view.key)
    story = f"  {history.introduce(attempt)} saw {name} = {saw} where it must see {expected}"
    findings.add("internal", (attempt,), story)


def _present(present: bool) -> str:
    return "present" if present else "absent"
