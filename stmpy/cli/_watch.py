"""The dashboard in front of the last pass of the demo, which runs in a thread behind it."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import stmpy as stm
from stmpy.cli._live import dashboard_class
from stmpy.cli._passes import Pass, Progress

__all__ = ["watched"]


class _OwnStore:
    """A store of this process; when it is closed, what it counted last is shown on."""

    def __init__(self, store: stm.Store) -> None:
        self._store = store
        self._last = store.stats()

    def read(self) -> stm.Stats:
        try:
            self._last = self._store.stats()
        except stm.StoreClosed:
            self._last = replace(self._last, closed=True)
        return self._last


def watched(
    run_pass: Callable[[Progress, Callable[[stm.Store], object]], Pass], progress: Progress
) -> Pass:
    """Runs the pass, shows the dashboard until it is left, and returns the pass when it is done.

    The progress is shown from then on. Raises what the pass raised, and StmError without textual.
    """
    dashboard = dashboard_class()
    stores: queue.SimpleQueue[stm.Store | None] = queue.SimpleQueue()
    left = threading.Event()

    def show(done: int, seconds: float) -> None:
        if left.is_set():
            progress(done, seconds)

    def without_store(_: Future[Pass]) -> None:
        """Lets nobody wait for a store that a failed pass has not opened."""
        stores.put(None)

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(run_pass, show, stores.put)
        future.add_done_callback(without_store)
        store = stores.get()
        if store is not None:
            dashboard(_OwnStore(store), interval=0.25).run()
        left.set()
        return future.result()
