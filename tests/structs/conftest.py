"""A store for each test, threads that end with it, and two open blocks that take turns."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

import stmpy as stm


@pytest.fixture
def store() -> Iterator[stm.Store]:
    with stm.open(max_bytes=32 << 20) as store:
        yield store


type Start = Callable[..., Future[Any]]


@pytest.fixture
def start(store: stm.Store) -> Iterator[Start]:
    """`start(fn, *args)` calls it in a thread; what waits when the test is over is let go."""
    with ThreadPoolExecutor(64) as pool:
        yield pool.submit
        store.close()


@pytest.fixture
def overlap(store: stm.Store, start: Start) -> Callable[..., int]:
    """Runs two functions in blocks that are open at the same time; returns the conflicts.

    The second begins and commits while the first is open, after what that did.
    """

    def run(first: Callable[[], Any], second: Callable[[], Any]) -> int:
        before = store.stats().conflicts
        done = threading.Event()

        def outer() -> None:
            first()
            if not done.is_set():
                start(store.run, second).result(60)
                done.set()

        store.run(outer)
        return store.stats().conflicts - before

    return run
