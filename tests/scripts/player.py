"""Plays a script: one thread per transaction, of which one at a time takes a step."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Self

import stmpy as stm
from tests.scripts.actor import END, act, show_rows
from tests.scripts.script import Isolation, Script

# Runs `act` with its arguments somewhere: in this interpreter or in another one.
type Place = Callable[[int, int, str, Isolation], None]


class Actor:
    """The player's end of a transaction's pipes; leaving it ends one that still runs."""

    def __init__(self, place: Place, variable: str, isolation: Isolation) -> None:
        commands, down = os.pipe()
        up, outcomes = os.pipe()
        self.down = os.fdopen(down, "wb", buffering=0)
        self.up = os.fdopen(up)
        self.over = False

        def run() -> None:
            try:
                place(commands, outcomes, variable, isolation)
            finally:
                # The player then reads the end of the pipe, even if nothing ever ran there.
                os.close(commands)
                os.close(outcomes)

        self.thread = threading.Thread(target=run)
        self.thread.start()

    def step(self, command: str) -> str:
        if self.over:
            return "over"
        # One that has died has closed its end; then there is no line to read either.
        with suppress(BrokenPipeError):
            self.down.write(f"{command}\n".encode())
        outcome = self.up.readline().strip("\n") or "died"
        self.over = outcome.startswith(END)
        return outcome.removeprefix(END).strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.down.close()
        self.thread.join()
        self.up.close()


def play(script: Script, isolation: Isolation, variable: str, place: Place = act) -> list[str]:
    """What each step gives, in the order of the script, in a fresh variable of this name."""
    rows: stm.TVar[str, int] = stm.TVar(variable, script.start)
    actors: dict[str, Actor] = {}
    outcomes = []
    with ExitStack() as stack:
        for step in script.steps:
            if step.actor == "final":
                outcomes.append(show_rows(sorted(rows.items())))
                continue
            if step.actor == "churn":
                churn(variable, int(step.command))
                outcomes.append("")
                continue
            if step.actor not in actors:
                actors[step.actor] = stack.enter_context(Actor(place, variable, isolation))
            outcomes.append(actors[step.actor].step(step.command))
    return outcomes


def churn(variable: str, commits: int) -> None:
    """Commits elsewhere, which make the store clear away what no snapshot needs."""
    elsewhere: stm.TVar[str, int] = stm.TVar(f"{variable} elsewhere")
    for number in range(commits):
        stm.run(elsewhere.__setitem__, "key", number)
