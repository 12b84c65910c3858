"""The records: what was counted, frozen at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

REASONS: Final = ("read", "early", "write", "structure", "gone", "injected")
"""Why blocks had to run again.

What was read was changed: found at the commit (`read`) or before it (`early`); what was written was
changed, under snapshot isolation (`write`); a key has come or gone (`structure`, `gone`); a test
asked for it (`injected`).
"""

STATES: Final = (
    "idle",
    "in block",
    "committing",
    "waiting for lock",
    "waiting for disk",
    "parked",
)
"""What a thread may be doing.

`parked` is within `retry()`, until something it has read changes; `waiting for disk` is after the
commit, until what it wrote and what it read is durable.
"""

UNKNOWN: Final = "(unknown)"
"""Stands for a block whose name was not recorded."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often a quantity fell into [1, 2), [2, 4), [4, 8) and so on; `counts[0]` counts 0.

    The last bucket has no upper end.
    """

    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        """How many values were counted."""
        return sum(self.counts)

    def rows(self) -> list[tuple[int, int]]:
        """Pairs of the least value of a bucket and its count, without empty ones."""
        return [(1 << i >> 1, count) for i, count in enumerate(self.counts) if count]

    def quantile(self, share: float) -> float:
        """The value that `share` of those counted do not exceed, by even spread in its bucket.

        0 if nothing was counted. At most as exact as the buckets: within a factor of 2.
        """
        wanted = share * self.total
        for i, count in enumerate(self.counts):
            if count and wanted <= count:
                least = 1 << i >> 1
                return least + least * wanted / count
            wanted -= count
        return 0.0


@dataclass(frozen=True, slots=True)
class KeyHeat:
    """A key that blocks lost conflicts over, and how often.

    The counts of the hottest keys are exact as long as a thread loses over few keys; with many,
    they are upper bounds (space-saving, Metwally, Agrawal and El Abbadi, 2005). A key of more than
    40 encoded bytes is given as `CutKey`, and `None` stands for which keys a variable has.
    """

    variable: str
    key: Any
    conflicts: int


@dataclass(frozen=True, slots=True)
class Pair:
    """One block that beat another over one key: how often, and the time of the lost attempts.

    Counted as keys are. `winner` is `UNKNOWN` where the winning version was gone already.
    """

    winner: str
    loser: str
    variable: str
    key: Any
    count: int
    cost_ns: int


@dataclass(frozen=True, slots=True)
class Block:
    """What one block of code did, in all threads together.

    `name` is its label, or its function, file and line. `attempts` counts attempts per committed
    block. `wasted_ns` is the time of all attempts that were lost. `commit_ns` and `block_ns` are
    times of commits, and of blocks from the first attempt to the end of the commit; they are taken
    of one block in 16, and the sums next to them are of the same blocks. `waits` counts how
    often it was parked by `retry()`.
    """

    name: str
    commits: int
    read_only_commits: int
    aborts: int
    serial: int
    waits: int
    reasons: Mapping[str, int]
    attempts: Histogram
    wasted_ns: int
    commit_ns: Histogram
    commit_ns_sum: int
    block_ns: Histogram
    block_ns_sum: int

    @property
    def conflicts(self) -> int:
        """Attempts that were lost and run again."""
        return sum(self.reasons.values())

    @property
    def busy_ns(self) -> int:
        """The time of all its blocks, worked out from those that were timed.

        Not less than what was wasted, and the median of half of the blocks besides: losses that are
        few and long are seldom among those that were timed.
        """
        timed = self.block_ns.total
        finished = self.commits + self.read_only_commits
        worked_out = round(self.block_ns_sum * finished / timed) if timed else 0
        if self.wasted_ns == 0:
            return worked_out
        half = round(finished / 2 * self.block_ns.quantile(0.5))
        return max(worked_out, self.wasted_ns + half)


@dataclass(frozen=True, slots=True)
class Thread:
    """One thread of one interpreter of one process, and what it is doing.

    `state` is one of `STATES`. `block` is the block it is in, `attempt` counts from 1 and `age_ns`
    is the time since that block began; `snapshot` is the commit that it sees, 0 for none, and
    `serial` says that it holds the commit lock and cannot lose. A thread that is parked waits for
    `keys` keys, of which `variable` and `key` are the first; one that waits for the commit lock
    waits for the thread `holder`.
    """

    process: int
    interpreter: int
    thread: int
    state: str
    block: str | None = None
    attempt: int = 0
    age_ns: int = 0
    snapshot: int = 0
    keys: int = 0
    variable: str | None = None
    key: Any = None
    holder: int | None = None
    serial: bool = False


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of the region; `history_bytes` are part of `used_bytes`."""

    used_bytes: int
    max_bytes: int
    history_bytes: int
    history_limit: int


@dataclass(frozen=True, slots=True)
class Durability:
    """What a store on disk tells about its disk.

    `version` is the number of the last commit that survives a power cut, and `lag` how many came
    after it. The keeper, the process with the pid `keeper`, wrote `groups` of commits with one sync
    each: `group_sizes` are commits per group, `sync_micros` microseconds per write and sync.
    `log_bytes` are in memory until they are written. `state` is `opening`, `running`, `full`,
    `failed` or `closed`, and `message` says why.
    """

    path: str
    mode: str
    state: str
    message: str
    version: int
    lag: int
    keeper: int
    groups: int
    group_sizes: Histogram
    sync_micros: Histogram
    log_bytes: int

    @property
    def writable(self) -> bool:
        """False once blocks that write are refused: the disk is full, or it has failed."""
        return self.state not in ("full", "failed")


@dataclass(frozen=True, slots=True)
class Stats:
    """All that a store has counted, and what its threads are doing now.

    `seconds` is the time that the counters cover: since the store was opened, or between the two
    records of a `difference`. `conflicts` counts attempts that were lost and run again, and
    `aborts` tells their reasons, with `exception` for blocks left by an exception. `attempts` is
    the number of attempts per committed block; `read_set` and `write_set` count keys per committed
    block.
    `serial` counts attempts that ran where they cannot lose. `blocks`, `keys` and `pairs` come with
    the most conflicts first. `version` is the number of the last commit and `oldest_snapshot` that
    of the oldest one a running block sees. `durability` is None for a store in memory.
    """

    store: str
    process: int
    closed: bool
    seconds: float
    commits: int
    read_only_commits: int
    conflicts: int
    serial: int
    aborts: Mapping[str, int]
    attempts: Histogram
    read_set: Histogram
    write_set: Histogram
    blocks: tuple[Block, ...]
    keys: tuple[KeyHeat, ...]
    pairs: tuple[Pair, ...]
    threads: tuple[Thread, ...]
    memory: Memory
    version: int
    oldest_snapshot: int
    durability: Durability | None = None

    @property
    def wasted_ns(self) -> int:
        """The time of all attempts that were lost."""
        return sum(block.wasted_ns for block in self.blocks)

    @property
    def waiters(self) -> tuple[Thread, ...]:
        """The threads that `retry()` has parked, those that have waited longest first."""
        parked = [thread for thread in self.threads if thread.state == "parked"]
        return tuple(sorted(parked, key=lambda thread: -thread.age_ns))

    @property
    def running(self) -> int:
        """How many threads work on a block."""
        return sum(1 for thread in self.threads if thread.state in ("in block", "committing"))

    @property
    def waiting(self) -> int:
        """How many threads wait for a lock, the disk, or a change."""
        return sum(1 for thread in self.threads if thread.state != "idle") - self.running

    @property
    def oldest(self) -> Thread | None:
        """The thread that sees the oldest snapshot, if any is in a block."""
        seeing = [thread for thread in self.threads if thread.snapshot]
        return min(seeing, key=lambda thread: (thread.snapshot, -thread.age_ns), default=None)


@dataclass(frozen=True, slots=True)
class CutKey:
    """The first bytes of a key that is too long to be counted whole, and its length in bytes."""

    start: bytes
    length: int

    def __repr__(self) -> str:
        return f"<{self.length} bytes: {self.start!r}…>"
