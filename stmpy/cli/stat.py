"""Show what a store of a running process has counted, once or again and again."""

import argparse
import sys
import time
from collections.abc import Callable

from stmpy.cli._shared import CODES_HELP, FINE, add_target, reported
from stmpy.dashboard._text import number, percent, size, span
from stmpy.statistics import (
    COLUMNS,
    Stats,
    as_data,
    attach,
    difference,
    figures,
    prometheus,
    rates,
)

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = CODES_HELP
    add_target(parser)
    parser.add_argument("--once", action="store_true", help="one line, of all since the start")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="JSON, one object a line")
    form.add_argument("--csv", action="store_true", help="comma-separated values")
    form.add_argument("--prometheus", action="store_true", help="its text format, once")
    parser.add_argument("--port", type=int, metavar="N", help="serve --prometheus on 127.0.0.1:N")
    parser.add_argument("-i", "--interval", type=float, default=1.0, metavar="SECONDS")
    parser.add_argument("-n", "--count", type=int, default=0, metavar="COUNT")


def run(args: argparse.Namespace) -> int:
    if args.interval <= 0:
        args.fail(f"the interval is more than 0 seconds, not {args.interval}")
    if args.port is not None and not args.prometheus:
        args.fail("--port serves what --prometheus prints: give both")
    return reported(lambda: watch(args))


def watch(args: argparse.Namespace) -> int:
    with attach(args.target) as store:
        if args.port is not None:
            from stmpy.cli._serve import serve

            return serve(store.read, args.port)
        if args.prometheus:
            print(prometheus(store.read()), end="")
            return FINE
        show = as_json if args.json else as_csv() if args.csv else as_text()
        return sample(store.read, show, 1 if args.once else args.count, args.interval)


def sample(
    read: Callable[[], Stats], show: Callable[[Stats], None], count: int, interval: float
) -> int:
    """Shows all since the start, then what happened in each interval; for ever if 0 are asked."""
    last = read()
    show(last)
    while count != 1:
        time.sleep(interval)
        now = read()
        show(difference(now, last))
        last, count = now, count - 1
    return FINE


def as_json(stats: Stats) -> None:
    import json

    print(json.dumps(as_data(stats)), flush=True)


def as_csv() -> Callable[[Stats], None]:
    import csv

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["seconds", *COLUMNS])

    def show(stats: Stats) -> None:
        writer.writerow([round(stats.seconds, 3), *figures(stats)])
        sys.stdout.flush()

    return show


def as_text() -> Callable[[Stats], None]:
    """Columns that a person can read, in 80 of a terminal; the lag only if there is a disk."""
    headed = False

    def show(stats: Stats) -> None:
        nonlocal headed
        row = cells(stats)
        if not headed:
            print(" ".join(f"{title:>{width}}" for title, _, width in row))
        headed = True
        print(" ".join(f"{text:>{width}}" for _, text, width in row), flush=True)

    return show


def cells(stats: Stats) -> list[tuple[str, str, int]]:
    """Title, text and width of each column."""
    found = rates(stats)
    row = [
        ("commits/s", number(found.commits), 9),
        ("reads/s", number(found.read_only_commits), 7),
        ("lost/s", number(found.conflicts), 6),
        ("lost", percent(found.conflict_share), 6),
        ("wasted", percent(found.wasted_share), 6),
        ("p50", span(found.p50_ns), 6),
        ("p99", span(found.p99_ns), 6),
        ("memory", size(stats.memory.used_bytes), 8),
        ("history", size(stats.memory.history_bytes), 8),
        ("run", str(stats.running), 4),
        ("wait", str(stats.waiting), 4),
    ]
    if stats.durability is not None:
        row.append(("disk lag", number(stats.durability.lag), 8))
    return row
