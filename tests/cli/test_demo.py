"""`stmpy demo` as a person and as a program meets it."""

import json
import os
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import stmpy as stm
from stmpy.cli import demo, main
from stmpy.cli._index import Index, PlainIndex
from stmpy.cli._passes import Pass
from stmpy.cli._terminal import Terminal

FILES = {f"m{n}.py": f"import os\ndef f{n % 3}(x):\n    return x + os.sep\n" for n in range(40)}
PASS = Pass(
    workers=2, seconds=1.0, cores=2.0, commits=10, conflicts=1, hottest=[("top", 1)], equal=True
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "broken.py").write_text("(((")
    return tmp_path


def test_the_figures(tree: Path, in_process: Callable[..., str]) -> None:
    """A run of its own, since it starts interpreters; the result is checked by hand as well."""
    call = "import sys; from stmpy.cli import main; sys.exit(main(sys.argv[1:]))"
    text = in_process(call, "demo", "--json", "--workers", "3", "--path", str(tree))
    found = json.loads(text)
    assert found["equal"] is True
    assert (found["files"], found["unreadable"]) == (41, 1)
    # os, sep, x and three functions; os and x occur twice in each file.
    assert (found["names"], found["occurrences"]) == (6, 40 * 6)
    assert found["many"]["workers"] == 3
    # One block takes a file, one adds it.
    assert found["many"]["commits"] >= 41 * 2


def test_what_a_person_sees(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--path", str(tree)]) == 0
    out = capsys.readouterr().out
    assert "41 Python files" in out
    assert "2 interpreters" in out
    assert "equal to the plain one: 6 names, 240 uses" in out
    assert "1 files that are no valid Python source" in out
    assert "\x1b" not in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--path", "nowhere"], "cannot read nowhere: No such file or directory"),
        (["--path", "a.txt"], "cannot read a.txt: Not a directory"),
        (["--path", "empty"], "there is no .py file under empty"),
        (["--workers", "1"], "--workers must be at least 2, not 1"),
        (["--workers", "x"], "invalid int value: 'x'"),
    ],
)
def test_bad_arguments_are_named(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.txt").touch()
    with pytest.raises(SystemExit, match="2"):
        main(["demo", *arguments])
    assert message in capsys.readouterr().err


def test_a_wrong_result_fails(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "shared_pass", lambda *_: replace(PASS, equal=False))
    assert main(["demo", "--path", str(tree)]) == 1
    assert "NOT EQUAL" in capsys.readouterr().out


def test_a_busy_machine_is_mentioned() -> None:
    cores = float(os.process_cpu_count() or 1)
    alone, crowded = replace(PASS, workers=1, cores=0.99), replace(PASS, workers=1, cores=0.5)
    assert not demo.starved(alone, replace(PASS, workers=64, cores=cores))
    assert demo.starved(alone, crowded)


def test_an_error_of_the_library_is_one_line(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> Pass:
        raise stm.StoreFull("the store is full")

    monkeypatch.setattr(demo, "shared_pass", fail)
    assert main(["demo", "--path", str(tree)]) == 1
    assert capsys.readouterr().err == "stmpy: the store is full\n"


def test_equality_looks_at_every_part() -> None:
    with stm.open() as store:
        index, plain = Index(store), PlainIndex()
        for names in (Counter(a=2, b=1), None, Counter(a=1)):
            index.add(names)
            plain.add(names)
        assert index.equals(plain)
        spoilers: list[Callable[[], object]] = [
            lambda: index.occurrences.update(b=2),
            lambda: index.files.pop("b"),
            lambda: index.totals.update(files=4),
            lambda: index.totals.update(unreadable=0),
            lambda: index.totals.update(names=5),
            lambda: setattr(index.top, "value", []),
        ]

        def equal_when_spoiled(spoil: Callable[[], object]) -> bool:
            """Leaves the block by an exception, which undoes it for the next."""
            try:
                with store.atomically():
                    spoil()
                    equal = index.equals(plain)
                    raise InterruptedError
            except InterruptedError:
                return equal

        assert [equal_when_spoiled(spoil) for spoil in spoilers] == [False] * 6
        assert index.equals(plain)


def test_each_file_is_taken_once() -> None:
    with stm.open() as store:
        index = Index(store)
        taken: list[int] = []

        def take() -> None:
            while (number := index.take(500)) is not None:
                taken.append(number)

        threads = [threading.Thread(target=take) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(taken) == list(range(500))
        index.stop()
        assert index.take(500) is None


def test_plain_output_for_a_stream_without_unicode(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with path.open("w", encoding="ascii") as stream:
        terminal = Terminal(stream)
        terminal.line("1.9 × · naïve")
        terminal.bar("work", 4)(4, 1.5)
    first, second = path.read_text().splitlines()
    assert first == "1.9 x | na?ve"
    assert second.startswith("work ####")
    assert second.endswith("4 files    1.5 s")
