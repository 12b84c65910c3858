"""Saved results as what people look at: pictures, and tables, also in the README and the docs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from bench.harness import Series, Spread
from bench.peers.drive import TASKS
from bench.pictures import draw, file_name
from bench.report import figure, spread
from bench.turns import ROOT
from bench.versus import LANGUAGES, LIKE_US, LOCKS

RESULTS: Final = ROOT / "bench" / "results"
TABLE: Final = "table.md"
BEGIN, END = "<!-- from bench/results/table.md: make bench -->\n", "<!-- to here -->\n"
BEGIN_DISK: Final = "<!-- from bench/results/durable.json: python -m bench durable --save -->\n"

type Result = dict[str, Any]


def publish(
    results: Path = RESULTS,
    readme: Path = ROOT / "README.md",
    disk: Path = ROOT / "docs" / "disk.md",
) -> list[Path]:
    """Draws all that is saved, writes the tables into the README and the docs; what was made."""
    made = [picture for file in results.glob("*.json") for picture in pictures(file)]
    for old in set(results.glob("*.svg")) - set(made):
        old.unlink()
    versus = results / "versus.json"
    if versus.exists():
        table = results / TABLE
        hotpath = results / "hotpath.json"
        profile = json.loads(hotpath.read_text()) if hotpath.exists() else None
        table.write_text(as_markdown(json.loads(versus.read_text()), profile))
        made.append(table)
        if quote(readme, BEGIN, table.read_text()):
            made.append(readme)
    durable = results / "durable.json"
    if durable.exists() and quote(
        disk, BEGIN_DISK, rows_as_markdown(json.loads(durable.read_text()))
    ):
        made.append(disk)
    return made


def pictures(file: Path) -> Iterator[Path]:
    """Draws the series of a result, beside it."""
    result = json.loads(file.read_text())
    note = "" if calm(result) else "other programs ran too"
    for data in result["series"]:
        lines = {
            name: [(x, Spread(**value)) for x, value in line]
            for name, line in data["lines"].items()
        }
        series = Series(**(data | {"lines": lines}))
        path = file.parent / file_name(series.title)
        path.write_text(draw(series, note))
        yield path


def calm(result: Result) -> bool:
    """Whether the participants had the processors to themselves."""
    starved = any(case.get("starved", False) for case in result["cases"].values())
    return not starved and result["machine"]["load"] <= result["machine"]["cores"]


def quote(document: Path, begin: str, table: str) -> bool:
    """Puts the table between its two marks, if they are there."""
    text = document.read_text()
    if begin not in text:
        return False
    before, rest = text.split(begin)
    after = rest.partition(END)[2]
    document.write_text(f"{before}{begin}{table}{END}{after}")
    return True


# ---- the table


def as_markdown(versus: Result, hotpath: Result | None = None) -> str:
    """Peers by cases: ours in microseconds, the others as multiples of that."""
    head = ["", *TASKS]
    ours = ["**stmpy**", *(own(versus, case) for case in TASKS)]
    peers = [
        [named(versus, peer), *(multiple(versus, case, peer) for case in TASKS)]
        for peer in (*LIKE_US, *LOCKS, *LANGUAGES)
    ]
    lines = [head, ["---"] + ["--:"] * len(TASKS), ours, *peers]
    return "\n".join([*("| " + " | ".join(line) + " |" for line in lines), "", *caption(versus),
                      *(shares(hotpath) if hotpath else [])])  # fmt: skip


def own(versus: Result, case: str) -> str:
    found = versus["cases"].get(f"{case}: stmpy", {"error": "not run"})
    return "—" if "error" in found else f"{figure(found['ns']['median'] / 1e3)} µs"


def multiple(versus: Result, case: str, peer: str) -> str:
    """How many times as long the peer takes, as the median of the rounds."""
    for row in versus["rows"]:
        if row["title"] == f"{case}: {peer} : stmpy" and row["value"]:
            return f"{figure(row['value']['median'])} ×"
    return "—"


def named(versus: Result, peer: str) -> str:
    """The peer, with the layout that it has for two."""
    case = versus["cases"].get(f"bank, 2 at once: {peer}", {})
    layout = case.get("layout", "").removeprefix("2 ")
    return f"{peer}, {layout}" if layout else peer


def caption(versus: Result) -> list[str]:
    """Where the figures come from, how calm it was there, and what is missing why."""
    machine, rounds = versus["machine"], versus["effort"]["rounds"]
    starved = sum(case.get("starved", False) for case in versus["cases"].values())
    words = [
        f"Medians of {rounds} interleaved rounds; {machine['python']}, {machine['processor']}, "
        f"{machine['cores']} cores, commit {machine['commit']}, {machine['date'][:10]}.",
        f"Load {machine['load']} at the end: other programs took processors from {starved} of "
        f"{len(versus['cases'])} cases." if starved else "Nothing else ran.",
    ]  # fmt: skip
    missing = {
        f"{name.split(': ')[1]}: {case['error']}."
        for name, case in versus["cases"].items()
        if "error" in case
    }
    return [" ".join([*words, *sorted(missing)]), ""]


def shares(hotpath: Result) -> list[str]:
    """Whose the instructions of an increment are."""
    counts = {row["title"]: row["value"]["median"] for row in hotpath["rows"]}
    whole, floor, own, between = (
        figure(counts[f"increment: {part}"])
        for part in ("whole", "floor, CPython's protocol", "stmpy, the extension",
                     "between, CPython on our behalf")
    )  # fmt: skip
    return [
        f"Of the {whole} instructions of an increment in a block, {floor} are CPython's protocol, "
        f"as for a context manager and a mapping that do nothing; {own} are stmpy's, and {between} "
        f"what CPython does beyond that (callgrind, commit {hotpath['machine']['commit']}).",
        "",
    ]


# ---- rows as they are


def rows_as_markdown(result: Result) -> str:
    """Each figure with its spread, what was promised, and whether it holds."""
    lines = [["", "measured", "quartiles", "promised", ""], ["---", "--:", "--:", "--:", "---"]]
    for row in result["rows"]:
        value = row["value"]
        if value is None:
            lines.append([row["title"], "—", "", row["target"], row["note"]])
            continue
        shown, around = f"{figure(value['median'])} {row['unit']}".rstrip(), spread(Spread(**value))
        verdict = {True: "holds", False: "missed", None: ""}[row["met"]]
        lines.append([row["title"], shown, around, row["target"], verdict])
    machine = result["machine"]
    where = (
        f"Medians of {result['effort']['rounds']} interleaved rounds; {machine['python']}, "
        f"{machine['processor']}, {machine['cores']} cores, commit {machine['commit']}, "
        f"{machine['date'][:10]}. Load {machine['load']} at the end."
    )
    if not calm(result):
        where += (
            " Other programs used the disk and the processors too: see the ratios, not the times."
        )
    return "\n".join([*("| " + " | ".join(line) + " |" for line in lines), "", where, "", ""])
