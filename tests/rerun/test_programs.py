"""Random programs give the same with and without conflicts."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, note, reject, settings
from hypothesis import strategies as st

from tests.rerun.programs import KINDS, write
from tests.rerun.real import Store
from tests.rerun.run import STEPS, TooLong, run
from tests.rerun.toy import Lock, Rerunner

PROGRAMS = 200  # of each kind, for either
LOSSES = (3, 12)  # of one run of a program
ODDS = 0.3


@st.composite
def programs(draw: st.DrawFn, kind: str) -> str:
    return write(lambda below: draw(st.integers(0, below - 1)), kind)


def losing(seed: int, most: int) -> Callable[[], bool]:
    """Decides at random which attempts lose, `most` times at most."""
    rng, left = random.Random(seed), most

    def loses() -> bool:
        nonlocal left
        lost = left > 0 and rng.random() < ODDS
        left -= lost
        return lost

    return loses


@pytest.mark.slow
@pytest.mark.parametrize("blocks", [Rerunner, Store])
@pytest.mark.parametrize("kind", KINDS)
def test_a_program_gives_the_same_when_its_blocks_run_again(
    kind: str, blocks: type[Rerunner] | type[Store]
) -> None:
    reruns = 0

    @settings(max_examples=PROGRAMS, suppress_health_check=list(HealthCheck))
    @given(programs(kind), st.integers(0, 2), st.booleans(), st.integers(0, 2**32 - 1))
    def check(text: str, a: int, separate: bool, seed: int) -> None:
        nonlocal reruns
        note(text)
        try:
            code = compile(text, "<program>", "exec")
            expected = run(Lock(), code, a, separate)
        except (SyntaxError, TooLong):
            reject()
        with blocks() as stm:
            for most in LOSSES:
                stm.start(losing(seed, most))
                with suppress(TooLong):
                    assert run(stm, code, a, separate, 20 * STEPS) == expected
            reruns += stm.reruns

    check()
    assert reruns > PROGRAMS / 2, "hardly a block has run again: this proves nothing"
