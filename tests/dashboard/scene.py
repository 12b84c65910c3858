"""A made-up store with known conflicts, as it goes on: what the tests and the pictures look at."""

from dataclasses import replace

from stmpy.errors import StmError
from stmpy.statistics import Block, Durability, Histogram, KeyHeat, Memory, Pair, Stats, Thread
from tests.seeing.made_up import histogram, stats

AUDIT, PAY, TAKE, FEE = "audit", "pay", "take_order", "fees (bank.py:88)"


def times(middle: int, count: int) -> Histogram:
    """A bell of so many values around bucket `middle`."""
    shares = {-2: 0.05, -1: 0.2, 0: 0.45, 1: 0.2, 2: 0.07, 4: 0.03}
    return histogram(32, **{f"b{middle + by}": round(count * s) for by, s in shares.items()})


def block(name: str, per_second: float, lost: float, took: int, seconds: float) -> Block:
    commits, count = round(per_second * seconds), round(lost * seconds)
    ns = 1 << took
    return Block(
        name=name,
        commits=commits if name != AUDIT else 0,
        read_only_commits=commits if name == AUDIT else 0,
        aborts=commits // 40,
        serial=count // 200,
        waits=commits // 9 if name == TAKE else 0,
        reasons={
            "read": count - 3 * (count // 4),
            "early": count // 2,
            "write": 0,
            "structure": count // 4,
            "gone": 0,
            "injected": 0,
        },
        attempts=histogram(
            16, b1=commits - count // 2, b2=count // 3, b3=count // 8, b4=count // 20
        ),
        wasted_ns=count * ns,
        commit_ns=times(10, commits // 16),
        commit_ns_sum=commits // 16 * 1000,
        block_ns=times(took, commits // 16),
        block_ns_sum=commits // 16 * ns,
    )


def disk(seconds: float) -> Durability:
    """A disk that takes 300 groups of commits a second."""
    syncs = round(300 * seconds)
    return Durability(
        path="/srv/bank",
        mode="sync",
        state="running",
        message="",
        version=812_397,
        lag=3,
        keeper=4712,
        groups=syncs,
        group_sizes=times(5, syncs),
        sync_micros=times(11, syncs),
        log_bytes=384,
    )


def scene(seconds: float, wave: float = 1.0) -> Stats:
    """The store at this time; `wave` is how far the conflicts are from their mean, about 1."""
    s = seconds
    blocks = (
        block(PAY, 9200, 840 * wave, 14, s),
        block(TAKE, 3100, 310 * wave, 15, s),
        block(AUDIT, 12, 0, 23, s),
        block(FEE, 450, 95 * wave, 18, s),
        block("Ledger.post (ledger.py:412)", 1200, 12, 13, s),
    )
    pairs = (
        Pair(PAY, PAY, "totals", "paid", round(610 * s * wave), round(610 * s * wave * 16384)),
        Pair(PAY, FEE, "accounts", "house", round(95 * s * wave), round(95 * s * wave * 262144)),
        Pair(TAKE, TAKE, "orders", ("open", 17), round(310 * s), round(310 * s * 32768)),
        Pair(FEE, PAY, "accounts", "house", round(230 * s), round(230 * s * 16384)),
        Pair(
            PAY, "Ledger.post (ledger.py:412)", "journal", None, round(12 * s), round(12 * s * 9e3)
        ),
    )
    keys = tuple(
        KeyHeat(variable, key, round(rate * s * wave))
        for variable, key, rate in [
            ("totals", "paid", 610),
            ("accounts", "house", 325),
            ("orders", ("open", 17), 310),
            ("journal", None, 12),
            ("accounts", "alice", 3),
            ("accounts", "bob", 2.5),
            ("accounts", "日本語の鍵", 1.2),
        ]
    )
    threads = (
        Thread(4711, 0, 4711, "idle"),
        Thread(4711, 1, 4720, "in block", PAY, 2, 48_000, 812_390),
        Thread(4711, 2, 4721, "committing", PAY, 1, 21_000, 812_391),
        Thread(4711, 3, 4722, "waiting for lock", FEE, 5, 710_000, 812_388, holder=4721),
        Thread(4711, 4, 4723, "parked", TAKE, 1, 3_200_000_000, 0, 2, "orders", "new"),
        Thread(4711, 5, 4724, "parked", TAKE, 1, 900_000_000, 0, 1, "orders", "new"),
        Thread(4711, 6, 4725, "in block", AUDIT, 1, 7_900_000, 811_912),
        Thread(4711, 7, 4726, "waiting for disk", PAY, 1, 1_900_000),
    )
    made = stats(*blocks, seconds=seconds, keys=keys, pairs=pairs, threads=threads)
    return replace(
        made,
        store="bank",
        process=4711,
        attempts=Histogram(tuple(map(sum, zip(*(b.attempts.counts for b in blocks), strict=True)))),
        aborts={**made.aborts, "exception": sum(b.aborts for b in blocks)},
        read_set=histogram(16, b2=round(9000 * s), b4=round(3000 * s), b14=round(300 * s)),
        memory=Memory(38 << 20, 64 << 20, 5 << 20, 16 << 20),
        version=812_400,
        oldest_snapshot=811_912,
        durability=disk(s),
    )


HOSTILE = [
    "\x1b[2J\x1b]0;owned\x07",
    "a\nb\r\tc",
    "x" * 480,
    "\u202eevil\u2066",
    "שלום",
    "日本語" * 40,
]


def hostile() -> Stats:
    """10,000 keys whose names would wreck a terminal, or a page."""
    keys = tuple(
        KeyHeat(HOSTILE[i % 6], HOSTILE[(i // 6) % 6] + str(i), 10_000 - i) for i in range(10_000)
    )
    made = scene(100)
    return replace(made, store="\x1b[31m\n", keys=keys, pairs=made.pairs)


class FromRecords:
    """A source that gives records one by one, and then says that the store is gone."""

    def __init__(self, records: list[Stats], gone: str = "process 4711 has ended") -> None:
        self.records = list(records)
        self.gone = gone

    def read(self) -> Stats:
        if not self.records:
            raise StmError(self.gone)
        return self.records.pop(0)


class Running:
    """A source whose store goes on by a second with each reading."""

    def __init__(self, seconds: float = 100.0) -> None:
        self.seconds = seconds

    def read(self) -> Stats:
        self.seconds += 1.0
        return scene(self.seconds)
