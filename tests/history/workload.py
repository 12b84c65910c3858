"""What the workers of a recorded run do, and how they are spread over threads and interpreters.

Four variables are shared by all workers: lists that only grow, registers, a table whose keys come
and go, and counters that are added to without being read. Few keys are in use at any time, so that
transactions conflict. A list that is full is left behind for the next one, so that a run stays
linear in its transactions.
"""

from __future__ import annotations

import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final, Literal

import stmpy as stm
from tests.history.model import TABLE_SHIFT, VALUE_SHIFT
from tests.history.record import Recorder

type Isolation = Literal["serializable", "snapshot"]

LISTS: Final = 1 << TABLE_SHIFT
REGISTERS: Final = 2 << TABLE_SHIFT
SETS: Final = 3 << TABLE_SHIFT
COUNTERS: Final = 4 << TABLE_SHIFT
SWITCH_SECONDS: Final = 1e-5  # threads take turns this often, to be interrupted anywhere
KEYS_IN_USE: Final = 8
FULL: Final = 12  # elements
MOST_OPERATIONS: Final = 4
LARGE: Final = 20  # operations of a large transaction, whose read set is checked otherwise
LARGE_SHARE: Final = 0.01
IRREVOCABLE_SHARE: Final = 0.01  # of the transactions, which hold the lock from the start
READ_ONLY_SHARE: Final = 0.05

VERBS: Final = (
    *("append", "list", "commute", "write", "read", "ensure", "update", "many"),
    *("undone", "or_else", "pause"),
)
VERBS_THAT_READ: Final = ("list", "read", "ensure", "many", "keys", "total", "pause")
VERBS_OF_SETS: Final = ("insert", "delete", "keys")
VERBS_OF_COUNTERS: Final = ("add", "add", "total")


@dataclass(frozen=True)
class Crew:
    """The workers of one interpreter: so many threads, each with so many transactions."""

    directory: str
    run: str  # names the variables
    place: str  # where this interpreter is, in words
    first: int  # number of the first worker
    threads: int
    transactions: int
    isolation: Isolation
    plant: int  # every so many transactions of a worker skip validation; 0: none
    seed: int


class Undo(Exception):
    """Ends an inner block whose writes must vanish."""


class Worker:
    def __init__(self, crew: Crew, log: Recorder) -> None:
        self.log = log
        self.isolation = crew.isolation
        self.plant = crew.plant
        self.count = 0
        self.rng = Random(crew.seed * 1_000_003 + log.worker)
        self.lists: stm.TVar[int, tuple[int, ...]] = stm.TVar(f"{crew.run} lists")
        self.registers: stm.TVar[int, int] = stm.TVar(f"{crew.run} registers")
        self.sets: stm.TVar[int, int] = stm.TVar(f"{crew.run} sets")
        self.counters: stm.TVar[int, int] = stm.TVar(f"{crew.run} counters")
        self.generation = [0] * KEYS_IN_USE

    def transact(self) -> None:
        """One transaction of a few operations, chosen before it begins."""
        rng, log = self.rng, self.log
        plan = []
        reads = rng.random() < READ_ONLY_SHARE
        for _ in range(LARGE if rng.random() < LARGE_SHARE else rng.randint(1, MOST_OPERATIONS)):
            verbs = rng.choices((VERBS, VERBS_OF_SETS, VERBS_OF_COUNTERS), (7, 2, 2))[0]
            verb = rng.choice(VERBS_THAT_READ if reads else verbs)
            plan.append((verb, rng.randrange(KEYS_IN_USE)))
        irrevocable = not reads and rng.random() < IRREVOCABLE_SHARE
        self.count += 1
        # Snapshot isolation is what skipping the validation of reads amounts to.
        planted = self.plant and self.count % self.plant == 0
        isolation = "snapshot" if planted else self.isolation
        log.invoke()
        with stm.atomically(isolation=isolation, read_only=reads, irrevocable=irrevocable) as tx:
            log.attempt(tx)
            for verb, number in plan:
                self.operate(verb, number)
        log.commit(tx.version)

    def operate(self, verb: str, number: int) -> None:
        if verb == "pause":
            # Another thread may go on here: most conflicts come from being interrupted.
            time.sleep(0)
        elif verb in ("append", "list"):
            self.use_list(number, append=verb == "append")
        elif verb == "commute":
            # A commuted write need not be based on the snapshot, as snapshot isolation demands.
            if self.isolation == "serializable":
                self.commute_list(number)
        elif verb == "or_else":
            stm.or_else(
                lambda: self.write_and_retry(number + 1),
                lambda: self.use_register("update", number + 1),
            )
        elif verb in VERBS_OF_SETS:
            self.use_set(verb, number + 1)
        elif verb in VERBS_OF_COUNTERS:
            self.use_counter(verb, number + 1)
        else:
            self.use_register(verb, number + 1)

    def use_list(self, number: int, *, append: bool) -> None:
        name = number + KEYS_IN_USE * self.generation[number] + 1
        elements = self.lists.get(name, ())
        self.log.read_list(LISTS + name, elements)
        if len(elements) >= FULL:
            # Moving on too early, in an attempt that aborts, would harm nothing.
            self.generation[number] += 1
        elif append:
            element = self.log.mint()
            self.lists[name] = (*elements, element)
            self.log.append(LISTS + name, element)

    def commute_list(self, number: int) -> None:
        """An append that reads nothing: the function may run again, on what is there then."""
        name = number + KEYS_IN_USE * self.generation[number] + 1
        element = self.log.mint()
        self.lists.commute(name, lambda elements: (*(elements or ()), element))
        self.log.append(LISTS + name, element)

    def use_register(self, verb: str, number: int) -> None:
        log, registers = self.log, self.registers
        if verb == "many":
            numbers = [number, number % KEYS_IN_USE + 1, (number + 3) % KEYS_IN_USE + 1]
            for name, value in registers.get_many(numbers).items():
                log.read(REGISTERS + name, value)
            return
        if verb in ("read", "update"):
            log.read(REGISTERS + number, registers.get(number))
        if verb == "ensure":
            log.read(REGISTERS + number, registers.ensure(number, None))
        if verb in ("write", "update"):
            value = log.mint()
            registers[number] = value
            log.write(REGISTERS + number, value)
        if verb == "undone":
            with suppress(Undo):
                self.write_and_undo(number)

    def write_and_retry(self, number: int) -> None:
        """The branch of `or_else` that gives up: nothing of its writes may be seen."""
        self.log.read(REGISTERS + number, self.registers.get(number))
        self.registers[number] = self.log.mint()
        self.sets[number] = self.log.mint()
        self.lists.commute(number, lambda elements: ())
        stm.retry()

    def write_and_undo(self, number: int) -> None:
        """A write that is not recorded: whoever saw it would have read what nobody wrote."""
        with stm.atomically():
            self.log.read(REGISTERS + number, self.registers.get(number))
            self.registers[number] = self.log.mint()
            self.counters.add(number, 1 << VALUE_SHIFT)
            raise Undo

    def use_counter(self, verb: str, number: int) -> None:
        if verb == "add":
            n = self.rng.randint(-1000, 1000)
            self.counters.add(number, n)
            self.log.add(COUNTERS + number, n)
        else:
            self.log.total(COUNTERS + number, self.counters.get(number, 0))

    def use_set(self, verb: str, number: int) -> None:
        log, key = self.log, SETS + number
        if verb == "keys":
            log.keys(SETS, [SETS + name for name in self.sets])
        elif verb == "insert":
            value = log.mint()
            self.sets[number] = value
            log.write(key, value)
        else:
            value_seen = self.sets.pop(number, None)
            log.read(key, value_seen)
            if value_seen is not None:
                log.delete(key, log.mint())


def run_crew(crew: Crew) -> None:
    """Runs all workers of one interpreter, in this one; raises what the first of them raised."""
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            where = f"{crew.place}, thread {number + 1}"
            with Recorder(Path(crew.directory), crew.first + number, where) as log:
                worker = Worker(crew, log)
                for _ in range(crew.transactions):
                    worker.transact()
        except BaseException as failure:
            failures.append(failure)

    sys.setswitchinterval(SWITCH_SECONDS)
    threads = [threading.Thread(target=work, args=(number,)) for number in range(crew.threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
