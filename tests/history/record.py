"""Record what one worker sees, and load the records of all workers as one history.

Each worker, in whatever thread, interpreter or process, appends to a file of its own, so recording
takes no lock and orders nothing that the store did not order. The file is one line of JSON that
says who wrote it, then the raw words of `tests.history.model`. A `Recorder` is used like this:

    log.invoke()
    with stm.atomically() as tx:
        log.attempt(tx)
        log.read(key, value)
    log.commit(tx.version)
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable
from pathlib import Path
from time import monotonic_ns
from typing import Final, Protocol, Self

from tests.history.model import (
    ABORTED,
    ADD,
    APPEND,
    COMMITTED,
    DELETE,
    HEADER_WORDS,
    KEYS,
    KIND_BITS,
    LIST,
    NIL,
    NOT_KNOWN,
    READ,
    TOTAL,
    UNKNOWN,
    VALUE_SHIFT,
    WRITE,
    History,
)

FORMAT: Final = 1
SUFFIX: Final = ".history"
_FLUSH_WORDS: Final = 1 << 16
_ONE: Final = 1 << KIND_BITS


class Attempt(Protocol):
    """What the store tells of an attempt that runs."""

    @property
    def snapshot(self) -> int: ...


class Recorder:
    """The log of one worker. `worker` is a positive number that no other worker of the run has."""

    def __init__(self, directory: Path, worker: int, description: str) -> None:
        self.worker = worker
        self._snapshot: int = NOT_KNOWN
        self._running: Attempt | None = None
        self._file = open(directory / f"{worker:05}{SUFFIX}", "wb")  # noqa: SIM115, closed by close
        head = {"format": FORMAT, "worker": worker, "description": description}
        self._file.write(json.dumps(head).encode() + b"\n")
        self._words = array("q")
        self._ops: list[int] = []
        self._begin = self._entered = 0
        self._open = False
        self._minted = worker << VALUE_SHIFT

    def mint(self) -> int:
        """A value that nobody else writes, in this attempt or any other."""
        self._minted += 1
        return self._minted

    def invoke(self) -> None:
        """A block is about to begin."""
        self._begin = monotonic_ns()

    def attempt(self, running: Attempt | None = None) -> None:
        """The body begins, for the first time or again; if again, the attempt before it aborted.

        The snapshot is asked of `running` with each read: a read may move it, and what the same
        step of the body does next may end the attempt.
        """
        now = monotonic_ns()
        if self._open:
            self._close(ABORTED, NOT_KNOWN, now)
            # By now this attempt has its snapshot, so `now` is too late for its begin. It began
            # after the one before it, and so after the body of that one did.
            self._begin = self._entered
        self._entered = now
        self._open = True
        self._running = running

    def _look(self) -> None:
        if self._running is not None:
            self._snapshot = self._running.snapshot

    def read(self, key: int, value: int | None) -> None:
        self._look()
        self._ops += (_ONE | READ, key, NIL if value is None else value)

    def write(self, key: int, value: int) -> None:
        self._ops += (_ONE | WRITE, key, value)

    def delete(self, key: int, value: int) -> None:
        self._ops += (_ONE | DELETE, key, value)

    def read_list(self, key: int, elements: tuple[int, ...]) -> None:
        self._look()
        self._ops += (len(elements) << KIND_BITS | LIST, key, *elements)

    def append(self, key: int, value: int) -> None:
        self._ops += (_ONE | APPEND, key, value)

    def add(self, key: int, n: int) -> None:
        self._ops += (_ONE | ADD, key, n)

    def total(self, key: int, value: int) -> None:
        self._look()
        self._ops += (_ONE | TOTAL, key, value)

    def keys(self, table: int, present: Iterable[int]) -> None:
        self._look()
        found = tuple(present)
        self._ops += (len(found) << KIND_BITS | KEYS, table, *found)

    def commit(self, version: int | None) -> None:
        """The block has returned; `version` is None for one that wrote nothing."""
        self._close(COMMITTED, NOT_KNOWN if version is None else version, monotonic_ns())

    def abort(self) -> None:
        self._close(ABORTED, NOT_KNOWN, monotonic_ns())

    def unknown(self) -> None:
        """The block raised an error that leaves open whether it committed."""
        self._close(UNKNOWN, NOT_KNOWN, monotonic_ns())

    def _close(self, status: int, version: int, now: int) -> None:
        size = HEADER_WORDS + len(self._ops)
        header = (size, status, self.worker, self._begin, now, self._snapshot, version)
        self._words.extend(header)
        self._words.extend(self._ops)
        self._ops.clear()
        self._snapshot, self._running = NOT_KNOWN, None
        self._open = False
        if len(self._words) >= _FLUSH_WORDS:
            self._flush()

    def _flush(self) -> None:
        self._words.tofile(self._file)
        del self._words[:]

    def close(self) -> None:
        self._flush()
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def load(directory: Path) -> History:
    """The history that the recorders of `directory` wrote.

    Raises `ValueError` naming the file where one is no record file, or ends within a record.
    """
    words: array[int] = array("q")
    workers: dict[int, str] = {}
    for path in sorted(directory.glob(f"*{SUFFIX}")):
        with open(path, "rb") as file:
            try:
                head = json.loads(file.readline())
                if head["format"] != FORMAT:
                    raise ValueError(f"format {head['format']}, this library reads {FORMAT}")
                workers[head["worker"]] = head["description"]
                body = file.read()
                words.frombytes(body)
                _check_records(words, len(words) - len(body) // words.itemsize)
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"{path.name} is no complete record file: {error}") from error
    return History(words, workers)


def _check_records(words: array[int], at: int) -> None:
    """Walk from record to record, so that a cut file is told from the one that follows it."""
    while at < len(words):
        if words[at] < HEADER_WORDS:
            raise ValueError(f"a record of {words[at]} words")
        at += words[at]
    if at != len(words):
        raise ValueError(f"its last record lacks {at - len(words)} words")
