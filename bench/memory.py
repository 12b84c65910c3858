"""Many keys: what each takes in the region, and what it costs to find one among them."""

from __future__ import annotations

import stmpy as stm
from bench import work
from bench.harness import Alone, Answer, Effort, Spread, limit_row, measure, ratio_row

FEW = 1_000


def answer(effort: Effort) -> Answer:
    work.fill("bench few", FEW)
    before = stm.stats().memory.used_bytes
    work.fill("bench many", effort.keys)
    after = stm.stats().memory
    each = (after.used_bytes - before) / effort.keys
    cases = measure(
        {
            "increment among few": Alone(work.random_increment("bench few", FEW)),
            "increment among many": Alone(work.random_increment("bench many", effort.keys)),
        },
        effort,
    )
    title = f"increment among {effort.keys:,} keys : among {FEW:,}"
    return Answer(
        cases,
        [
            limit_row(
                f"region per pair of small ints, {effort.keys:,} keys",
                Spread(each, each, each),
                "bytes",
                160,
            ),
            ratio_row(title, cases, "increment among many", "increment among few", most=1.5),
        ],
    )
