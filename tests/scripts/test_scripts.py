"""Every script, under both isolations, its transactions in threads and in interpreters."""

from itertools import count
from pathlib import Path

import pytest

from tests.conftest import Interpreters
from tests.scripts.actor import act
from tests.scripts.player import Place, play
from tests.scripts.script import ISOLATIONS, Isolation, Script, Step, load, parse

SCRIPTS = sorted(Path(__file__).parent.glob("*.script"))
ROOT = str(Path(__file__).parents[2])
numbers = count(1)


def expected(script: Script, isolation: Isolation) -> list[str]:
    return [line(step, step.outcome[isolation]) for step in script.steps]


def line(step: Step, outcome: str) -> str:
    return f"{step.actor} {step.command} -> {outcome}"


def played(script: Script, isolation: Isolation, place: Place) -> list[str]:
    outcomes = play(script, isolation, f"script {next(numbers)}", place)
    return [line(step, outcome) for step, outcome in zip(script.steps, outcomes, strict=True)]


@pytest.mark.parametrize("isolation", ISOLATIONS)
@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_threads(path: Path, isolation: Isolation) -> None:
    script = load(path)
    assert played(script, isolation, act) == expected(script, isolation)


@pytest.mark.parametrize("isolation", ISOLATIONS)
@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_interpreters(path: Path, isolation: Isolation, interpreters: Interpreters) -> None:
    """Each transaction in an interpreter of its own, with its own GIL and its own stmpy."""

    def elsewhere(commands: int, outcomes: int, variable: str, isolation: Isolation) -> None:
        text = f"""
            import sys
            sys.path.append({ROOT!r})
            from tests.scripts.actor import act
            act({commands}, {outcomes}, {variable!r}, {isolation!r})
        """
        interpreters.run(interpreters.create(), text)

    script = load(path)
    assert played(script, isolation, elsewhere) == expected(script, isolation)


# Which of the published anomalies have a script: those of Hermitage, and some more.
HERMITAGE = {"g0", "g1a", "g1b", "g1c", "otv", "pmp", "pmp-write", "p4", "g-single"}
HERMITAGE |= {"g-single-predicate", "g-single-write-1", "g-single-write-2", "g2-item", "g2"}
HERMITAGE |= {"g2-two-edges"}


def test_the_whole_list_is_there() -> None:
    assert {path.stem for path in SCRIPTS} >= HERMITAGE


def test_snapshot_isolation_lets_happen_what_is_its_price() -> None:
    """Write skew, on items and on predicates: all commit, where serializable one must not."""

    def conflicts(script: Script, isolation: Isolation) -> bool:
        return any(step.outcome[isolation] == "Conflict" for step in script.steps)

    scripts = {path.stem: load(path) for path in SCRIPTS}
    happen = {
        name
        for name, script in scripts.items()
        if conflicts(script, "serializable") and not conflicts(script, "snapshot")
    }
    skewed = {"g2-item", "g2", "g2-keys", "g2-two-edges", "read-only-anomaly", "g1c", "absence"}
    assert happen == skewed | {"opacity"}


def test_a_line_that_is_no_step_is_refused() -> None:
    with pytest.raises(ValueError, match="line 2 is no step: 'commit'"):
        parse("T1 begin\ncommit")


def test_a_wrong_outcome_fails() -> None:
    script = parse("start x 1\nT1 begin\nT1 get x -> 2\nT1 commit -> committed")
    assert played(script, "serializable", act) != expected(script, "serializable")
