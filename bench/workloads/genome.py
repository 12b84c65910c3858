"""STAMP's genome: a gene is rebuilt from overlapping segments that come many times, in disorder.

Segments are put into a set, which drops the doubles; then each is linked to the one that starts
with its end, longest overlaps first. When all are linked the gene is read off the chain, compared
with the original, and everything begins anew. The invariant: every gene that was rebuilt is the
original.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final

import stmpy as stm
from bench.workloads.invariant import expect

if TYPE_CHECKING:
    from bench.harness import Work

LENGTH: Final = 256  # of the gene
SEGMENT: Final = 16
STEP: Final = 4  # each segment begins so much after the one before
BATCH: Final = 8  # segments in one block
_random = Random(1)
GENE: Final = "".join(_random.choice("acgt") for _ in range(LENGTH))
_whole: Final = [GENE[at : at + SEGMENT] for at in range(0, LENGTH - SEGMENT + 1, STEP)]
SEGMENTS: Final = _random.sample(_whole * 4, 4 * len(_whole))
OVERLAP: Final = SEGMENT - STEP

progress: stm.TVar[str, int] = stm.TVar("genome progress")
unique: stm.TVar[str, str] = stm.TVar("genome unique")  # by the letters that they start with
following: stm.TVar[str, str] = stm.TVar("genome following")


@stm.atomically
def begin(participants: int) -> None:
    progress.update(inserted=0, linked=0, rebuilt=0, wrong=0)
    unique.clear()
    following.clear()


def step() -> None:
    """Puts in, or links, the next few segments; the one who links the last reads the gene."""
    with stm.atomically():
        first = progress["inserted"]
        if first < len(SEGMENTS):
            for segment in SEGMENTS[first : first + BATCH]:
                unique[segment[:OVERLAP]] = segment
            progress["inserted"] = first + BATCH
        elif progress["linked"] < len(_whole):
            link(progress["linked"])
        else:
            progress["wrong"] += read_off() != GENE
            progress["rebuilt"] += 1
            progress.update(inserted=0, linked=0)
            unique.clear()
            following.clear()


def link(first: int) -> None:
    """Links the next few of the segments to their successors."""
    for segment in sorted(unique.values())[first : first + BATCH]:
        successor = unique.get(segment[STEP:])
        if successor is not None:
            following[segment] = successor
    progress["linked"] = first + BATCH


def read_off() -> str:
    """The gene along the chain, from the segment that follows none."""
    after = following.copy()
    here = (set(unique.values()) - set(after.values())).pop()
    gene = here
    while here in after:
        here = after[here]
        gene += here[OVERLAP:]
    return gene


def work(number: int) -> Work:
    def run(n: int) -> None:
        for _ in range(n):
            step()

    return run


def check() -> None:
    with stm.snapshot():
        done, known, after = progress.copy(), unique.copy(), following.copy()
    expect(done["wrong"] == 0, f"{done['wrong']} of {done['rebuilt']} genes are not the original")
    inserted = set(SEGMENTS[: done["inserted"]])
    expect(set(known.values()) == inserted, "a segment that was put in is missing")
    expect(all(b.startswith(a[STEP:]) for a, b in after.items()), "a link without an overlap")
    expect(set(after) <= inserted, "a link of a segment that nobody has put in")
