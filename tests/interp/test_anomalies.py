"""The classic anomalies, each invited by two interpreters with two threads each."""

import os
import threading
from pathlib import Path

import stmpy as stm
from tests.conftest import Interpreters
from tests.interp import anomalies

ROOT = str(Path(__file__).parents[2])
WORKERS = 2 * anomalies.THREADS


def run_workers(interpreters: Interpreters, worker: str) -> None:
    """Lets all workers go at once, when the last of them is ready."""
    ready_out, ready = os.pipe()
    gate, gate_in = os.pipe()

    def start() -> None:
        for _ in range(WORKERS):
            os.read(ready_out, 1)
        os.write(gate_in, b"." * WORKERS)

    text = f"""
        import sys
        sys.path.append({ROOT!r})
        from tests.interp import anomalies
        anomalies.run(anomalies.{worker}, me, {ready}, {gate})
    """
    starter = threading.Thread(target=start)
    starter.start()
    try:
        interpreters.run_each(text, 2)
    finally:
        # An interpreter that failed before its workers were ready has not written.
        os.write(ready, b"." * WORKERS)
        starter.join()
        for end in (ready_out, ready, gate, gate_in):
            os.close(end)


def test_counter(interpreters: Interpreters) -> None:
    counter: stm.TVar[str, int] = stm.TVar("anomalies counter", {"n": 0})
    run_workers(interpreters, "count")
    assert counter["n"] == WORKERS * anomalies.ROUNDS


def test_bank_total_is_constant_at_every_moment(interpreters: Interpreters) -> None:
    deposits = dict.fromkeys(range(anomalies.ACCOUNTS), anomalies.DEPOSIT)
    accounts: stm.TVar[int, int] = stm.TVar("anomalies accounts", deposits)
    audits: stm.TVar[int, int] = stm.TVar("anomalies audits")
    run_workers(interpreters, "transfer_or_audit")
    assert accounts.copy() != deposits
    assert sum(accounts.copy().values()) == anomalies.ACCOUNTS * anomalies.DEPOSIT
    assert audits.copy() == {3: anomalies.ROUNDS}


def test_write_skew(interpreters: Interpreters) -> None:
    stm.TVar("anomalies doctors", dict.fromkeys(range(anomalies.THREADS), True))
    run_workers(interpreters, "go_off_call")


def test_read_skew(interpreters: Interpreters) -> None:
    pair: stm.TVar[str, int] = stm.TVar("anomalies pair", {"x": -1, "y": -1})
    run_workers(interpreters, "keep_equal")
    assert pair["x"] == pair["y"] >= 0


def test_lost_update(interpreters: Interpreters) -> None:
    log: stm.TVar[str, tuple[tuple[int, int], ...]] = stm.TVar("anomalies log", {"entries": ()})
    run_workers(interpreters, "append")
    steps = range(anomalies.ROUNDS // 100)
    for number in range(WORKERS):
        assert [step for who, step in log["entries"] if who == number] == list(steps)


def test_phantom(interpreters: Interpreters) -> None:
    seats: stm.TVar[tuple[int, int], bool] = stm.TVar("anomalies seats")
    run_workers(interpreters, "take_seat")
    assert len(seats) == 0
