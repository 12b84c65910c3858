"""The run that is recorded: writers move amounts, write texts and delete; a reader looks on.

In between the store is copied.

    python -m tests.durable.powerloss.program PLAN

Below POWERLOSS_ROOT lies or comes the store; blocks that have returned are noted in POWERLOSS_LOG.
"""

from __future__ import annotations

import json
import os
import random
import sys
import threading
from typing import Any

import stmpy as stm
from stmpy import _native
from stmpy.durable import launch
from tests.durable.powerloss.plants import plant
from tests.durable.powerloss.recording import Plan, Write, acknowledge

WRITERS = 3
ACCOUNTS = 40
TEXTS = 150


def recorded_keepers(plan: Plan) -> None:
    """Let keepers, whose environment is clean, be recorded, and be those of plants.py."""
    launch._PROGRAM = (
        "import sys, json; sys.path[:] = json.loads(sys.argv[1]); "
        f"from tests.durable.powerloss.plants import main; main({plan.plant!r})"
    )
    names = ("LD_PRELOAD", "POWERLOSS_ROOT", "POWERLOSS_LOG")
    recorder = {name: os.environ[name] for name in names}
    recorder["POWERLOSS_CALLS"] = str(plan.calls)
    spawn = os.posix_spawn

    def spawn_recorded(path: str, command: list[str], env: dict[str, str], **more: Any) -> int:
        return spawn(path, command, env | recorder if launch._PROGRAM in command else env, **more)

    os.posix_spawn = spawn_recorded  # type: ignore[assignment]


def moved(store: stm.Store, rng: random.Random) -> list[Write]:
    """An amount from one account to another."""
    accounts = store.TVar("accounts")
    a, b = rng.sample(range(ACCOUNTS), 2)
    amount = rng.randrange(100)
    accounts[a] = accounts.get(a, 0) - amount
    accounts[b] = accounts.get(b, 0) + amount
    return [("accounts", a, accounts[a]), ("accounts", b, accounts[b])]


def written(store: stm.Store, rng: random.Random) -> list[Write]:
    """Texts set or deleted, some larger than a page."""
    texts = store.TVar("texts")
    writes: list[Write] = []
    for key in rng.sample(range(TEXTS), rng.randrange(1, 12)):
        text = None if rng.random() < 0.3 else chr(97 + key % 26) * rng.choice((9, 90, 900, 9000))
        if text is not None:
            texts[f"text {key}"] = text
        else:
            texts.pop(f"text {key}", None)
        writes.append(("texts", f"text {key}", text))
    return writes


def write(store: stm.Store, plan: Plan, me: int) -> None:
    """Blocks, each acknowledged as soon as it has returned."""
    rng, log = random.Random(f"{plan.seed} {me}"), os.environ["POWERLOSS_LOG"]
    for _ in range(plan.blocks):
        work = rng.choice((moved, written))
        seed = rng.randrange(2**32)
        with store.atomically() as tx:
            writes = work(store, random.Random(seed))
            last = store.TVar("last")
            last[me] = last.get(me, 0) + 1
            writes.append(("last", me, last[me]))
        assert tx.version is not None
        acknowledge(log, tx.version, wrote=writes)


def read(store: stm.Store, over: threading.Event) -> None:
    """What a block has only read must survive, too, once it has returned."""
    noted: list[Any] = []
    while not over.is_set():
        with store.atomically():
            seen = list(store.TVar("last").items())
        if seen != noted:
            noted = seen
            acknowledge(os.environ["POWERLOSS_LOG"], seen=[("last", *item) for item in seen])


def copy(store: stm.Store, path: str) -> None:
    """A backup has all that was committed before it, and is durable when it has returned."""
    commit = _native._durable_state(store)["clock"]
    store.backup(path)
    acknowledge(os.environ["POWERLOSS_LOG"], copied=commit)


def main(plan: Plan) -> None:
    plant(plan.plant)
    recorded_keepers(plan)
    failures: list[BaseException] = []
    over = threading.Event()
    threading.excepthook = lambda failure: failures.append(failure.exc_value or SystemExit())
    root = os.environ["POWERLOSS_ROOT"]
    with stm.open(f"{root}/store", durability="relaxed" if plan.relaxed else "sync") as store:
        reader = threading.Thread(target=read, args=(store, over))
        writers = [threading.Thread(target=write, args=(store, plan, i)) for i in range(WRITERS)]
        for thread in (reader, *writers):
            thread.start()
        copy(store, f"{root}/{plan.copy}")
        for thread in writers:
            thread.join()
        over.set()
        reader.join()
    if failures:
        raise failures[0]


if __name__ == "__main__":
    main(Plan(**json.loads(sys.argv[1])))
