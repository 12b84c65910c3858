"""A recorded run of transactions, kept in columns.

One *attempt* is one pass through the body of a block: a block that conflicts twice and then
commits is three attempts, two of them aborted. A history holds every attempt of every worker, each
with the time before it began and the time after it ended (monotonic nanoseconds), its outcome, the
snapshot it read and the version its commit got (where known), and its operations with the values
they saw.

Millions of attempts must fit, so a history is one flat array of 64-bit words and a few columns,
and not an object per attempt. A record is

    size status worker begin end snapshot version
    then for each operation:  (count << 3 | kind)  key  value * count

Each written value occurs once per key in the whole run. That is what lets the checker name the
writer of whatever was read (the idea of Elle: Kingsbury and Alvaro, "Elle: inferring isolation
anomalies from experimental observations", 2020).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

# Operations. A key is a register (READ, WRITE, DELETE), a list (LIST, APPEND) or a counter.
READ: Final = 0  # one value, or NIL where the key was absent
WRITE: Final = 1
DELETE: Final = 2  # carries a value too, so that this tombstone differs from every other
LIST: Final = 3  # all elements, in order; an absent list is an empty one
APPEND: Final = 4
KEYS: Final = 5  # the set of present keys of a table; the key of this operation is the table
ADD: Final = 6  # a number, to a counter; see tests.history.counters
TOTAL: Final = 7  # what a counter showed
KIND_BITS: Final = 3
KIND_MASK: Final = (1 << KIND_BITS) - 1

# Outcomes.
COMMITTED: Final = 0
ABORTED: Final = 1
UNKNOWN: Final = 2  # the worker was not told, so the attempt counts only if somebody saw its writes

NIL: Final = 0  # the value of an absent register, and the version of an absent or empty key
NOT_KNOWN: Final = -1  # snapshot or version that the worker could not tell
NEVER: Final = (1 << 63) - 1  # end of an attempt whose end is not known

HEADER_WORDS: Final = 7
TABLE_SHIFT: Final = 32  # a key is table << 32 | number within the table
VALUE_SHIFT: Final = 40  # a recorder mints values as worker << 40 | counter
SHOWN: Final = 8  # elements of a long list that stories show, from its end


class Op(NamedTuple):
    kind: int
    key: int
    values: tuple[int, ...]


def table_of(key: int) -> int:
    return key >> TABLE_SHIFT << TABLE_SHIFT


class History:
    """The attempts of one run; attempt numbers are positions in the columns.

    `words` is what recorders write, one record after the other. `workers` says in words who each
    worker was. `names` gives keys a name for the stories; keys without one are called by number.
    Raises `ValueError` where the words are not a sequence of whole records.
    """

    def __init__(
        self,
        words: array[int],
        workers: dict[int, str] | None = None,
        names: dict[int, str] | None = None,
        titles: list[str] | None = None,
    ) -> None:
        self.words = words
        self.workers = workers or {}
        self.names = names or {}
        self.titles = titles
        self.starts = array("q")
        self.status = array("b")
        self.worker = array("i")
        self.begin = array("q")
        self.end = array("q")
        self.snapshot = array("q")
        self.version = array("q")
        self._read_headers()

    def _read_headers(self) -> None:
        words, total, at = self.words, len(self.words), 0
        while at < total:
            size = words[at]
            if size < HEADER_WORDS or at + size > total:
                raise ValueError(f"word {at}: a record of {size} words, {total - at} are left")
            status, worker, begin, end, snapshot, version = words[at + 1 : at + HEADER_WORDS]
            if not COMMITTED <= status <= UNKNOWN or end < begin:
                raise ValueError(f"word {at}: outcome {status}, from {begin} to {end} ns")
            self.starts.append(at)
            self.status.append(status)
            self.worker.append(worker)
            self.begin.append(begin)
            self.end.append(end)
            self.snapshot.append(snapshot)
            self.version.append(version)
            at += size
        self.starts.append(total)

    def __len__(self) -> int:
        return len(self.status)

    def operations(self, attempt: int) -> Iterator[Op]:
        """The operations of one attempt as objects: for stories, too slow for whole histories."""
        words = self.words
        at, stop = self.starts[attempt] + HEADER_WORDS, self.starts[attempt + 1]
        while at < stop:
            count = words[at] >> KIND_BITS
            yield Op(words[at] & KIND_MASK, words[at + 1], tuple(words[at + 2 : at + 2 + count]))
            at += 2 + count

    def settle_unknown(self) -> None:
        """Decide each attempt of unknown outcome: it committed if another attempt saw its writes.

        One that nobody saw may have committed too, but then nothing in the history depends on it.
        """
        doubtful: dict[tuple[int, int], int] = {}
        for attempt, status in enumerate(self.status):
            if status == UNKNOWN:
                for op in self.operations(attempt):
                    if op.kind in (WRITE, APPEND):
                        doubtful[op.key, op.values[0]] = attempt
        seen = set()
        for attempt in range(len(self)) if doubtful else ():
            for op in self.operations(attempt):
                if op.kind in (READ, LIST):
                    writers = {doubtful.get((op.key, value), attempt) for value in op.values}
                    seen |= writers - {attempt}
        for attempt in set(doubtful.values()):
            self.status[attempt] = COMMITTED if attempt in seen else ABORTED
            # Its commit may have come at any time after it began, so nothing surely came after it.
            self.end[attempt] = NEVER

    def title(self, attempt: int) -> str:
        return self.titles[attempt] if self.titles else f"T{attempt}"

    def who(self, attempt: int) -> str:
        worker = self.worker[attempt]
        return self.workers.get(worker, f"worker {worker}")

    def introduce(self, attempt: int) -> str:
        aborted = ", aborted" if self.status[attempt] == ABORTED else ""
        return f"{self.title(attempt)} ({self.who(attempt)}{aborted})"

    def key_name(self, key: int) -> str:
        table, number = key >> TABLE_SHIFT, key & ((1 << TABLE_SHIFT) - 1)
        return self.names.get(key, f"t{table}/{number}" if table else f"k{number}")


def value_name(value: int) -> str:
    """A value as stories show it: minted ones as worker.counter, NIL as `nothing`."""
    if value == NIL:
        return "nothing"
    worker, counter = divmod(value, 1 << VALUE_SHIFT)
    return f"{worker}.{counter}" if worker else str(counter)


def list_name(elements: Sequence[int]) -> str:
    hidden = len(elements) - SHOWN
    names = [value_name(element) for element in elements[-SHOWN:]]
    return f"[{' '.join([f'... {hidden} more ...', *names] if hidden > 0 else names)}]"
