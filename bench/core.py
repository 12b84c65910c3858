"""What a block costs, and what interpreters gain: every promise of the store in memory, measured.

The rows about start-up, memory and history come from the questions of those names.
"""

from __future__ import annotations

import stmpy as stm
from bench import history, memory, startup, work
from bench.harness import (
    Alone,
    Answer,
    Case,
    Effort,
    Measured,
    Row,
    Spread,
    limit_row,
    measure,
    note,
    ratio_row,
)
from bench.peers.drive import Peer, attempt
from bench.teams import Contended, Crew, Task, Team


def answer(effort: Effort) -> Answer:
    """All rows of the store in memory."""
    found = blocks(effort)
    for question in (history, startup, memory):
        found.add(question.answer(effort))
    return found


def blocks(effort: Effort) -> Answer:
    """Costs of blocks in one thread and in two interpreters, beside the peers."""
    interpreters, threads = Crew("interpreters", 2), Crew("threads", 2)
    contended = Contended(interpreters, [Task("block_increment", ("hot",))] * 2)
    cases = alone() | together(interpreters, threads) | {"contended increment": contended}
    cases |= peers(install=effort != Effort.tiny())
    measured = measure(cases, effort)
    interpreters.close()
    threads.close()
    return Answer(measured, [*single_rows(measured), *team_rows(measured, contended)])


def alone() -> dict[str, Case | Exception]:
    return {
        "lock increment": Alone(work.lock_increment()),
        "block increment": Alone(work.block_increment()),
        "store increment": Alone(work.increment_in(stm.open(max_bytes=1 << 20))),
        "function increment": Alone(work.function_increment()),
        "lock read 10": Alone(work.lock_read_ten()),
        "block read 10": Alone(work.block_read_ten()),
        "block transfer": Alone(work.block_transfer(1)),
    }


def together(interpreters: Crew, threads: Crew) -> dict[str, Case | Exception]:
    def team(crew: Crew, name: str, *args: object) -> Team:
        return Team(crew, [Task(name, (arg,)) for arg in args])

    return {
        "transfer, 2 interpreters": team(interpreters, "block_transfer", 1, 2),
        "lock transfer, 2 threads": team(threads, "lock_transfer", 1, 2),
        "increment, 1 interpreter": team(interpreters, "block_increment", "a"),
        "disjoint increments": team(interpreters, "block_increment", "a", "b"),
        "read, 1 interpreter": team(interpreters, "block_read", "k"),
        "reads of one key": team(interpreters, "block_read", "k", "k"),
    }


def peers(install: bool) -> dict[str, Case | Exception]:
    return {
        "manager increment": attempt(lambda: Peer("manager", "increment")),
        "manager transfer": attempt(lambda: Peer("manager", "bank")),
        "atomix increment": attempt(lambda: Peer("atomix", "increment", install)),
        "atomix transfer": attempt(lambda: Peer("atomix", "bank", install)),
    }


def single_rows(cases: dict[str, Measured]) -> list[Row]:
    read = cases["block read 10"]
    return [
        ratio_row("increment in a block : lock and dict",
                  cases, "block increment", "lock increment", most=3),
        ratio_row("increment in a block of an opened store : lock and dict",
                  cases, "store increment", "lock increment", most=3),
        ratio_row("function form : with-block",
                  cases, "function increment", "block increment", most=1),
        limit_row("block that reads 10 keys", Spread.of(one.ns / 1e3 for one in read.timings), "µs",
                  2, by_cpu=Spread.of(one.cpu_ns / 1e3 for one in read.timings), note=note(read)),
        ratio_row("block that reads 10 keys : lock and dict",
                  cases, "block read 10", "lock read 10", most=4),
        ratio_row("atomix-stm : block, increment",
                  cases, "atomix increment", "block increment", least=50),
        ratio_row("atomix-stm : block, transfer",
                  cases, "atomix transfer", "block transfer", least=50),
        ratio_row("Manager().dict() : block, increment",
                  cases, "manager increment", "block increment", least=200),
        ratio_row("Manager().dict() : block, transfer",
                  cases, "manager transfer", "block transfer", least=200),
    ]  # fmt: skip


def team_rows(cases: dict[str, Measured], contended: Contended) -> list[Row]:
    attempts = Spread.of(contended.attempts[1:])
    return [
        ratio_row("speed of transfers, 2 interpreters : lock and dict with 2 threads",
                  cases, "lock transfer, 2 threads", "transfer, 2 interpreters", least=2),
        ratio_row("speed on disjoint keys, 2 interpreters : 1",
                  cases, "increment, 1 interpreter", "disjoint increments", least=1.8),
        ratio_row("speed of reads of one key, 2 interpreters : 1",
                  cases, "read, 1 interpreter", "reads of one key", least=1.8),
        ratio_row("speed on one contended key, 2 interpreters : 1 alone",
                  cases, "increment, 1 interpreter", "contended increment", least=0.5),
        limit_row("attempts per contended increment", attempts, "attempts", 1.5),
    ]  # fmt: skip
