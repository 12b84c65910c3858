"""Measure what blocks cost on this machine, beside a lock and a dict, alone and on all cores."""

import argparse
import json
import os
import platform
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor
from statistics import median
from typing import Final

import stmpy as stm
from stmpy.cli._loops import ACCOUNTS, DEPOSIT, blocks, locked, take_part
from stmpy.cli._terminal import Terminal
from stmpy.cli._workers import add_workers, check_workers

__all__ = ["add_arguments", "run"]

_ROUNDS: Final = 9
_HEAD_START: Final = 0.01  # seconds until every participant has its task

# Name, block, and the seed of each participant: the key that `increment` counts under.
_TOGETHER: Final[tuple[tuple[str, str, Callable[[int], int]], ...]] = (
    ("increments, a key each", "increment", lambda number: -1 - number),
    ("increments of one key", "increment", lambda _: -1),
    ("reads of the same keys", "read 10 keys", lambda number: number),
    ("transfers", "transfer", lambda number: number),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_workers(parser, "interpreters that work at once")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")


def run(args: argparse.Namespace) -> int:
    check_workers(args)
    terminal = Terminal()
    if not args.json:
        _show_head(terminal, args.workers)
    with stm.InterpreterPool(args.workers) as pool:
        tv: stm.TVar[int, int] = stm.TVar(None, dict.fromkeys(range(ACCOUNTS), DEPOSIT))
        with stm.atomically():
            for number in range(args.workers):
                tv[-1 - number] = 0
        alone = _alone(tv)
        many = _together(tv, pool, args.workers)
        with stm.snapshot():
            kept = sum(tv[number] for number in range(ACCOUNTS)) == ACCOUNTS * DEPOSIT
    if args.json:
        print(json.dumps(_figures(args.workers, alone, many, kept), indent=2))
    else:
        _show(terminal, args.workers, alone, many, kept)
    return 0 if kept else 1


# ---- measuring ---------------------------------------------------------------------------------

type Alone = dict[str, tuple[float, float]]
"""Seconds of a block, and how many times as long as under a lock."""

type Together = dict[str, tuple[float, float, float]]
"""Blocks a second, how many times as many as one interpreter does, and attempts per block."""


def _alone(tv: stm.TVar[int, int]) -> Alone:
    """Every block in this thread, in rounds, so that a slow moment meets all of them."""
    table = dict.fromkeys(range(ACCOUNTS), DEPOSIT)
    loops = {name: (blocks[name](tv, -1), locked[name](threading.Lock(), table)) for name in blocks}
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in loops}
    for number in range(_ROUNDS + 1):
        for name, (ours, theirs) in loops.items():
            pair = _seconds(ours), _seconds(theirs)
            if number > 0:  # the first one warms up
                taken[name].append(pair)
    return {
        name: (median(a for a, _ in pairs), median(a / b for a, b in pairs))
        for name, pairs in taken.items()
    }


def _seconds(loop: Callable[[int], None], times: int = 5_000) -> float:
    began = time.perf_counter()
    loop(times)
    return (time.perf_counter() - began) / times


def _together(tv: stm.TVar[int, int], pool: Executor, workers: int) -> Together:
    """Every team beside one interpreter that does the same."""
    taken: dict[str, list[tuple[float, float, float]]] = {name: [] for name, *_ in _TOGETHER}
    for number in range(_ROUNDS + 1):
        for name, block, seed in _TOGETHER:
            one, _ = _rate(tv, pool, block, [seed(0)])
            all, attempts = _rate(tv, pool, block, [seed(n) for n in range(workers)])
            if number > 0:
                taken[name].append((all, all / one, attempts))
    return {
        name: (
            median(rate for rate, _, _ in rounds),
            median(ratio for _, ratio, _ in rounds),
            median(attempts for *_, attempts in rounds),
        )
        for name, rounds in taken.items()
    }


def _rate(
    tv: stm.TVar[int, int], pool: Executor, block: str, seeds: list[int], seconds: float = 0.03
) -> tuple[float, float]:
    """Blocks a second of those who take part at once, and attempts per block."""
    lost = tv.store.stats().conflicts
    start = time.perf_counter() + _HEAD_START
    futures = [pool.submit(take_part, block, tv, seed, start, seconds) for seed in seeds]
    parts = [future.result() for future in futures]
    done = sum(count for count, _, _ in parts)
    took = max(ended for *_, ended in parts) - min(began for _, began, _ in parts)
    return done / took, 1 + (tv.store.stats().conflicts - lost) / done


# ---- showing -----------------------------------------------------------------------------------


def _show_head(terminal: Terminal, workers: int) -> None:
    terminal.line()
    terminal.line(
        terminal.bold("  stmpy bench")
        + f" · CPython {platform.python_version()} · {os.process_cpu_count()} cores,"
        + f" {workers} interpreters with a GIL each"
    )
    terminal.line(terminal.dim(f"  Medians of {_ROUNDS} rounds; about {_ROUNDS // 3 + 2} seconds."))


def _show(terminal: Terminal, workers: int, alone: Alone, many: Together, kept: bool) -> None:
    terminal.line()
    terminal.line(terminal.bold(f"  {'one thread':26}{'a block':>14}   beside a lock and a dict"))
    for name, (seconds, ratio) in alone.items():
        terminal.line(f"  {name:26}{seconds * 1e6:11.2f} µs   {ratio:.2f} ×")
    terminal.line()
    title = f"{workers} interpreters at once"
    terminal.line(terminal.bold(f"  {title:26}{'a second':>14}   beside one"))
    for name, (rate, ratio, attempts) in many.items():
        lost = f", {attempts:.2f} attempts a block" if attempts >= 1.005 else ""
        terminal.line(f"  {name:26}{rate:14,.0f}   {ratio:.2f} ×{lost}")
    terminal.line()
    if kept:
        terminal.line(f"  all {ACCOUNTS:,} accounts {terminal.good('add up')} after the transfers")
    else:
        terminal.line(f"  the accounts {terminal.bad('DO NOT ADD UP')}: this is a bug in stmpy")
    terminal.line()


def _figures(workers: int, alone: Alone, many: Together, kept: bool) -> dict[str, object]:
    return {
        "python": platform.python_version(),
        "cores": os.process_cpu_count(),
        "workers": workers,
        "alone": {
            name: {"seconds": seconds, "of_lock_and_dict": ratio}
            for name, (seconds, ratio) in alone.items()
        },
        "together": {
            name: {"blocks_per_second": rate, "of_one": ratio, "attempts": attempts}
            for name, (rate, ratio, attempts) in many.items()
        },
        "accounts_add_up": kept,
    }
