"""Results are compared and published as they are: pictures, the table, what changed."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from bench.compare import compare
from bench.harness import Row, Series, Spread
from bench.pictures import axis, draw, file_name
from bench.publish import (
    BEGIN,
    BEGIN_DISK,
    END,
    RESULTS,
    TABLE,
    as_markdown,
    publish,
    rows_as_markdown,
)

ROOT = Path(__file__).parent.parent.parent
SVG = "{http://www.w3.org/2000/svg}"


def around(value: float) -> Spread:
    return Spread(value, value * 0.99, value * 1.01)


def spread(value: float) -> dict[str, float]:
    return {"median": value, "low": value * 0.99, "high": value * 1.01}


def result(ns: float, ratio: float = 2.0, **machine: object) -> dict[str, Any]:
    """A saved result with one case, one row and one series."""
    known = {"processor": "p", "cores": 2, "python": "CPython 3", "compiler": "c", "load": 0.1,
             "commit": "abc", "date": "2026-01-01T00:00:00"}  # fmt: skip
    row = {"title": "bank: lock : stmpy", "value": spread(ratio), "unit": "×", "by_cpu": None}
    line = [[1, spread(ns)], [2, spread(2 * ns)]]
    return {
        "question": "versus",
        "machine": known | machine,
        "effort": {"rounds": 9},
        "cases": {
            "bank: stmpy": {"ns": spread(ns), "cpu_ns": spread(ns), "starved": False},
            "bank: ghc": {"layout": "", "error": "FileNotFoundError: ghc is not installed"},
        },
        "rows": [row],
        "series": [
            {"title": "A < b", "x": "n", "y": "ns", "lines": {"us": line}, "logarithmic": "x"}
        ],
    }


# ---- comparing


def compared(tmp_path: Path, old: dict[str, Any], new: dict[str, Any]) -> str:
    for name, data in (("old", old), ("new", new)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "versus.json").write_text(json.dumps(data))
    return compare(tmp_path / "old", tmp_path / "new")


def test_noise_is_no_change(tmp_path: Path) -> None:
    said = compared(tmp_path, result(100), result(101))
    assert said == "versus, abc → abc: 0 of 2 figures changed beyond noise"


def test_small_changes_of_exact_figures_are_noise_too(tmp_path: Path) -> None:
    assert ": 0 of 2" in compared(tmp_path, result(100), result(104))


def test_a_change_is_told_with_its_size(tmp_path: Path) -> None:
    said = compared(tmp_path, result(100), result(150, ratio=1.0))
    assert ": 2 of 2" in said
    assert "× 1.50" in said
    assert "× 0.50" in said


def test_other_conditions_are_told(tmp_path: Path) -> None:
    new = result(100, python="CPython 4")
    new["cases"]["bank: stmpy"]["starved"] = True
    said = compared(tmp_path, result(100), new)
    assert "python: CPython 3 before, CPython 4 now" in said
    assert "now, other programs took processors from 1 cases" in said


def test_what_came_or_went_is_told(tmp_path: Path) -> None:
    new = result(100)
    new["cases"]["bank: more"] = new["cases"].pop("bank: stmpy")
    said = compared(tmp_path, result(100), new)
    assert "gone" in said
    assert "new" in said


def test_the_command_compares_files(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(result(100)))
    words = [sys.executable, "-m", "bench", "compare", str(path)]
    done = subprocess.run([*words, str(path)], capture_output=True, text=True, cwd=ROOT, check=True)
    assert "0 of 2 figures" in done.stdout
    fails = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=False)
    assert fails.returncode == 2
    assert "two results" in fails.stderr


def test_a_folder_without_results_is_said(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no results in it"):
        compare(tmp_path, tmp_path)


# ---- pictures


def test_a_picture_shows_every_line_within_its_frame() -> None:
    lines = {f"line {n}": [(10.0**x, around(n * x + 0.5)) for x in range(5)] for n in range(1, 4)}
    root = ET.fromstring(draw(Series("Cost & size", "keys", "µs", lines, "xy")))
    assert [one.text for one in root.iter(f"{SVG}title")] == ["Cost & size"]
    circles = list(root.iter(f"{SVG}circle"))
    assert len(circles) == 15
    assert all(0 < float(one.get("cx", 0)) < 640 for one in circles)
    assert all(0 < float(one.get("cy", 0)) < 400 for one in circles)
    words = {one.text for one in root.iter(f"{SVG}text")}
    assert {"keys", "µs", "line 1", "line 3", "10 k"} <= words


def test_more_lies_higher_and_farther_right() -> None:
    up = axis([1, 10, 100], 300, 0, logarithmic=True)
    assert [round(up.at(value)) for value in (1, 10, 100)] == [300, 150, 0]
    across = axis([0, 10], 0, 105, logarithmic=False)
    assert [round(across.at(value)) for value in (0, 5, 10)] == [0, 50, 100]
    assert across.ticks() == [0, 5, 10]


@pytest.mark.parametrize("logarithmic", ["", "x", "y", "xy"])
@pytest.mark.parametrize("value", [0, 1e-9, 1, 1e12])
def test_odd_values_are_drawn(logarithmic: str, value: float) -> None:
    ET.fromstring(draw(Series("t", "x", "y", {"one": [(1, around(value))]}, logarithmic)))


def test_no_points_make_no_picture() -> None:
    with pytest.raises(ValueError, match="no points"):
        draw(Series("t", "x", "y", {}))


# ---- publishing


def test_publishing_draws_and_quotes(tmp_path: Path) -> None:
    (tmp_path / "versus.json").write_text(json.dumps(result(1500)))
    (tmp_path / "old.svg").touch()
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{BEGIN}old table\n{END}after\n")
    made = publish(tmp_path, readme, readme)
    assert {path.name for path in made} == {file_name("A < b"), TABLE, "README.md"}
    assert not (tmp_path / "old.svg").exists()
    table = (tmp_path / TABLE).read_text()
    assert readme.read_text() == f"before\n{BEGIN}{table}{END}after\n"
    assert "| **stmpy** |" in table
    assert "1.5 µs" in table
    assert "| 2 × |" in table
    assert "ghc: FileNotFoundError: ghc is not installed." in table


def test_a_picture_says_that_other_programs_ran(tmp_path: Path) -> None:
    words, readme = "other programs ran too", tmp_path / "README.md"
    readme.touch()
    for data, told in ((result(1), False), (result(1, load=9.0), True)):
        (tmp_path / "versus.json").write_text(json.dumps(data))
        publish(tmp_path, readme, readme)
        assert (words in (tmp_path / file_name("A < b")).read_text()) == told


def test_the_table_says_how_calm_it_was() -> None:
    calm, busy = result(100), result(100)
    busy["cases"]["bank: stmpy"]["starved"] = True
    assert "Nothing else ran." in as_markdown(calm)
    assert "other programs took processors from 1 of 2 cases" in as_markdown(busy)


def test_the_table_says_whose_the_instructions_are() -> None:
    parts = {"whole": 100, "floor, CPython's protocol": 60, "stmpy, the extension": 30,
             "between, CPython on our behalf": 10}  # fmt: skip
    rows = [{"title": f"increment: {part}", "value": spread(n)} for part, n in parts.items()]
    said = as_markdown(result(100), {"rows": rows, "machine": {"commit": "abc"}})
    assert "Of the 100 instructions of an increment in a block, 60 are CPython's" in said
    assert "30 are stmpy's, and 10 what CPython does" in said


def test_the_readme_quotes_the_table_that_is_saved() -> None:
    text = (ROOT / "README.md").read_text()
    assert BEGIN in text
    assert BEGIN + (RESULTS / TABLE).read_text() + END in text


def test_rows_are_quoted_with_what_was_promised(tmp_path: Path) -> None:
    rows = [
        asdict(Row("good", around(2), "×", "≥ 1 ×", True)),
        asdict(Row("bad", around(9), "s", "≤ 5 s", False)),
        asdict(Row("none", None, "s", note="no disk")),
    ]
    (tmp_path / "durable.json").write_text(json.dumps(result(100, load=3.0) | {"rows": rows}))
    document = tmp_path / "disk.md"
    document.write_text(f"before\n{BEGIN_DISK}stale\n{END}after\n")
    assert document in publish(tmp_path, document, document)
    said = document.read_text()
    assert "| good | 2 × | 1.98 to 2.02 | ≥ 1 × | holds |" in said
    assert "| bad | 9 s | 8.91 to 9.09 | ≤ 5 s | missed |" in said
    assert "| none | — |  |  | no disk |" in said
    assert "Load 3.0 at the end. Other programs used the disk" in said
    assert said.endswith(f"{END}after\n")
    assert "stale" not in said


def test_the_page_on_disks_quotes_what_is_saved() -> None:
    saved = json.loads((RESULTS / "durable.json").read_text())
    assert BEGIN_DISK + rows_as_markdown(saved) + END in (ROOT / "docs" / "disk.md").read_text()


def test_every_picture_in_the_documents_is_there() -> None:
    for folder in (ROOT, ROOT / "bench"):
        text = (folder / "README.md").read_text()
        for words in text.split("](")[1:]:
            name = words.partition(")")[0]
            if name.endswith(".svg"):
                assert (folder / name).exists(), name
