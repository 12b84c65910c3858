"""Stores whose keepers are threads of this process, on any backend."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

import stmpy as stm
from stmpy import _native, _store
from stmpy.durable import keeper
from stmpy.durable.backend import Backend
from stmpy.durable.state import State

EVER = (1 << 64) - 1


class Threads:
    """Starts them, and ends them all."""

    def __init__(self) -> None:
        self._running: list[tuple[stm.Store, threading.Thread]] = []

    def start(
        self, opened: Callable[[], Backend], *, relaxed: bool = False, history: int = 1 << 20
    ) -> stm.Store:
        """A store on a backend. It may be that it does not open; its state says so."""
        store = _store._open("", 16 << 20, history)
        assert _native._durable_open(store, "/in/memory", relaxed)
        file, lifeline = _native._durable_files(store)
        region = _native.Keeper(os.dup(file))
        owners = keeper.Owners(region, lifeline)
        thread = threading.Thread(target=keeper.serve, args=(region, opened, owners))
        thread.start()
        self._running.append((store, thread))
        await_state(store, State.RUNNING, State.FAILED)
        return store

    def stop(self) -> None:
        for store, thread in self._running:
            _native.Store.close(store)
            thread.join()
        self._running.clear()


def state_of(store: stm.Store) -> State:
    return State(_native._durable_state(store)["state"])


def await_state(store: stm.Store, *states: State) -> None:
    while state_of(store) not in states:
        _native._durable_wait(store, EVER, 0.01)
