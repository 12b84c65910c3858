"""Records with figures that were made up, for tests of what is worked out from them."""

from stmpy.statistics import (
    REASONS,
    Block,
    Histogram,
    KeyHeat,
    Memory,
    Pair,
    Stats,
    Thread,
)


def histogram(size: int = 32, /, **counts: int) -> Histogram:
    """`histogram(b3=5)` has 5 values in bucket 3, that is in [4, 8)."""
    return Histogram(tuple(counts.get(f"b{i}", 0) for i in range(size)))


def block(
    name: str,
    *,
    commits: int = 0,
    lost: int = 0,
    wasted_ns: int = 0,
    times: Histogram | None = None,
) -> Block:
    """One block of which every commit that was timed took 100 ns."""
    times = times or histogram()
    return Block(
        name=name,
        commits=commits,
        read_only_commits=0,
        aborts=0,
        serial=0,
        waits=0,
        reasons={reason: lost if reason == "read" else 0 for reason in REASONS},
        attempts=histogram(16, b1=commits),
        wasted_ns=wasted_ns,
        commit_ns=histogram(),
        commit_ns_sum=0,
        block_ns=times,
        block_ns_sum=100 * times.total,
    )


def stats(
    *blocks: Block,
    seconds: float = 10.0,
    keys: tuple[KeyHeat, ...] = (),
    pairs: tuple[Pair, ...] = (),
    threads: tuple[Thread, ...] = (),
) -> Stats:
    """A store whose sums are those of its blocks."""
    return Stats(
        store="made up",
        process=1,
        closed=False,
        seconds=seconds,
        commits=sum(b.commits for b in blocks),
        read_only_commits=sum(b.read_only_commits for b in blocks),
        conflicts=sum(b.conflicts for b in blocks),
        serial=0,
        aborts={"exception": 0, **{r: sum(b.reasons[r] for b in blocks) for r in REASONS}},
        attempts=histogram(16, b1=sum(b.commits for b in blocks)),
        read_set=histogram(16),
        write_set=histogram(16),
        blocks=blocks,
        keys=keys,
        pairs=pairs,
        threads=threads,
        memory=Memory(1000, 1 << 20, 0, 1 << 19),
        version=1,
        oldest_snapshot=1,
    )
