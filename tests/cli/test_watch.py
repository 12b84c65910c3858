"""`stmpy demo --watch`: the dashboard in front of the last pass, and the result after it."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import stmpy as stm
from stmpy.cli import _watch, demo, main
from stmpy.cli._live import dashboard_class
from stmpy.cli._passes import Pass
from stmpy.cli._terminal import Terminal

PASS = Pass(workers=2, seconds=1.0, cores=2.0, commits=10, conflicts=1, hottest=[], equal=True)


class Watcher:
    """Stands for the dashboard: reads, lets the pass go on, and reads again when it is over."""

    seen: list[stm.Stats]
    over: Callable[[], object]

    def __init__(self, source: Any, interval: float) -> None:
        self.source = source

    def run(self) -> None:
        self.seen.append(self.source.read())
        self.over()
        self.seen.append(self.source.read())


@pytest.fixture
def watcher(monkeypatch: pytest.MonkeyPatch) -> type[Watcher]:
    Watcher.seen = []
    monkeypatch.setattr(_watch, "dashboard_class", lambda: Watcher)
    return Watcher


def test_the_store_of_the_pass_is_shown_also_after_its_end(watcher: type[Watcher]) -> None:
    with stm.open(name="shown") as store:
        watcher.over = staticmethod(store.close)
        bars: list[int] = []

        def run_pass(progress: Any, opened: Callable[[stm.Store], object]) -> Pass:
            progress(1, 0.1)
            opened(store)
            return PASS

        assert _watch.watched(run_pass, lambda done, _: bars.append(done)) is PASS
    assert [stats.closed for stats in watcher.seen] == [False, True]
    assert {stats.store for stats in watcher.seen} == {"shown"}
    assert bars == []  # The dashboard was in front.


def test_a_pass_that_fails_before_it_opens_a_store_is_raised(watcher: type[Watcher]) -> None:
    def run_pass(progress: Any, opened: Any) -> Pass:
        raise stm.StoreFull("no room")

    with pytest.raises(stm.StoreFull, match="no room"):
        _watch.watched(run_pass, lambda *_: None)
    assert watcher.seen == []


def test_watch_needs_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.py").touch()
    with pytest.raises(SystemExit, match="2"):
        main(["demo", "--watch", "--path", str(tmp_path)])
    assert "--watch needs a terminal" in capsys.readouterr().err


def test_the_whole_demo_under_the_dashboard(
    tmp_path: Path,
    watcher: type[Watcher],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Watched(Terminal):
        def __init__(self) -> None:
            super().__init__()
            self.watched = True

    for i in range(5):
        (tmp_path / f"a{i}.py").write_text("x = 1\n")
    watcher.over = staticmethod(lambda: None)
    monkeypatch.setattr(demo, "Terminal", Watched)
    assert main(["demo", "--watch", "--path", str(tmp_path)]) == 0
    assert len(watcher.seen) == 2
    assert "equal to the plain one" in capsys.readouterr().out


def test_without_textual_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.startswith("stmpy.dashboard._app")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "textual.app", None)
    with pytest.raises(stm.StmError, match=r"install stmpy-store\[dashboard\]"):
        dashboard_class()


def test_another_module_that_is_missing_is_not_mistaken_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "stmpy.dashboard._app", raising=False)
    monkeypatch.setitem(sys.modules, "stmpy.dashboard._details", None)
    with pytest.raises(ModuleNotFoundError, match="_details"):
        dashboard_class()
