"""What to try next: rules over the record of a store, each with the figures that speak for it.

A rule is a generator that takes a record. It knows what was counted, not what the code means, so
where the cure depends on that, it says on what.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from stmpy.dashboard._text import number, percent, size, span, title
from stmpy.statistics import UNKNOWN, Block, Pair, Stats, ranked, rates
from stmpy.statistics._text import printable

LOST_SHARE = 0.02
"""A block that loses a smaller share of its attempts needs no advice."""

COST_SHARE = 0.05
"""A pair that makes a smaller share of all costs needs none either."""


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing to try. `about` is the block that loses, then the others and the key concerned."""

    rule: str
    finding: str
    evidence: str
    remedy: str
    cost_ns: int
    about: tuple[str, ...] = ()


type Rule = Callable[[Stats], Iterator[Advice]]


def advice(stats: Stats) -> list[Advice]:
    """All that the rules find, the costliest first."""
    found = [one for rule in RULES for one in rule(stats)]
    return sorted(found, key=lambda one: -one.cost_ns)


def beaten_by_itself(stats: Stats) -> Iterator[Advice]:
    """Many run the same block at once, and all of them change one key."""
    for pair, keys in _costly(stats):
        if pair.winner == pair.loser:
            add = _call(pair, "add")
            yield Advice(
                "add",
                f"{printable(pair.loser)} loses to itself {_over(keys)}",
                _evidence(pair, stats),
                f"If the block only adds to this key, use {add}: additions never conflict with each"
                f" other. If it computes a new value from the old one, {_call(pair, 'commute')}"
                " does that at the commit. Otherwise touch the key as late in the block as you can,"
                " or spread it over several keys.",
                pair.cost_ns,
                (printable(pair.loser), *keys),
            )


def beaten_by_another(stats: Stats) -> Iterator[Advice]:
    """Two blocks meet on a key."""
    times = {block.name: block.block_ns.quantile(0.5) for block in stats.blocks}
    for pair, keys in _costly(stats):
        if pair.winner in (pair.loser, UNKNOWN):
            continue
        key, loser, winner = keys[0], printable(pair.loser), printable(pair.winner)
        slow, fast = times.get(pair.loser, 0.0), times.get(pair.winner, 0.0)
        longer = (
            f" It takes {span(slow)} where {winner} takes {span(fast)}, and the longer block loses."
            if fast and slow > 4 * fast
            else ""
        )
        yield Advice(
            "pair",
            f"{loser} loses to {winner} {_over(keys)}",
            _evidence(pair, stats) + longer,
            f"Let {loser} read {key} last, or keep what {winner} changes there in a key of its own."
            f" If {loser} may work with a value that is a moment old, run it with"
            f' isolation="snapshot" and call {_call(pair, "ensure")} only where that must hold.',
            pair.cost_ns,
            (loser, winner, *keys),
        )


def reads_too_much(stats: Stats) -> Iterator[Advice]:
    """Blocks here read a great many keys, and the longest of them loses."""
    most = stats.read_set.quantile(0.99)
    losers = [block for block in stats.blocks if _loses(block, "read", "early", "structure")]
    if most < 1000 or not losers:
        return
    block = ranked(losers, "block_ns")[0]
    yield Advice(
        "reads",
        f"Reading {number(most)} keys takes long, and {printable(block.name)} loses",
        f"Blocks of this store read up to {number(most)} keys, and {printable(block.name)}, the"
        f" slowest that loses, lost {percent(rates(block).conflict_share)} of its attempts.",
        "If it writes nothing, put it under stm.snapshot(), which never loses. Otherwise split it"
        ' into several blocks, or run it with isolation="snapshot" and call ensure() on the few'
        " keys that must not have changed.",
        block.wasted_ns,
        (printable(block.name),),
    )


def long_and_losing(stats: Stats) -> Iterator[Advice]:
    """The longer a block, the likelier that another one is faster."""
    for block in stats.blocks:
        took = block.block_ns.quantile(0.5)
        if took >= 1e6 and _loses(block, "read", "early", "write", "structure", "gone"):
            yield Advice(
                "long",
                f"{printable(block.name)} takes long and loses",
                f"Half of its runs take more than {span(took)}, and it lost"
                f" {percent(rates(block).conflict_share)} of its attempts, {span(block.wasted_ns)}"
                " of work.",
                "Do before the block what needs nothing from the store, such as reading, parsing"
                " and computing, so that the block only reads, decides and writes.",
                block.wasted_ns,
                (printable(block.name),),
            )


def loses_its_turn(stats: Stats) -> Iterator[Advice]:
    """Few attempts are lost, but they took long: their threads could not run meanwhile."""
    speed = rates(stats)
    if not stats.conflicts or speed.conflict_share >= LOST_SHARE:
        return
    each = stats.wasted_ns / stats.conflicts
    if speed.wasted_share < COST_SHARE or each < 100 * speed.p99_ns or not speed.p99_ns:
        return
    yield Advice(
        "turns",
        "Few attempts are lost, but those that are take long",
        f"{number(stats.conflicts)} were, {percent(speed.conflict_share)} of all; each took"
        f" {span(each)}, where 99 % of the blocks take less than {span(speed.p99_ns)}.",
        "A thread that waits for the processor within a block, or for the GIL of its interpreter,"
        " loses to those that run meanwhile. Run no more threads than there are processors, each in"
        " an interpreter of its own: InterpreterPool.",
        stats.wasted_ns,
    )


def looks_for_keys(stats: Stats) -> Iterator[Advice]:
    """A block that iterates, or asks for the length, loses to each insertion and deletion."""
    for block in stats.blocks:
        lost = block.reasons.get("structure", 0)
        if _looks_for_keys(block) and _loses(block, "structure"):
            yield Advice(
                "structure",
                f"{printable(block.name)} loses because keys come and go",
                f"{number(lost)} of its {number(block.conflicts)} lost attempts had iterated over a"
                " variable, or taken its length, when another block put a key in or took one out.",
                "Ask for the keys you know (get_many) instead of going through all of them, keep"
                " the number in a key of its own, or keep keys and mark them as unused.",
                block.wasted_ns * lost // block.conflicts,
                (printable(block.name),),
            )


def runs_serially(stats: Stats) -> Iterator[Advice]:
    """Serial attempts can't lose, but all other writers wait for them."""
    for block in stats.blocks:
        started = block.commits + block.read_only_commits + block.aborts + block.conflicts
        if not block.serial or block.serial < LOST_SHARE * started:
            continue
        name = printable(block.name)
        evidence = f"{number(block.serial)} of {number(started)} attempts of {name} ran alone."
        if block.serial >= 0.95 * started:
            yield Advice(
                "serial",
                f"{name} runs serially from the start",
                evidence + " It hardly ever lost, so it does not run again: other writers wait.",
                "Either it asks for that with irrevocable=True, or CPython can't move it back to"
                " its start: the README says which blocks those are. The function form,"
                " @stm.atomically, has no such limits.",
                block.block_ns_sum,
                (name,),
            )
        else:
            yield Advice(
                "serial",
                f"{name} runs serially because it lost too often",
                evidence + " After several losses in a row a block runs where it cannot lose.",
                "Help it to win: make it shorter, or let it share fewer keys with the blocks that"
                " beat it.",
                block.wasted_ns,
                (name,),
            )


def raises_often(stats: Stats) -> Iterator[Advice]:
    """What a block did before it raised was for nothing."""
    for block in stats.blocks:
        finished = block.commits + block.read_only_commits + block.aborts
        if block.aborts > 100 and block.aborts > 0.2 * finished:
            yield Advice(
                "raised",
                f"{printable(block.name)} is often left by an exception",
                f"{number(block.aborts)} of {number(finished)} runs ended that way, and left"
                " nothing behind.",
                "If that is how it says no, ask first, outside or early in the block.",
                block.busy_ns * block.aborts // finished,
                (printable(block.name),),
            )


def history_fills(stats: Stats) -> Iterator[Advice]:
    """Old versions are kept for the oldest snapshot, up to a limit."""
    memory, oldest = stats.memory, stats.oldest
    full = memory.history_bytes / memory.history_limit if memory.history_limit else 0.0
    if full > 0.5 and oldest is not None:
        name = printable(oldest.block or UNKNOWN)
        yield Advice(
            "history",
            f"{name} holds on to old versions",
            f"It has seen one snapshot for {span(oldest.age_ns)}, and {size(memory.history_bytes)}"
            f" of history are kept for it, {percent(full)} of the limit. At the limit it gets"
            " SnapshotTooOld.",
            "Read in several shorter blocks, or open the store with more history_bytes.",
            oldest.age_ns,
            (name,),
        )


def memory_fills(stats: Stats) -> Iterator[Advice]:
    memory = stats.memory
    full = memory.used_bytes / memory.max_bytes if memory.max_bytes else 0.0
    if full > 0.9:
        yield Advice(
            "memory",
            "The store is almost full",
            f"{size(memory.used_bytes)} of {size(memory.max_bytes)} are used; a block that needs"
            " more gets StoreFull.",
            "Open it with more max_bytes, or delete keys, a few in each block.",
            round(stats.seconds * 1e9 * full),
        )


def waits_for_ever(stats: Stats) -> Iterator[Advice]:
    """A block that nobody wakes up may be waiting for something that does not come."""
    for thread in stats.waiters:
        if thread.age_ns > 60e9 and thread.variable is not None:
            key, name = title(thread.variable, thread.key), printable(thread.block or UNKNOWN)
            yield Advice(
                "waits",
                f"{name} has waited for {span(thread.age_ns)}",
                f"Thread {thread.thread} waits for {key}, which nobody changes.",
                "If nobody is to change it, something is missing; timeout= ends such a wait.",
                0,
                (name, key),
            )


def disk_refuses(stats: Stats) -> Iterator[Advice]:
    disk = stats.durability
    if disk is None or disk.writable:
        return
    full = disk.state == "full"
    yield Advice(
        "disk",
        f"Blocks that write are refused: the disk {'is full' if full else 'has failed'}",
        f"{disk.path}: {disk.message}. {number(disk.lag)} commits are not on disk.",
        "Make room there; writing goes on by itself then."
        if full
        else "Mend the disk and open the store again; reads go on meanwhile.",
        round(stats.seconds * 1e9),
    )


def waits_for_disk(stats: Stats) -> Iterator[Advice]:
    """More threads wait for the disk than work."""
    disk = stats.durability
    waiting = sum(1 for thread in stats.threads if thread.state == "waiting for disk")
    if disk is None or not disk.groups or waiting <= stats.running:
        return
    took = span(1000 * disk.sync_micros.quantile(0.5))
    yield Advice(
        "sync",
        "Blocks wait for the disk",
        f"{waiting} of {len(stats.threads)} threads did when this was read. Half of the syncs take"
        f" more than {took}, and half of them write more than"
        f" {max(1, round(disk.group_sizes.quantile(0.5)))} commits together.",
        "Blocks of several threads share a sync, so let more of them run at once, or do more in a"
        ' block. If a power cut may take the last moments, durability="relaxed" does not wait.'
        if disk.mode == "sync"
        else "Commits come faster than this disk takes them, and what is queued has a limit: write"
        " less, or to a faster disk.",
        round(stats.seconds * 1e9 * waiting / len(stats.threads)),
    )


RULES: list[Rule] = [
    beaten_by_itself,
    beaten_by_another,
    reads_too_much,
    long_and_losing,
    loses_its_turn,
    looks_for_keys,
    runs_serially,
    raises_often,
    history_fills,
    memory_fills,
    waits_for_ever,
    disk_refuses,
    waits_for_disk,
]


def _costly(stats: Stats) -> list[tuple[Pair, tuple[str, ...]]]:
    """The costliest fights, at most five, in a store that loses enough to care.

    All that one block loses to another is one fight: the costliest of its pairs, with the counts
    and costs of all of them, and all their keys.
    """
    if rates(stats).conflict_share < LOST_SHARE:
        return []
    fights: dict[tuple[str, str], list[Pair]] = {}
    # A key of None is that of a TRef, or stands for which keys a variable has; of the latter
    # `looks_for_keys` speaks.
    looking = {block.name for block in stats.blocks if _looks_for_keys(block)}
    for pair in ranked(stats.pairs, "cost_ns"):
        if pair.key is None and pair.loser in looking:
            continue
        fights.setdefault((pair.winner, pair.loser), []).append(pair)
    sums = [
        (
            replace(
                pairs[0],
                count=sum(pair.count for pair in pairs),
                cost_ns=sum(pair.cost_ns for pair in pairs),
            ),
            tuple(title(pair.variable, pair.key) for pair in pairs),
        )
        for pairs in fights.values()
    ]
    cost = sum(pair.cost_ns for pair in stats.pairs)
    kept = [fight for fight in sums if fight[0].cost_ns >= COST_SHARE * cost]
    return sorted(kept, key=lambda fight: -fight[0].cost_ns)[:5]


def _over(keys: tuple[str, ...]) -> str:
    more = {1: "", 2: " and one more key"}.get(len(keys), f" and {len(keys) - 1} more keys")
    return f"over {keys[0]}{more}"


def _looks_for_keys(block: Block) -> bool:
    return 2 * block.reasons.get("structure", 0) > block.conflicts


def _loses(block: Block, *reasons: str) -> bool:
    lost = sum(block.reasons.get(reason, 0) for reason in reasons)
    finished = block.commits + block.read_only_commits
    return lost > LOST_SHARE * (finished + block.conflicts)


def _call(pair: Pair, method: str) -> str:
    """The call that a program would make; a TRef has no keys."""
    key = [] if pair.key is None else [printable(repr(pair.key))]
    more = {"add": ["n"], "commute": ["function"]}.get(method, [])
    return f"{printable(pair.variable)}.{method}({', '.join(key + more)})"


def _evidence(pair: Pair, stats: Stats) -> str:
    cost = sum(other.cost_ns for other in stats.pairs)
    share = f", {percent(pair.cost_ns / cost)} of all that was wasted" if cost else ""
    return f"{number(pair.count)} times, {span(pair.cost_ns)} of lost work{share}."
