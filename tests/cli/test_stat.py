"""The verbs that look at another process, as a person and as a program read them."""

import csv
import io
import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from prometheus_client.parser import text_string_to_metric_families

from stmpy.cli import main
from stmpy.statistics import COLUMNS
from tests.seeing.observed import go_on, observed

ROOT = Path(__file__).parent.parent.parent
SCHEMA = json.loads((ROOT / "docs/stats.schema.json").read_text())
PLANTED = 'store = stm.open(name="planted", max_bytes=1 << 20); beat(store, 1000); rest(); '

type Program = "subprocess.Popen[str]"


@pytest.fixture(scope="module")
def planted() -> Iterator[Program]:
    with observed(PLANTED) as process:
        yield process


@pytest.fixture
def out(capsys: pytest.CaptureFixture[str]) -> "Output":
    return Output(capsys)


class Output:
    """Runs a command line in this process and gives what it printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, *words: object, code: int = 0) -> str:
        self.capsys.readouterr()
        assert main([str(word) for word in words]) == code
        printed = self.capsys.readouterr()
        assert code == 0 or printed.err.startswith("stmpy: ")
        return printed.out


def only(rows: list[dict[str, Any]]) -> dict[str, Any]:
    (row,) = rows
    return row


# ---- stat --------------------------------------------------------------------------------------


def test_the_figures_of_the_planted_workload_are_exact(planted: Program, out: Output) -> None:
    data = json.loads(out("stat", planted.pid, "--once", "--json"))
    jsonschema.Draft202012Validator(SCHEMA).validate(data)
    pair = only(data["pairs"])
    cost = pair.pop("cost_ns")
    assert pair == {"winner": "A", "loser": "B", "variable": "table", "key": "'k'", "count": 1000}
    assert only(data["keys"]) == {"variable": "table", "key": "'k'", "conflicts": 1000}
    blocks = {block["name"]: block for block in data["blocks"]}
    assert (blocks["A"]["commits"], blocks["A"]["conflicts"]) == (1000, 0)
    assert (blocks["B"]["commits"], blocks["B"]["conflicts"]) == (1000, 1000)
    assert blocks["B"]["attempts"] == [[2, 1000]]
    assert blocks["B"]["wasted_ns"] == cost > 0
    assert data["conflicts"] == 1000


def test_the_schema_refuses_what_it_does_not_know(planted: Program, out: Output) -> None:
    data = json.loads(out("stat", planted.pid, "--once", "--json"))
    for broken in ({"commits": -1}, {"more": 1}, {"pairs": [{"winner": "A"}]}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft202012Validator(SCHEMA).validate(data | broken)


def test_csv_and_text_have_one_line_for_each_interval(planted: Program, out: Output) -> None:
    words = ("stat", planted.pid, "-n", 3, "-i", 0.001)
    rows = list(csv.DictReader(io.StringIO(out(*words, "--csv"))))
    assert list(rows[0]) == ["seconds", *COLUMNS]
    assert float(rows[0]["conflicts/s"]) > 0
    assert [float(row["conflicts/s"]) for row in rows[1:]] == [0, 0]
    lines = out(*words).splitlines()
    assert len(lines) == 1 + 3
    assert len(out("stat", planted.pid, "--once").splitlines()) == 1 + 1
    assert {len(line) for line in lines} == {80}


def test_prometheus_reads_it(planted: Program, out: Output) -> None:
    text = out("stat", planted.pid, "--prometheus")
    check_prometheus(text)
    samples = {
        (sample.name, sample.labels.get("block"), sample.labels.get("winner")): sample
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if "le" not in sample.labels and sample.value
    }
    assert samples["stmpy_commits_total", "A", None].value == 1000
    assert samples["stmpy_conflicts_total", "B", None].value == 1000
    pair = samples["stmpy_pair_conflicts_total", None, "A"]
    assert (pair.value, pair.labels["loser"], pair.labels["key"]) == (1000, "B", "'k'")
    assert samples["stmpy_block_seconds_count", "A", None].value == 63


UNITS = ("_seconds", "_bytes", "_total")


def check_prometheus(text: str) -> None:
    """What promtool's linter asks for, beside what the parser of the client library does."""
    families = list(text_string_to_metric_families(text))
    names = [family.name for family in families]
    assert len(names) == len(set(names)) > 10
    for family in families:
        assert re.fullmatch(r"stmpy_[a-z_]+", family.name)
        assert family.documentation.endswith(".")
        assert family.type in ("counter", "gauge", "histogram")
        assert "_total" not in family.name
        assert not re.search(r"_(ms|us|ns|milliseconds|kilobytes)\b", family.name)
        for sample in family.samples:
            assert sample.name.endswith("_total") == (family.type == "counter")
        if family.type == "histogram":
            check_buckets(family.samples)


def check_buckets(samples: list[Any]) -> None:
    by_block: dict[str, list[tuple[float, float]]] = {}
    for sample in samples:
        if sample.name.endswith("_bucket"):
            row = (float(sample.labels["le"]), sample.value)
            by_block.setdefault(sample.labels["block"], []).append(row)
    for rows in by_block.values():
        assert rows == sorted(rows)
        assert [count for _, count in rows] == sorted(count for _, count in rows)
        assert rows[-1][0] == float("inf")


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("# TYPE stmpy_commits_total counter", "# TYPE stmpy_commits_total gauge"),
        ("stmpy_memory_used_bytes", "stmpy_memory_used_kilobytes"),
        (" Blocks left by an exception.", ""),
    ],
)
def test_the_check_of_prometheus_can_fail(
    planted: Program, out: Output, good: str, bad: str
) -> None:
    text = out("stat", planted.pid, "--prometheus")
    assert good in text
    with pytest.raises(AssertionError):
        check_prometheus(text.replace(good, bad))


def test_it_is_served_on_this_machine_alone() -> None:
    with observed(PLANTED.replace("1000", "1")) as process:
        words = ["stat", str(process.pid), "--prometheus", "--port", "0"]
        server = subprocess.Popen(
            [sys.executable, "-P", "-m", "stmpy", *words], stdout=subprocess.PIPE, text=True
        )
        assert server.stdout is not None
        try:
            url = server.stdout.readline().strip()
            assert url.startswith("http://127.0.0.1:")
            with urllib.request.urlopen(url) as answer:
                assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
                check_prometheus(answer.read().decode())
            assert refusal(url.replace("metrics", "other")) == 404
            process.kill()
            process.wait()
            assert refusal(url) == 503
            assert server.wait() == 3
        finally:
            server.kill()
            server.wait()
            server.stdout.close()


def refusal(url: str) -> int:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(url)
    with refused.value as answer:
        return answer.code


# ---- how it ends -------------------------------------------------------------------------------


def test_nothing_is_found(out: Output) -> None:
    out("stat", "nobody has this name", "--once", code=2)
    out("stat", 2**22 + 1, "--once", code=2)


def test_it_goes_while_it_is_observed() -> None:
    with observed(PLANTED.replace("1000", "1") + "store.close(); rest()") as process:
        words = ["stat", str(process.pid), "--json", "-i", "0.001"]
        stat = subprocess.Popen(
            [sys.executable, "-P", "-m", "stmpy", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert stat.stdout is not None
        assert json.loads(stat.stdout.readline())["conflicts"] == 1
        go_on(process)
        _, errors = stat.communicate()
        assert stat.returncode == 3
        assert errors == "stmpy: store planted: it was closed\n"


def test_another_version_is_told(out: Output) -> None:
    program = """
import os
from stmpy.statistics._image import LAYOUT
store = stm.open(max_bytes=1 << 16)
os.pwrite(store._file, b"\\xff", LAYOUT["region.layout"])
rest()
"""
    with observed(program) as process:
        out("stat", process.pid, "--once", code=4)
        rows = json.loads(out("list", "--json"))
        assert only([row for row in rows if row["process"] == process.pid])["state"] == "other"


def test_a_reader_that_goes_away_is_no_error(planted: Program) -> None:
    command = f"{sys.executable} -P -m stmpy stat {planted.pid} --json -i 0.001 | head -n 1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert done.stderr == ""


@pytest.mark.parametrize("words", [("-i", "0"), ("--port", "1"), ("--json", "--csv")])
def test_a_command_line_that_makes_no_sense(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["stat", *words])
    assert "usage: " in capsys.readouterr().err


# ---- the other verbs ---------------------------------------------------------------------------


def test_list(planted: Program, out: Output) -> None:
    rows = json.loads(out("list", "--json"))
    row = only([row for row in rows if row["process"] == planted.pid])
    assert (row["name"], row["state"], row["commits"]) == ("planted", "open", 2001)
    assert re.search(rf"{planted.pid}:\d+ +planted +open +2,001", out("list"))


@pytest.mark.parametrize("words", [[], ["--once"]])
def test_top_prints_once_where_no_terminal_is_and_on_request(
    planted: Program, out: Output, words: list[str]
) -> None:
    text = out("top", planted.pid, *words)
    assert "planted" in text
    assert "lost" in text or "conflicts" in text
    assert "\x1b" not in text


def test_doctor(out: Output) -> None:
    lines = out("doctor").splitlines()
    assert all(line.startswith("ok ") for line in lines)
    assert any("run again after a conflict" in line for line in lines)
    assert any("one of its own" in line for line in lines)


def test_doctor_tries_imports(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["doctor", "imports", "json"]) == 0
    assert capsys.readouterr().out.startswith("ok  json")
    (tmp_path / "crashes.py").write_text("import os; os.kill(os.getpid(), 11)")
    before = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = str(tmp_path)
    try:
        assert main(["doctor", "imports", "crashes", "no_such_package", "readline"]) == 1
    finally:
        os.environ["PYTHONPATH"] = before
    lines = capsys.readouterr().out.splitlines()
    assert "ends the process with signal 11" in lines[0]
    assert "ModuleNotFoundError" in lines[1]
    assert lines[2].startswith("NO  readline")
