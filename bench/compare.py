"""What changed between two results, beyond noise: `python -m bench compare OLD NEW`.

OLD and NEW are files of JSON that `--save` left, or folders of them. A figure has changed if the
quartiles of the two do not overlap and the medians differ by more than 5 %; by processor time for
the cases, since two runs seldom share the same quiet. Rows, most of them ratios that were measured
pair by pair within one run, are compared as they are. That the machine, the Python or the effort is
not the same is said first, because then the numbers say little about the code.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from bench.harness import Spread
from bench.report import figure, table

LEAST: Final = 0.05  # the change that is worth telling
SAME: Final = ("processor", "cores", "python", "compiler")

type Result = dict[str, Any]


def load(path: Path) -> dict[str, Result]:
    """Results by their question."""
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    found = [json.loads(file.read_text()) for file in files]
    if not found:
        raise SystemExit(f"{path}: no results in it; `python -m bench QUESTION --save` makes them")
    return {one["question"]: one for one in found}


def figures(result: Result) -> Iterator[tuple[str, str, Spread]]:
    """All that was measured, with its unit."""
    for name, case in result["cases"].items():
        if "error" not in case:
            yield name, "ns of cpu", Spread(**case["cpu_ns"])
    for row in result["rows"]:
        if row["value"]:
            value = row["by_cpu"] or row["value"]
            yield row["title"], row["unit"], Spread(**value)


def changed(old: Spread, new: Spread) -> bool:
    """Whether the difference is more than noise."""
    apart = old.high < new.low or new.high < old.low
    scale = max(abs(old.median), abs(new.median))
    return apart and abs(new.median - old.median) > LEAST * scale


def differences(old: Result, new: Result) -> list[tuple[str, ...]]:
    """A line for each figure that changed, came or went."""
    before = {(name, unit): value for name, unit, value in figures(old)}
    after = {(name, unit): value for name, unit, value in figures(new)}
    lines: list[tuple[str, ...]] = []
    for key in before | after:
        name, unit = key
        a, b = before.get(key), after.get(key)
        if a is None or b is None:
            lines.append((name, "gone" if b is None else "new", "", "", unit))
        elif changed(a, b):
            ratio = f"× {b.median / a.median:.2f}" if a.median else "from 0"
            lines.append((name, figure(a.median), figure(b.median), ratio, unit))
    return lines


def conditions(old: Result, new: Result) -> list[str]:
    """What else than the code may have made a difference."""
    pairs = [(word, old["machine"][word], new["machine"][word]) for word in SAME]
    pairs.append(("effort", old["effort"], new["effort"]))
    lines = [f"{word}: {a} before, {b} now" for word, a, b in pairs if a != b]
    for name, result in (("before", old), ("now", new)):
        starved = sum(case.get("starved", False) for case in result["cases"].values())
        if starved:
            lines.append(f"{name}, other programs took processors from {starved} cases")
    return lines


def compare(old_path: Path, new_path: Path) -> str:
    """What changed, as text."""
    old, new = load(old_path), load(new_path)
    text: list[str] = []
    for question in old | new:
        if question not in old or question not in new:
            where = "before" if question in old else "now"
            text.append(f"{question}: only {where}")
            continue
        a, b = old[question], new[question]
        commits = f"{a['machine']['commit']} → {b['machine']['commit']}"
        lines = differences(a, b)
        count = len(dict.fromkeys((n, u) for n, u, _ in [*figures(a), *figures(b)]))
        text.append(f"{question}, {commits}: {len(lines)} of {count} figures changed beyond noise")
        text += [f"  {line}" for line in conditions(a, b)]
        if lines:
            text += [f"  {line}" for line in table(("", "before", "now", "", "unit"), lines)]
    return "\n".join(text)
