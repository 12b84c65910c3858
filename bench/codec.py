"""Values to bytes and back: stmpy's codec beside cbor2, msgspec, pickle and json."""

from __future__ import annotations

from bench.harness import Alone, Answer, Case, Effort, measure, ratio_row
from bench.peers.codec import DIRECTIONS, LIBRARIES, SAMPLES, repeat
from bench.peers.drive import Peer, attempt
from stmpy import _native


def answer(effort: Effort) -> Answer:
    found = Answer()
    for sample in SAMPLES:
        for direction in DIRECTIONS:
            found.add(compare(direction, sample, effort))
    return found


def compare(direction: str, sample: str, effort: Effort) -> Answer:
    """One way of one sample, by all libraries in turn."""
    serious = effort != Effort.tiny()
    what = f"{direction} {sample}"
    us = f"{what}: stmpy"
    cases: dict[str, Case | Exception] = {
        us: Alone(repeat(direction, sample, _native.encode, _native.decode))
    }
    for library in LIBRARIES:
        task = f"{library} {what}"
        cases[f"{what}: {library}"] = attempt(
            lambda task=task: Peer("codec", task, serious)  # type: ignore[misc]
        )
    measured = measure(cases, effort)
    rows = [
        ratio_row(f"{what}: {library} : stmpy", measured, f"{what}: {library}", us)
        for library in LIBRARIES
    ]
    return Answer(measured, rows)
