"""Job claims: participants add jobs, claim the oldest one, and report it done.

A claim names who holds it, so that no job is done twice, and the oldest waiting job is found by a
counter. The invariant: each job that was added is waiting, claimed or done, in exactly one place.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import stmpy as stm
from bench.workloads.invariant import expect

if TYPE_CHECKING:
    from bench.harness import Work

waiting: stm.TVar[int, str] = stm.TVar("jobs waiting")
claimed: stm.TVar[int, int] = stm.TVar("jobs claimed")  # by whom
ends: stm.TVar[str, int] = stm.TVar("jobs ends")  # the next to be added, the next to be claimed
done: stm.TVar[int, int] = stm.TVar("jobs done")  # how many, and their sum, by participant


@stm.atomically
def begin(participants: int) -> None:
    for variable in (waiting, claimed, done):
        variable.clear()
    ends.update(added=0, next=0, sum=0)


def add() -> None:
    with stm.atomically():
        job = ends["added"]
        waiting[job] = f"job {job}"
        ends["added"] = job + 1


def claim(who: int) -> int | None:
    """The oldest job that is waiting, now this participant's; None if there is none."""
    with stm.atomically():
        job = ends["next"]
        if job == ends["added"]:
            return None
        del waiting[job]
        claimed[job] = who
        ends["next"] = job + 1
        return job


def report(who: int, job: int) -> None:
    with stm.atomically():
        expect(claimed.pop(job) == who, f"job {job} was claimed by somebody else too")
        done[who] = done.get(who, 0) + 1
        ends["sum"] += job


def work(number: int) -> Work:
    random = Random(number)

    def run(n: int) -> None:
        for _ in range(n):
            if random.random() < 0.5:
                add()
            elif (job := claim(number)) is not None:
                report(number, job)

    return run


def check() -> None:
    with stm.snapshot():
        at, left, held, count = ends.copy(), list(waiting), list(claimed), sum(done.values())
    expect(sorted(left) == list(range(at["next"], at["added"])), "a waiting job is lost")
    expect(count + len(held) == at["next"], f"{count} done, {len(held)} held, not {at['next']}")
    total = at["sum"] + sum(held)
    expect(total == sum(range(at["next"])), "a job was done twice, and another one not at all")
