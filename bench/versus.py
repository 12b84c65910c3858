"""stmpy beside its peers: the same six cases by each, every one in the layout it is meant for.

`increment` of one counter, `read 10` accounts, a transfer at the `bank`, the same by two at once, a
`sum of 1,000` accounts, and a `long audit`: that sum while two others transfer.
"""

from __future__ import annotations

from typing import Final

from bench import work
from bench.harness import Alone, Answer, Case, Effort, Measured, Row, measure, ratio_row
from bench.peers.drive import TASKS, Peer, attempt
from bench.teams import Crew, Task, Team

LIKE_US: Final = ("atomix", "manager", "ultradict", "lmdb", "sqlite", "redis", "zodb")
"""They give a Python program blocks over shared data; we promise to be ahead of each."""
LOCKS: Final = ("lock", "shared_memory", "queue_lock")
"""A bare lock: no block is undone, no reader is left in peace."""
LANGUAGES: Final = ("ghc", "clojure")
TARGETS: Final = {
    ("clojure", "increment"): 1,
    ("clojure", "read 10"): 1,
    ("clojure", "bank"): 1,
    ("ghc", "sum of 1,000"): 1,
}
BULK: Final = "stmpy, get_many"


def answer(effort: Effort) -> Answer:
    crew = Crew("interpreters", 3)
    found = Answer()
    try:
        for case in TASKS if effort != Effort.tiny() else ("increment", "long audit"):
            found.add(compare(case, crew, effort))
    finally:
        crew.close()
    return found


def compare(case: str, crew: Crew, effort: Effort) -> Answer:
    """One case, by all of them in turn."""
    serious = effort != Effort.tiny()
    cases: dict[str, Case | Exception] = dict(ours(case, crew))
    for peer in (*LIKE_US, *LOCKS, *LANGUAGES):
        cases[peer] = attempt(lambda peer=peer: Peer(peer, case, serious))  # type: ignore[misc]
    measured = measure(cases, effort)
    named = {f"{case}: {name}": one for name, one in measured.items()}
    return Answer(named, rows(case, named))


def ours(case: str, crew: Crew) -> dict[str, Case]:
    transfers = [Task("block_transfer", (20 + number,)) for number in range(2)]
    match case:
        case "increment":
            return {"stmpy": Alone(work.block_increment())}
        case "read 10":
            return {"stmpy": Alone(work.block_read_ten())}
        case "bank":
            return {"stmpy": Alone(work.block_transfer(1))}
        case "bank, 2 at once":
            return {"stmpy": Team(crew, transfers)}
        case "sum of 1,000":
            return {"stmpy": Alone(work.block_total()), BULK: Alone(work.bulk_total())}
        case _:
            return {"stmpy": Team(crew, [Task("audit"), *transfers], counted=1)}


def rows(case: str, measured: dict[str, Measured]) -> list[Row]:
    """How many times as long each of them takes."""
    us = f"{case}: stmpy"
    found = []
    for peer in (*LIKE_US, *LOCKS, *LANGUAGES):
        least = 1 if peer in LIKE_US else TARGETS.get((peer, case))
        title = f"{case}: {peer} : stmpy"
        found.append(ratio_row(title, measured, f"{case}: {peer}", us, least=least))
    if case == "sum of 1,000":
        title = f"{case}: {BULK} : clojure"
        found.append(ratio_row(title, measured, f"{case}: {BULK}", f"{case}: clojure", most=2))
    return found
