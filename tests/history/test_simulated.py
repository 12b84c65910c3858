"""The checker on runs of a simulated store that is right or wrong in a known way."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.history.check import check
from tests.history.findings import REAL_TIME
from tests.history.simulate import Engine, simulate

seeds = st.integers(0, 2**32)


@pytest.mark.parametrize("engine", [Engine.SERIAL, Engine.SERIALIZABLE])
@given(seed=seeds, stamped=st.booleans())
def test_right_engines_are_clean(engine: Engine, seed: int, stamped: bool) -> None:
    for isolation in ("serializable", "snapshot"):
        report = check(simulate(Random(seed), engine, 150, stamped=stamped), isolation)
        assert report.clean, report


@given(seed=seeds, stamped=st.booleans())
def test_snapshot_isolation_shows_write_skew_and_nothing_else(seed: int, stamped: bool) -> None:
    history = simulate(Random(seed), Engine.SNAPSHOT, 150, stamped=stamped)
    kinds = {kind.removesuffix(REAL_TIME) for kind in check(history).kinds}
    # An attempt that later aborts may be one half of a write skew, too.
    assert kinds <= {"G2-item", "G2", "opacity"}
    assert check(history, "snapshot").clean


@settings(max_examples=20)
@given(seed=seeds, stamped=st.booleans())
def test_write_skew_of_snapshot_isolation_is_found(seed: int, stamped: bool) -> None:
    report = check(simulate(Random(seed), Engine.SNAPSHOT, 1000, stamped=stamped))
    assert {kind.removesuffix(REAL_TIME) for kind in report.kinds} & {"G2-item", "G2"}


@settings(max_examples=20)
@given(seed=seeds, stamped=st.booleans())
def test_skipped_validation_is_found(seed: int, stamped: bool) -> None:
    """One commit in twenty is not validated; readers of snapshots see nothing of it."""
    report = check(simulate(Random(seed), Engine.UNVALIDATED, 5000, stamped=stamped))
    assert not report.clean
    assert not report.kinds & {"internal", "unwritten", "G1a", "G1b", "snapshot"}


@settings(max_examples=20)
@given(seed=seeds, stamped=st.booleans())
def test_attempts_that_see_a_torn_state_are_found_though_none_commits(
    seed: int, stamped: bool
) -> None:
    report = check(simulate(Random(seed), Engine.ZOMBIE, 1000, stamped=stamped))
    assert "opacity" in report.kinds
    assert report.kinds <= {"opacity", "internal", *(["snapshot"] * stamped)}


@settings(max_examples=20)
@given(seed=seeds, stamped=st.booleans())
def test_dirty_reads_are_found(seed: int, stamped: bool) -> None:
    report = check(simulate(Random(seed), Engine.DIRTY, 1000, stamped=stamped))
    assert report.kinds >= {"G1a", "G1b"}


@pytest.mark.slow
def test_a_hundred_thousand_transactions(rng: Random) -> None:
    report = check(simulate(rng, Engine.SERIALIZABLE, 100_000, workers=8, spread=10))
    assert report.clean, report
    assert report.attempts == 100_000
