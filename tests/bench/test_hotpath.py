"""The counts of the hot path: the floor is a real module, and the parts make up the whole."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from bench.harness import Effort
from bench.hotpath import answer, compile_floor, functions, split, symbols
from bench.instructions import read_profile


def test_the_floor_does_nothing_in_c(tmp_path: Path) -> None:
    compile_floor(tmp_path)
    program = """
from py_floor import Block, Map
m = Map()
with Block() as block:
    assert isinstance(block, Block)
    m[0] += 1
    assert m["anything"] == 1
try:
    with Block():
        raise KeyError(1)
except KeyError:
    print("exceptions pass")
"""
    words = [sys.executable, "-c", program]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "exceptions pass\n"


def test_a_floor_that_does_not_compile_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", "false")
    with pytest.raises(RuntimeError, match=r"py_floor\.c does not compile"):
        compile_floor(tmp_path)


def test_the_parts_make_up_the_whole() -> None:
    ours = Counter({("/lib/_native.so", "0xa"): 70, ("/bin/python", "eval"): 50})
    values = {
        row.title.partition(": ")[2]: row.value.median
        for row in split("x", Counter({("/bin/python", "eval"): 30}), ours)
        if row.value is not None
    }
    assert values.pop("whole") == sum(values.values()) == 120
    assert sorted(values.values()) == [20, 30, 70]


def test_functions_are_named_where_the_names_are_known() -> None:
    ours = Counter({("/lib/_native.cpython.so", "0xa"): 70, ("/bin/python", "eval"): 50})
    titles = [row.title for row in functions("x", ours, {"0xa": "txn_commit"})]
    assert titles == ["x: txn_commit in _native", "x: eval in python"]


def test_a_profile_is_read_by_function() -> None:
    profile = """
ob=(1) /lib/python
fn=(1) eval
10 100
cob=(2) /lib/_native.so
cfn=(2) block
calls=3 0
11 1000
ob=(2)
fn=(2)
5 7
ob=(1)
fn=(1)
+1 1
"""
    assert read_profile(profile) == {
        ("/lib/python", "eval"): 101,
        ("/lib/_native.so", "block"): 7,
    }


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("valgrind") is None, reason="callgrind comes with valgrind")
def test_the_hot_path_is_counted() -> None:
    rows = {row.title: row.value for row in answer(Effort.tiny()).rows}
    whole, floor = rows["increment: whole"], rows["increment: floor, CPython's protocol"]
    own = rows["increment: stmpy, the extension"]
    assert whole is not None
    assert floor is not None
    assert own is not None
    assert 200 < floor.median < whole.median
    assert 500 < own.median < whole.median < 50_000
    if symbols():
        assert any("in _native" in title and "0x" not in title for title in rows)
