"""The second opinion: spin finds what is broken, and its absence is said."""

import shutil

import pytest

from models import report, second


@pytest.mark.skipif(bool(second.missing()), reason="spin is not installed")
def test_spin_finds_a_lost_wake_up_and_nothing_else() -> None:
    assert second.ask("park").error == ""
    broken = second.ask("park", "PARK_UNCHECKED")
    assert broken.good
    assert second.ENDLESS in broken.error


@pytest.mark.skipif(bool(second.missing()), reason="spin is not installed")
def test_a_twin_that_survives_fails_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(second.TWINS, "park", ("NO_SUCH_DEFINE",))
    assert not second.report(["park"])


def test_without_spin_the_report_says_so_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda tool: None)
    assert second.report(["park"])
    assert "spin and cc not installed: no second opinion" in capsys.readouterr().out


def test_the_models_fail_when_spin_disagrees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "_chosen", lambda names: ([], []))
    monkeypatch.setattr(report, "ask_spin", lambda names, quick: False)
    assert report.main(["park"]) == 1
