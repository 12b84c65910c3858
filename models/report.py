"""`python -m models [NAME ...] [--trace] [--quick]`: models must hold, broken ones must fail."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

from .broken import Mutant
from .checker.liveness import check
from .checker.model import Model
from .checker.search import Outcome, explore
from .second import BREAKS
from .second import report as ask_spin

PROTOCOLS = {
    "commit": "commit_cases",
    "reclaim": "reclaim_cases",
    "bury": "bury",
    "park": "park",
    "waiters": "waiters",
    "recovery": "recovery",
    "serial": "serial_cases",
    "durable": "durable",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a model that must hold, or a mutant that must fail."""

    model: type[Model]
    mutant: Mutant | None
    outcome: Outcome

    @property
    def good(self) -> bool:
        fault = self.outcome.fault
        if self.mutant is None:
            return fault is None
        return fault is not None and fault.prop == self.mutant.breaks

    def text(self) -> str:
        outcome, fault = self.outcome, self.outcome.fault
        found = "holds" if fault is None else f"breaks: {fault.prop} ({len(fault)} steps)"
        name = self.model.name if self.mutant is None else f"  - {self.mutant.switch}"
        verdict = "ok  " if self.good else "FAIL"
        return (
            f"{verdict} {name:26} {outcome.states:>9} {outcome.transitions:>10} "
            f"{outcome.seconds:>7.1f}  {found}"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for and print a table; 1 if a model fails or a mutant survives."""
    options = _options(arguments)
    models, mutants = _chosen(options.names)
    work: list[tuple[type[Model], Mutant | None, bool]] = [(m, None, options.quick) for m in models]
    work += [(mutant.model, mutant, False) for mutant in mutants]
    print(f"     {'model, and its mutants':26} {'states':>9} {'steps':>10} {'seconds':>7}  result")
    good = True
    workers = min(2, os.cpu_count() or 1)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for row in pool.map(_check, work):
            good = good and row.good
            print(row.text(), flush=True)
            if row.mutant is None and not options.quick:
                print(f"     {row.model.bounds}")
            fault = row.outcome.fault
            if fault is not None and (options.trace or not row.good):
                print(fault.text())
    second = [name for name in BREAKS if not options.names or name in options.names]
    if second and not ask_spin(second, quick=options.quick):
        good = False
    return 0 if good else 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m models", description=__doc__)
    parser.add_argument("names", nargs="*", help="models or protocols; all if none is named")
    parser.add_argument("--trace", action="store_true", help="print every counterexample")
    parser.add_argument("--quick", action="store_true", help="one transaction for each thread")
    return parser.parse_args(arguments)


def _chosen(names: Sequence[str]) -> tuple[list[type[Model]], list[Mutant]]:
    models: list[type[Model]] = []
    mutants: list[Mutant] = []
    for protocol, cases in PROTOCOLS.items():
        own = importlib.import_module(f".{cases}", __package__).MODELS
        broken = importlib.import_module(f".broken.{protocol}", __package__).MUTANTS
        models += [m for m in own if not names or protocol in names or m.name in names]
        mutants += [m for m in broken if not names or protocol in names or m.model.name in names]
    if not models:
        sys.exit(f"no model is called {' or '.join(names)}")
    return models, mutants


def _check(work: tuple[type[Model], Mutant | None, bool]) -> Row:
    kind, mutant, quick = work
    model = kind("" if mutant is None else mutant.switch)
    if quick:
        model.transactions = 1
    in_the_end = [wanted.name for wanted in model.eventually()]
    live = in_the_end and (mutant is None or mutant.breaks in in_the_end)
    return Row(kind, mutant, check(model) if live else explore(model))
