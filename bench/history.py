"""Readers beside writers: audits that never abort, and a snapshot held over a million commits."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

import stmpy as stm
from bench import work
from bench.harness import (
    Answer,
    Effort,
    Row,
    Spread,
    limit_row,
    measure,
    ratio_row,
    show_progress,
)
from bench.teams import Crew, Task, Team


def answer(effort: Effort) -> Answer:
    crew = Crew("interpreters", 2)
    try:
        found = audits(crew, effort)
        found.rows += held_snapshot(crew, effort)
    finally:
        crew.close()
    return found


def audits(crew: Crew, effort: Effort) -> Answer:
    """The audit alone, and beside an interpreter that transfers at full speed."""
    audit, transfer = Task("audit"), Task("block_transfer", (3,))
    before = stm.stats()
    cases = measure(
        {
            "audit of 1,000 keys": Team(crew, [audit]),
            "audit beside a writer": Team(crew, [audit, transfer], counted=1),
        },
        effort,
    )
    failures = stm.stats().aborts["exception"] - before.aborts["exception"]
    title = "audit of 1,000 keys beside a full-speed writer : alone"
    return Answer(
        cases,
        [
            ratio_row(title, cases, "audit beside a writer", "audit of 1,000 keys", most=1.3),
            limit_row("audits aborted meanwhile", Spread(failures, failures, failures), "", 0),
        ],
    )


# ---- a snapshot that is held


def hold_snapshot(ready: int, go_on: int) -> bool:
    """Reads all accounts, waits for a byte, reads them again in the same block; if all are same."""
    tv = work.accounts()
    with stm.snapshot():
        first = [tv[number] for number in range(work.ACCOUNTS)]
        os.write(ready, b".")
        os.read(go_on, 1)
        again = [tv[number] for number in range(work.ACCOUNTS)]
    return first == again


@dataclass(frozen=True, slots=True)
class Written:
    """How long the commits took, and the most history that was held meanwhile."""

    seconds: float
    history_bytes: int


def write(commits: int) -> Written:
    """Transfers, one commit each, looking at the history now and then."""
    run, turns = work.block_transfer(4), 20
    run(100)
    history, seconds = 0, 0.0
    for _ in range(turns):
        began = time.perf_counter()
        run(max(1, commits // turns))
        seconds += time.perf_counter() - began
        history = max(history, stm.stats().memory.history_bytes)
    return Written(seconds, history)


def pair(crew: Crew, commits: int) -> tuple[Written, Written, bool]:
    """The commits without a reader and with one, and whether that one saw the same twice."""
    ready_out, ready = os.pipe()
    go_on, go_on_in = os.pipe()
    alone = crew.pool.submit(write, commits).result()
    reader = crew.pool.submit(hold_snapshot, ready, go_on)
    os.read(ready_out, 1)
    beside = crew.pool.submit(write, commits).result()
    os.write(go_on_in, b".")
    same = reader.result()
    for end in (ready_out, ready, go_on, go_on_in):
        os.close(end)
    return alone, beside, same


def held_snapshot(crew: Crew, effort: Effort) -> list[Row]:
    """Commits with and without a reader that holds its snapshot all the while."""
    show_progress("a snapshot held over many commits")
    pairs = [pair(crew, effort.commits) for _ in range(max(1, effort.rounds // 5))]
    show_progress("")
    count = f"{effort.commits:,} commits"
    ratio = Spread.of(beside.seconds / alone.seconds for alone, beside, _ in pairs)
    held = Spread.of(beside.history_bytes / 2**20 for _, beside, _ in pairs)
    budget = stm.stats().memory.history_limit / 2**20
    same = all(same for _, _, same in pairs)
    return [
        limit_row(f"{count} beside a held snapshot of 1,000 keys : without", ratio, "×", 1.3),
        limit_row(f"history held during these {count}", held, "MiB", budget),
        Row("the held snapshot, read again", None, "", "the same", same),
    ]
