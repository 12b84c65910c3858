"""That the bench runs and says what it should. Times are not judged here."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from bench import startup, statistics
from bench.harness import (
    Alone,
    Effort,
    Measured,
    Spread,
    Timing,
    limit_row,
    measure,
    note,
    quotient,
    quotient_by_cpu,
    ratio_row,
)
from bench.instructions import totals
from bench.report import as_text
from bench.teams import Contended, Crew, Task
from stmpy.statistics import UNKNOWN
from stmpy.testing import conflicts

ROOT = Path(__file__).parent.parent.parent


def ask(*words: str) -> dict[str, Any]:
    """What the command says as JSON, measured as briefly as it can."""
    done = subprocess.run(
        [sys.executable, "-m", "bench", *words, "--tiny", "--json"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    data: dict[str, Any] = json.loads(done.stdout)
    return data


def timed(*ns: float, cores: float = 1.0) -> Measured:
    """A case of which each round took so many nanoseconds."""
    timings = (Timing(1, value / 1e9, value * cores / 1e9) for value in ns)
    return Measured("1 thread", 1, 1, tuple(timings))


@pytest.mark.slow
def test_core_answers_every_promise() -> None:
    data = ask("core")
    titles = [row["title"] for row in data["rows"]]
    for words in ("increment in a block", "function form", "reads 10 keys", "transfers",
                  "disjoint keys", "reads of one key", "contended", "attempts", "audit",
                  "atomix-stm", "Manager", "over a bare start", "further interpreter", "region",
                  "among", "held snapshot"):  # fmt: skip
        assert any(words in title for title in titles), words
    for row in data["rows"]:
        assert (row["met"] is None) == bool(row["value"] is None and row["note"]), row
    for name, case in data["cases"].items():
        assert case.get("error") or case["ns"]["low"] <= case["ns"]["median"], name
        assert case.get("error") or case["cores_used"] > 0, name
    for word in ("processor", "cores", "load", "python", "stmpy", "commit"):
        assert data["machine"][word] not in (None, "unknown"), word


@pytest.mark.slow
@pytest.mark.parametrize("question", ["scale", "size", "latency"])
def test_a_question_measures_every_case(question: str) -> None:
    data = ask(question)
    assert [name for name, case in data["cases"].items() if "error" in case] == []
    assert data["rows"]
    assert data["series"]
    for series in data["series"]:
        for line, points in series["lines"].items():
            assert points, (series["title"], line)
            assert all(value["low"] <= value["median"] <= value["high"] for _, value in points)


def test_startup_counts_milliseconds() -> None:
    rows = startup.answer(Effort.tiny()).rows
    assert [row.unit for row in rows] == ["ms"] * 3
    assert all(row.value is not None and row.value.median > 0 for row in rows[1:])


def test_what_statistics_cost_is_measured_with_and_without_them() -> None:
    names = {}
    for switch in ("on", "off"):
        store = statistics.store(switch)
        with store.atomically(label="b", read_only=True):
            pass
        names[switch] = [block.name for block in store.stats().blocks]
    assert names == {"on": ["b"], "off": [UNKNOWN]}
    assert all(row.value is not None for row in statistics.answer(Effort.tiny()).rows)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("valgrind") is None, reason="callgrind comes with valgrind")
def test_instructions_are_counted() -> None:
    ask("instructions")  # in a fresh clone the first run also compiles modules, which costs more
    rows = {row["title"]: row["value"]["median"] for row in ask("instructions")["rows"]}
    block, own = rows["increment in a block"], rows["increment in a block: own"]
    assert 500 < own < block < 50_000


def test_a_profile_is_added_up_without_the_costs_of_calls() -> None:
    profile = """
ob=(1) /lib/python
fn=(1) eval
10 100
+2 20
cob=(2) /lib/_native.so
calls=3 0
11 1000
ob=(2)
fn=(2) block
5 7
"""
    assert totals(profile) == (127, 7)


def test_waiting_is_measured_beside_its_peers() -> None:
    answer = ask("waiting")
    cases = answer["cases"]
    assert {"block round trip", "SimpleQueue round trip", "TQueue, batches of 100"} <= cases.keys()
    ours = [case for name, case in cases.items() if not name.startswith("interpreters")]
    assert not any(case.get("error") for case in ours)
    rows = {row["title"]: row for row in answer["rows"]}
    assert rows["wake-up from parked, p50"]["value"]["median"] > 0
    assert rows["TQueue, one at a time"]["target"] == "≥ 150,000/s"


def test_rounds_are_interleaved_and_the_first_only_warms_up() -> None:
    order: list[str] = []

    class Noting(Alone):
        def measure(self, seconds: float) -> Timing:
            order.append(self.name)
            return Timing(1, 1.0, 1.0)

        def __init__(self, name: str) -> None:
            self.name = name

    cases = measure({"a": Noting("a"), "b": Noting("b")}, Effort(rounds=3))
    assert [len(case.timings) for case in cases.values()] == [3, 3]
    assert [set(order[i : i + 2]) for i in range(0, 8, 2)] == [{"a", "b"}] * 4
    assert order[:4] in (["b", "a", "a", "b"], ["a", "b", "b", "a"])


def test_a_ratio_is_formed_round_by_round() -> None:
    slow, fast = timed(200, 4000, 600), timed(100, 2000, 100)
    assert quotient(slow, fast).median == pytest.approx(2)
    row = ratio_row("slow : fast", {"slow": slow, "fast": fast}, "slow", "fast", most=1.9)
    assert row.met is False
    assert ratio_row("slow : fast", {"slow": slow, "fast": fast}, "slow", "fast", least=1.9).met


def test_processor_time_tells_apart_what_others_took() -> None:
    starved, alone = timed(400, 400, cores=0.25), timed(100, 100)
    assert quotient(starved, alone).median == pytest.approx(4)
    by_cpu = quotient_by_cpu(starved, alone)
    assert by_cpu is not None
    assert by_cpu.median == pytest.approx(1)
    assert "0.25 of 1" in note(starved, alone)
    assert note(alone) == ""


def test_a_peer_that_fails_is_a_line_in_the_table() -> None:
    def broken(n: int) -> None:
        raise OSError("no such peer")

    cases = measure({"ours": Alone(lambda n: sum(range(n))), "peer": Alone(broken),
                     "absent": RuntimeError("not to be had")}, Effort.tiny())  # fmt: skip
    row = ratio_row("peer : ours", cases, "peer", "ours", least=2)
    assert (row.value, row.met, row.note) == (None, None, "OSError: no such peer")
    assert cases["absent"].error == "RuntimeError: not to be had"
    assert cases["ours"].error is None


def test_a_team_on_one_key_counts_the_attempts_it_lost() -> None:
    crew = Crew("threads", 1)
    team = Contended(crew, [Task("block_increment", ("counted",))])
    team.measure(0.001)
    answers = cycle([True] + [False] * 12)  # asked at every access and commit
    try:
        with conflicts(answers):
            team.measure(0.001)
    finally:
        crew.close()
    quiet, lossy = team.attempts
    assert quiet == 1
    assert 1.05 < lossy < 2


def test_the_table_says_what_is_not_met() -> None:
    from bench.harness import Answer

    rows = [
        limit_row("too much", Spread(3, 3, 3), "ms", 2),
        limit_row("fine", Spread(1, 1, 1), "", 2),
    ]
    text = as_text("core", {"python": "3", "processor": "p", "cores": 1}, Answer(rows=rows))
    lines = {line.split("  ")[0]: line for line in text.splitlines()}
    assert lines["too much"].endswith("NOT MET")
    assert lines["fine"].endswith(" met")
