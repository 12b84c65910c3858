"""What size costs: keys in a variable, bytes in a value, keys that a block reads."""

from __future__ import annotations

import os
from typing import Final

import stmpy as stm
from bench import work
from bench.harness import (
    Alone,
    Answer,
    Effort,
    Line,
    Measured,
    Series,
    Spread,
    cost,
    measure,
    ratio_row,
)

KEYS: Final = (1_000, 10_000, 100_000, 1_000_000)
BYTES: Final = (0, 64, 1 << 10, 16 << 10, 256 << 10, 1 << 20)
READS: Final = (1, 10, 100, 1_000, 10_000)
BYTES_PER_KEY: Final = 400  # of memory, generously, for the largest of all


def answer(effort: Effort) -> Answer:
    found = many_keys(effort)
    found.add(large_values(effort))
    found.add(long_reads(effort))
    return found


def line(cases: dict[str, Measured], names: dict[str, float]) -> Line:
    """Microseconds of the cases with these names, at the x that stands beside each."""
    taken = ((x, cost(cases[name])) for name, x in names.items() if not cases[name].error)
    return [(x, Spread(ns.median / 1e3, ns.low / 1e3, ns.high / 1e3)) for x, ns in taken]


def sizes(effort: Effort) -> list[int]:
    """Numbers of keys, up to the one that was asked for, where that fits into the memory."""
    wanted = [size for size in KEYS if size < effort.keys] + [effort.keys]
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return [size for size in wanted if size * BYTES_PER_KEY < memory / 2]


def many_keys(effort: Effort) -> Answer:
    """An increment among few and among many keys, and what each key takes."""
    each: Line = []
    names = {f"increment among {keys:,} keys": float(keys) for keys in sizes(effort)}
    room = max(64 << 20, int(max(names.values()) * BYTES_PER_KEY))
    with stm.open(max_bytes=room, history_bytes=room // 2) as store:
        for keys in map(int, names.values()):
            before = store.stats().memory.used_bytes
            work.fill(f"{keys}", keys, store)
            taken = (store.stats().memory.used_bytes - before) / keys
            each.append((keys, Spread(taken, taken, taken)))
        works = {
            name: Alone(work.random_increment(f"{int(keys)}", int(keys), store=store))
            for name, keys in names.items()
        }
        cases = measure(works, effort)
    first, last = next(iter(names)), next(reversed(names))
    return Answer(
        cases,
        [ratio_row(f"{last} : {first}", cases, last, first, most=1.5)],
        [
            Series("An increment among many keys", "keys", "µs per block",
                   {"increment": line(cases, names)}, "x"),
            Series("Memory of a key and a small int", "keys", "bytes in the region",
                   {"region": each}, "x"),
        ],
    )  # fmt: skip


def large_values(effort: Effort) -> Answer:
    """Blocks that store, and that read, one value of 0 to 1 MiB."""
    writes = {f"store {size:,} bytes": float(size) for size in BYTES}
    reads = {f"read a list with {size:,} bytes": float(size) for size in BYTES}
    works = {name: Alone(work.write_value(int(size))) for name, size in writes.items()}
    works |= {name: Alone(work.read_value(int(size))) for name, size in reads.items()}
    cases = measure(works, effort)
    drawn = {"store bytes": line(cases, writes), "read a list": line(cases, reads)}
    for points in drawn.values():
        del points[0]  # 0 has no place on a logarithmic axis
    return Answer(cases, series=[Series("Values by size", "bytes", "µs per block", drawn, "xy")])


def long_reads(effort: Effort) -> Answer:
    """Blocks that read 1 to 10,000 keys: alone, by one call, and with a write at the end."""
    name = "bench reads"
    work.fill(name, READS[-1])
    forms = {"read {:,} keys": work.read_many, "get_many of {:,} keys": work.read_many_at_once,
             "read {:,} keys and write": work.read_many_and_write}  # fmt: skip
    works = {
        form.format(count): Alone(make(name, count)) for form, make in forms.items()
        for count in READS
    }  # fmt: skip
    cases = measure(works, effort)
    lines = {
        form.format(0).replace("0 ", ""): line(
            cases, {form.format(count): float(count) for count in READS}
        )
        for form in forms
    }
    return Answer(cases, series=[Series("Read sets", "keys", "µs per block", lines, "xy")])
