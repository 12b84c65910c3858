"""`stmpy bench`: its figures, and that it proves what it did. No time is judged."""

import json
from collections.abc import Callable
from concurrent.futures import Executor

import pytest

import stmpy as stm
from stmpy.cli import bench, main

CALL = "import sys; from stmpy.cli import main; sys.exit(main(sys.argv[1:]))"


def test_the_figures(in_process: Callable[..., str]) -> None:
    found = json.loads(in_process(CALL, "bench", "--json", "--workers", "3"))
    assert found["accounts_add_up"] is True
    assert found["workers"] == 3
    assert [*found["alone"]] == ["increment", "read 10 keys", "transfer"]
    assert all(
        row["seconds"] > 0 and row["of_lock_and_dict"] > 0 for row in found["alone"].values()
    )
    together = found["together"]
    assert all(row["blocks_per_second"] > 0 and row["of_one"] > 0 for row in together.values())
    assert together["reads of the same keys"]["attempts"] == 1


def test_what_a_person_sees(in_process: Callable[..., str]) -> None:
    out = in_process(CALL, "bench")
    assert "beside a lock and a dict" in out
    assert "interpreters at once" in out
    assert "all 1,000 accounts add up" in out


def test_money_that_is_gone_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One account that is robbed stands for a store that loses a write."""
    monkeypatch.setattr(bench, "_ROUNDS", 1)

    def rob(tv: stm.TVar[int, int], pool: Executor, workers: int) -> bench.Together:
        with tv.store.atomically():
            tv[0] += 1
        return {}

    monkeypatch.setattr(bench, "_together", rob)
    assert main(["bench"]) == 1
    assert "DO NOT ADD UP" in capsys.readouterr().out


def test_one_worker_has_nobody_beside_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["bench", "--workers", "1"])
    assert "at least 2" in capsys.readouterr().err
