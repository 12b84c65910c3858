"""STAMP's intruder: fragments of packets arrive out of order, are put together, and searched.

Capture, reassembly and detection are a block each. Flows are numbered on for ever; every seventh
carries an attack. The invariant: each flow is finished once, as it was sent, and exactly the
attacks are found.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final

import stmpy as stm
from bench.workloads.invariant import expect

if TYPE_CHECKING:
    from bench.harness import Work

FLOWS: Final = 32  # in one wave, whose fragments are mixed
PIECES: Final = 4
ATTACK: Final = "rm -rf"

position: stm.TRef[int] = stm.TRef("intruder position")
pieces: stm.TVar[int, dict[int, str]] = stm.TVar("intruder pieces")  # of flows that are incomplete
results: stm.TVar[str, int] = stm.TVar("intruder results")


def text_of(flow: int) -> str:
    """What was sent."""
    return f"flow {flow} {ATTACK if flow % 7 == 0 else 'hello'} end of {flow}"


def fragment(number: int) -> tuple[int, int, str]:
    """The fragment that arrives at this position: its flow, its place there, its text."""
    wave, rest = divmod(number, FLOWS * PIECES)
    order = list(range(FLOWS * PIECES))
    Random(wave).shuffle(order)
    flow, place = divmod(order[rest], PIECES)
    flow += wave * FLOWS
    text = text_of(flow)
    each = -(-len(text) // PIECES)
    return flow, place, text[place * each : (place + 1) * each]


@stm.atomically
def begin(participants: int) -> None:
    position.value = 0
    pieces.clear()
    results.update(finished=0, attacks=0, damaged=0)


def capture() -> int:
    with stm.atomically():
        number = position.value
        position.value = number + 1
        return number


def put_together(flow: int, place: int, text: str) -> str | None:
    """The whole text, if this was its last piece."""
    with stm.atomically():
        known = pieces.get(flow, {}) | {place: text}
        if len(known) < PIECES:
            pieces[flow] = known
            return None
        pieces.pop(flow, None)
        whole = "".join(known[number] for number in range(PIECES))
        results["finished"] += 1
        results["damaged"] += whole != text_of(flow)
        results["attacks"] += ATTACK in whole
        return whole


def work(number: int) -> Work:
    def run(n: int) -> None:
        for _ in range(n):
            put_together(*fragment(capture()))

    return run


def check() -> None:
    with stm.snapshot():
        count, open_flows, found = position.value, pieces.copy(), results.copy()
    sent: dict[int, int] = {}
    for number in range(count):
        flow, _, _ = fragment(number)
        sent[flow] = sent.get(flow, 0) + 1
    whole = [flow for flow, known in sent.items() if known == PIECES]
    expect(found["damaged"] == 0, "a flow was put together wrongly")
    expect(found["finished"] == len(whole), f"{found['finished']} of {len(whole)} flows finished")
    attacks = sum(ATTACK in text_of(flow) for flow in whole)
    expect(found["attacks"] == attacks, f"{found['attacks']} of {attacks} attacks found")
    waiting = {flow: known for flow, known in sent.items() if known < PIECES}
    expect({flow: len(known) for flow, known in open_flows.items()} == waiting, "pieces are lost")
