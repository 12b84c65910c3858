"""Record a run: workers in threads of several interpreters, of this process and of a forked one."""

from __future__ import annotations

import _interpreters
import os
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import stmpy as stm
from tests.history.workload import Crew, Isolation

ROOT: Final = str(Path(__file__).parents[2])


@dataclass(frozen=True)
class Plan:
    transactions: int
    interpreters: int = 2
    threads: int = 4
    fork: bool = True  # the same crews once more in a forked process
    isolation: Isolation = "serializable"
    plant: int = 0  # a fault: one transaction in so many does not validate what it read
    seed: int = 0

    def crews(self, directory: Path) -> list[list[Crew]]:
        """The crews of each process."""
        processes = 2 if self.fork else 1
        workers = processes * self.interpreters * self.threads
        run = f"history {directory.name}"
        each = -(-self.transactions // workers)
        crews: list[list[Crew]] = []
        for process in range(processes):
            crews.append([])
            for interpreter in range(self.interpreters):
                number = process * self.interpreters + interpreter
                place = f"{('parent', 'child')[process]}, interpreter {interpreter + 1}"
                first = number * self.threads + 1
                crew = Crew(
                    directory=str(directory),
                    run=run,
                    place=place,
                    first=first,
                    threads=self.threads,
                    transactions=each,
                    isolation=self.isolation,
                    plant=self.plant,
                    seed=self.seed,
                )
                crews[-1].append(crew)
        return crews


def record(plan: Plan, directory: Path) -> None:
    """Runs the plan; `directory` then holds the records of all its workers.

    For a process of its own: it forks. Raises `RuntimeError` where a worker failed.
    """
    own, *others = plan.crews(directory)
    # The region must exist before the fork, so that the child shares it.
    for kind in ("lists", "registers", "sets", "counters"):
        stm.TVar(f"{own[0].run} {kind}")
    children = []
    for crews in others:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                run_crews(crews)
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    run_crews(own)
    for child in children:
        _, status = os.waitpid(child, 0)
        if status:
            raise RuntimeError(f"the forked process ended with {os.waitstatus_to_exitcode(status)}")


def run_crews(crews: list[Crew]) -> None:
    """Each crew in an isolated interpreter of its own, all at once."""
    failures: list[str] = []

    def run(crew: Crew) -> None:
        # `repr` carries the crew over: isolated interpreters share no objects.
        text = (
            f"import sys\n"
            f"sys.path.append({ROOT!r})\n"
            f"from tests.history.workload import Crew, run_crew\n"
            f"run_crew(Crew(**{asdict(crew)!r}))\n"
        )
        interpreter = _interpreters.create("isolated")
        failure = _interpreters.exec(interpreter, text)
        if failure is not None:
            failures.append(str(getattr(failure, "errdisplay", failure)))
        _interpreters.destroy(interpreter)

    threads = [threading.Thread(target=run, args=(crew,)) for crew in crews]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise RuntimeError("\n".join(failures))
