"""Counters: what one showed must be the sum of the additions that were committed by then.

Additions do not read, so they form no dependencies between attempts. But the store numbers its
commits: the value at a snapshot is the sum over all versions up to it, and what a transaction has
read must also be the sum just before its own version. An addition that is lost, counted twice, or
added to an older value is missing, or too many, in every later sum.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate

from tests.history.findings import Findings
from tests.history.model import (
    ADD,
    COMMITTED,
    HEADER_WORDS,
    KIND_BITS,
    KIND_MASK,
    NOT_KNOWN,
    TOTAL,
    History,
)


class _Sums:
    """The value of one counter after each version."""

    def __init__(self, additions: list[tuple[int, int]]) -> None:
        additions.sort()
        self.versions = [version for version, _ in additions]
        self.sums = [0, *accumulate(n for _, n in additions)]

    def at(self, version: int) -> int:
        return self.sums[bisect_right(self.versions, version)]


def _uses(history: History, attempt: int) -> Iterator[tuple[int, int, int]]:
    """The operations of an attempt on counters: kind, key, value."""
    words = history.words
    at, stop = history.starts[attempt] + HEADER_WORDS, history.starts[attempt + 1]
    while at < stop:
        if words[at] & KIND_MASK >= ADD:
            yield words[at] & KIND_MASK, words[at + 1], words[at + 2]
        at += 2 + (words[at] >> KIND_BITS)


def check_counters(history: History, findings: Findings, *, snapshot_isolation: bool) -> None:
    """Adds what is wrong to the findings.

    Looks at no counter that an attempt added to whose version is not known. What was read need not
    hold until the commit under snapshot isolation.
    """
    additions: dict[int, list[tuple[int, int]]] = {}
    doubtful: set[int] = set()
    readers = []
    for attempt in range(len(history)):
        version = history.version[attempt]
        reads = False
        for kind, key, n in _uses(history, attempt):
            reads |= kind == TOTAL
            if kind != ADD or history.status[attempt] != COMMITTED:
                continue
            if version == NOT_KNOWN:
                doubtful.add(key)
            additions.setdefault(key, []).append((version, n))
        if reads:
            readers.append(attempt)
    sums = {key: _Sums(found) for key, found in additions.items()}
    nothing = _Sums([])
    for attempt in readers:
        own: dict[int, int] = {}
        for kind, key, value in _uses(history, attempt):
            if kind == ADD:
                own[key] = own.get(key, 0) + value
            elif key not in doubtful:
                _check_total(
                    history,
                    findings,
                    attempt,
                    (key, value - own.get(key, 0)),
                    sums.get(key, nothing),
                    committed=not snapshot_isolation,
                )


def _check_total(
    history: History,
    findings: Findings,
    attempt: int,
    seen: tuple[int, int],
    sums: _Sums,
    *,
    committed: bool,
) -> None:
    """Compares a value, without the attempt's own additions, with the sums that it may be."""
    key, value = seen
    snapshot, version = history.snapshot[attempt], history.version[attempt]
    moments = [snapshot] if snapshot != NOT_KNOWN else []
    if committed and version != NOT_KNOWN:
        moments.append(version - 1)
    for moment in moments:
        if sums.at(moment) != value:
            what = f"read {history.key_name(key)} as {value}, and not {sums.at(moment)}"
            story = f"  {history.introduce(attempt)} {what}, the sum up to version {moment}"
            findings.add("counter", (attempt,), story)
            return
