"""The keeper: a process that follows the log of a region and puts it on disk.

It is given a region (a memory file) and a path, talks to the others through the region alone, and
leaves when the store was closed or the last process that works on it has gone: drained first.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from itertools import batched

from stmpy import _native
from stmpy.durable import files
from stmpy.durable.backend import Backend, BackendFailed, BackendFull
from stmpy.durable.format import Damaged
from stmpy.durable.journal import BACKLOG_BYTES, Journal
from stmpy.durable.state import State

_GROUP_BYTES = 1 << 20
_IDLE = 0.2  # without commits, until some of the log is applied
_BETWEEN = 0.02  # two slices of that
_GATHER = 1 / 8  # of the time that the last group took
_GATHER_MOST = 0.001
_LOAD_ROWS = 1000
_RETRY_FULL = 0.2


class Owners:
    """Who has the store: the program, and all that were forked from it and have not ended.

    They share a pipe that nobody writes to; it is at its end when the last of them has. One that
    closed its descriptors, as daemons do, counts for as long as it has a thread at the store.
    Others are told in the file `owner`, which `lock` has open, whom to ask for the store.
    """

    def __init__(self, region: _native.Keeper, lifeline: int, lock: int | None = None) -> None:
        self._region = region
        self._lifeline = lifeline
        self._poll = select.poll()
        self._poll.register(lifeline, 0)
        self._lock = lock
        self._looked = 0.0

    def gone(self) -> bool:
        """True if nobody is left who could commit."""
        if self._region.closed:
            return True
        return bool(self._poll.poll(0)) and not self._region.owner

    def look(self) -> None:
        """Now and then: where the one that others are told has ended, tell them one that lives."""
        now = time.monotonic()
        if self._lock is None or now - self._looked < _IDLE:
            return
        self._looked = now
        if not files.alive(files.read_owner(self._lock)):
            heir = self._region.owner or files.writer_of(self._lifeline)
            if heir:
                files.name_owner(self._lock, heir)

    def wait(self) -> None:
        """Until they have gone."""
        while not self.gone():
            self.look()
            time.sleep(_IDLE)


def load(region: _native.Keeper, journal: Journal) -> None:
    """Put everything the journal holds into an empty region."""
    refs = [0] * (max(journal.names, default=0) + 1)
    for number, (name, kind) in journal.names.items():
        refs[number] = region.variable(name, kind)
    of = journal.most_rows()
    loaded = total = 0
    for batch in batched(journal.stored(), _LOAD_ROWS, strict=False):
        region.progress(loaded, of)
        added = region.load_stored(refs, list(batch))
        if added is None:
            for key, value in batch:
                journal.check_row(key, value)  # raises for the one that is damaged
            raise Damaged("data: a row changed while it was read")
        loaded += len(batch)
        total += added
    journal.check_sum(loaded, total)
    for changes in batched(journal.changes(), _LOAD_ROWS, strict=False):
        region.progress(loaded, of)
        loaded += len(changes)
        region.load([(refs[row.number], row.key, row.value, row.flags) for row in changes])
    region.progress(of, of)


class Keeper:
    """One region and its journal."""

    def __init__(self, region: _native.Keeper, journal: Journal, owners: Owners) -> None:
        self._region = region
        self._journal = journal
        self._owners = owners
        self._full = False
        self._pause = _IDLE

    def run(self) -> None:
        """Write what is logged until nobody is left who could log."""
        while True:
            try:
                if self._step():
                    return
            except BackendFull as error:
                self._full = True
                self._region.tell(State.FULL, str(error))
                time.sleep(_RETRY_FULL)
                if self._owners.gone():
                    return

    def _step(self) -> bool:
        """One group, or one slice, or a wait; True at the end."""
        self._owners.look()
        taken = self._region.take(_GROUP_BYTES)
        if taken is not None:
            self._write(*taken)
            self._pause = _IDLE
        while self._journal.backlog > BACKLOG_BYTES:
            self._journal.apply()
        if self._full:
            self._full = False
            self._region.tell(State.RUNNING, "")
        if taken is not None:
            return False
        if self._owners.gone() and self._region.take(_GROUP_BYTES) is None:
            return True
        if not self._region.wait(self._pause):
            self._pause = self._apply()
        return False

    def _apply(self) -> float:
        """One slice, and how long to wait for the next.

        Where there is no room for it, nobody needs to know: the log goes on while it has some.
        """
        try:
            return _BETWEEN if self._journal.apply() else _IDLE
        except BackendFull:
            return _IDLE

    def _write(self, records: bytes, first: int, last: int, commits: int) -> None:
        began = time.perf_counter()

        def publish() -> None:
            self._region.publish(int((time.perf_counter() - began) * 1e6))

        if last > self._journal.last:
            self._journal.append(first, records, publish)
        else:
            publish()  # a predecessor wrote it and died
        if commits > 1:
            # Those who have waited often come again at once. Taking only the first of them would
            # leave the others to the group after: two half groups in turn, each with its sync.
            time.sleep(min((time.perf_counter() - began) * _GATHER, _GATHER_MOST))


def serve(region: _native.Keeper, opened: Callable[[], Backend], owners: Owners) -> None:
    """Fill the region, or go on where a keeper has died, and keep it to the end.

    What goes wrong is told to the others, who may read on until they have had enough.
    """
    fresh = region.version == 0
    try:
        journal = Journal(opened())
        if fresh:
            load(region, journal)
        region.follow()
        if fresh:
            region.restore(journal.last)
        region.tell(State.RUNNING, "")
        Keeper(region, journal, owners).run()
        region.unfollow()
        journal.close()
        region.tell(State.CLOSED, "")
    except (BackendFull, BackendFailed, Damaged, MemoryError, OSError) as error:
        fail(region, error)
        if region.version != 0:
            owners.wait()


def fail(region: _native.Keeper, error: Exception) -> None:
    """Tell the others what went wrong; the name of the exception comes first."""
    kind = "DecodeError" if isinstance(error, Damaged) else type(error).__name__
    region.tell(State.FAILED, f"{kind}: {error}")
