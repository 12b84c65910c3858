"""One transaction of a script. It runs in a thread of its own, in whatever interpreter.

Commands come down one pipe and outcomes go up another, a line each. Pipes look the same from every
interpreter, and reading from one waits with the GIL released; so the player can let exactly one
transaction at a time take a step, without sleeping and without knowing where it runs.
"""

from __future__ import annotations

from typing import Final, TextIO

import stmpy as stm
from tests.scripts.script import Isolation

# How the line of an outcome opens: the transaction goes on, or has ended.
MORE: Final = " "
END: Final = "!"

type Rows = stm.TVar[str, int]


class Abort(Exception):
    """What `abort` raises in the block."""


def act(commands: int, outcomes: int, variable: str, isolation: Isolation) -> None:
    """Take steps until the transaction has ended, or the pipe for commands has."""
    with open(commands, closefd=False) as down, open(outcomes, "w", closefd=False) as up:
        assert down.readline() == "begin\n"
        try:
            stm.atomically(isolation=isolation, max_attempts=1)(_body)(down, up, variable)
            end = "committed"
        except Abort:
            end = "aborted"
        except stm.StmError as error:
            end = type(error).__name__
        _answer(up, end, END)


def _answer(up: TextIO, outcome: str, opening: str = MORE) -> None:
    up.write(f"{opening}{outcome}\n")
    up.flush()


def _body(down: TextIO, up: TextIO, variable: str) -> None:
    rows: Rows = stm.TVar(variable)
    _answer(up, "")
    for line in down:
        command = line.strip()
        if command == "commit":
            return
        if command == "abort":
            raise Abort
        _answer(up, step(rows, command))
    raise Abort


def step(rows: Rows, command: str) -> str:
    match command.split(maxsplit=2):
        case ["get", key]:
            value = rows.get(key)
            return "absent" if value is None else str(value)
        case ["put", key, value]:
            rows[key] = int(value)
        case ["delete", "where", condition]:
            found = [key for key, value in select(rows, condition) if rows.pop(key) == value]
            return show(found)
        case ["delete", key]:
            del rows[key]
        case ["increase", "all", amount]:
            for key in sorted(rows):
                rows[key] += int(amount)
        case ["increase", key, amount]:
            rows[key] += int(amount)
        case ["keys"]:
            return show(sorted(rows))
        case ["count"]:
            return str(len(rows))
        case ["all"]:
            return show_rows(sorted(rows.items()))
        case ["where", *condition]:
            return show_rows(select(rows, " ".join(condition)))
        case _:
            raise ValueError(f"no such step: {command!r}")
    return ""


def select(rows: Rows, condition: str) -> list[tuple[str, int]]:
    return [
        (key, value) for key, value in sorted(rows.items()) if eval(condition, {"value": value})
    ]


def show(keys: list[str]) -> str:
    return ", ".join(keys) or "nothing"


def show_rows(rows: list[tuple[str, int]]) -> str:
    return show([f"{key} {value}" for key, value in rows])
