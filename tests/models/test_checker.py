"""The checker against models whose answers are known."""

from collections.abc import Callable

import pytest

from models import report
from models.broken import Mutant
from models.checker.liveness import check
from models.checker.model import Model
from models.checker.search import DEADLOCK, Outcome, explore
from models.checker.trace import Trace

from .toys import (
    EXCLUSION,
    NAMED,
    Dekker,
    Door,
    Increment,
    IncrementNamed,
    IncrementWhole,
    Philosophers,
    StrongDoor,
    UnfairDoor,
    Walk,
)


def fault_of(outcome: Outcome) -> Trace:
    assert outcome.fault is not None
    return outcome.fault


def test_counterexample_is_a_shortest_one() -> None:
    fault = fault_of(explore(Walk()))
    assert fault.prop == "never on seven"
    assert sorted(line.action for line in fault.lines) == ["go one", "go three", "go three"]


@pytest.mark.parametrize("run", [explore, check])
def test_deadlock_is_found(run: Callable[[Model], Outcome]) -> None:
    fault = fault_of(run(Philosophers("left_first")))
    assert fault.prop == DEADLOCK
    assert [line.action for line in fault.lines] == ["take", "take"]
    assert explore(Philosophers()).fault is None


def test_what_is_always_possible_happens_under_weak_fairness() -> None:
    assert check(Door("stays_open")).fault is None


def test_what_is_possible_now_and_then_needs_strong_fairness() -> None:
    fault = fault_of(check(Door()))
    assert fault.prop == "gets through"
    assert fault.loop is not None
    assert {line.action for line in fault.lines[fault.loop :]} == {"swing"}
    assert check(StrongDoor()).fault is None


def test_a_step_that_is_always_possible_is_not_put_off_for_ever() -> None:
    assert check(StrongDoor("lazy")).fault is None


def test_a_run_may_end_where_only_unfair_actions_are_possible() -> None:
    assert fault_of(check(UnfairDoor("stays_open"))).prop == "gets through"


def test_store_buffers_let_both_into_dekkers_section() -> None:
    assert explore(Dekker()).fault is None
    fault = fault_of(explore(Dekker("plain_store")))
    assert fault.prop == "one at a time"
    assert "flush" not in {line.action for line in fault.lines}


@pytest.mark.parametrize("switch", ["", "no_lock", "no_release"])
def test_reductions_do_not_change_the_verdict(switch: str) -> None:
    reduced, whole = explore(Increment(switch)), explore(IncrementWhole(switch))
    assert reduced.states < whole.states
    assert (reduced.fault is None) == (whole.fault is None)
    if whole.fault is not None:
        assert fault_of(reduced).prop == whole.fault.prop


@pytest.mark.parametrize("switch", ["", "no_lock", "no_release"])
def test_threads_that_are_named_are_interchangeable_all_the_same(switch: str) -> None:
    named, plain = explore(IncrementNamed(switch)), explore(Increment(switch))
    assert (named.fault is None) == (plain.fault is None)
    if plain.fault is None:
        assert named.states == plain.states  # one representative for each, as without names
    else:
        assert fault_of(named).prop == plain.fault.prop
        assert len(fault_of(named)) == len(plain.fault)


@pytest.mark.parametrize("order", [[1, 2, 0], [2, 1, 0], [0, 2, 1]])
def test_a_representative_stands_for_every_order_of_the_threads(order: list[int]) -> None:
    for state in bytes((0, 2, 1, 5, 1, 5, 0, 0)), bytes((0, 1, 3, 0, 1, 5, 1, 4)):
        assert NAMED.representative(NAMED.permuted(state, order)) == NAMED.representative(state)


@pytest.mark.parametrize("switch", ["", "no_lock", "no_release"])
def test_liveness_checks_what_the_search_checks(switch: str) -> None:
    whole, graph = explore(IncrementWhole(switch)), check(IncrementWhole(switch))
    if whole.fault is None:
        assert (graph.states, graph.fault) == (whole.states, None)
    else:
        assert fault_of(graph).prop == whole.fault.prop
        assert len(fault_of(graph)) == len(whole.fault)


def test_a_trace_can_be_read() -> None:
    text = fault_of(explore(Increment("no_lock"))).text()
    lines = text.splitlines()
    assert lines[0].split()[:3] == ["1", "T0", "acquire"]
    assert "lock 0→1" in lines[0]
    assert lines[-1].strip() == f"breaks: {EXCLUSION}"
    # Threads keep their names all along, although the search has exchanged them.
    for thread in "T0", "T1", "T2":
        steps = [line.split()[2] for line in lines if line.split()[1] == thread]
        assert steps == ["acquire", "load", "store", "release"]


@pytest.fixture(autouse=True)
def no_second_opinion(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has tests of its own."""
    monkeypatch.setattr(report, "BREAKS", {})


def table(models: list[type[Model]], mutants: list[Mutant]) -> object:
    return lambda names: (models, mutants)


def test_the_report_fails_for_a_mutant_that_survives(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dies = Mutant(Increment, "no_lock", "no lock is taken", EXCLUSION)
    survives = Mutant(Increment, "no_such_switch", "nothing is changed", EXCLUSION)
    elsewhere = Mutant(Increment, "no_release", "the lock is kept", EXCLUSION)
    for mutants, code in (([dies], 0), ([dies, survives], 1), ([elsewhere], 1)):
        monkeypatch.setattr(report, "_chosen", table([Increment], mutants))
        assert report.main([]) == code
    printed = capsys.readouterr().out
    assert "FAIL   - no_such_switch" in printed
    assert "holds" in printed


def test_the_report_fails_for_a_model_that_does_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "_chosen", table([Walk], []))
    assert report.main([]) == 1


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(SystemExit, match="no model is called nonsense"):
        report.main(["nonsense"])
