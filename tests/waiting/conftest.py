"""A store for each test, and threads that end with it."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

import stmpy as stm


@pytest.fixture
def store() -> Iterator[stm.Store]:
    with stm.open(max_bytes=32 << 20) as store:
        yield store


@pytest.fixture
def table(store: stm.Store) -> stm.TVar[Any, Any]:
    return store.TVar("table")


type Start = Callable[..., Future[Any]]


@pytest.fixture
def start(store: stm.Store) -> Iterator[Start]:
    """`start(fn, *args)` calls it in a thread; what waits when the test is over is let go."""
    with ThreadPoolExecutor(64) as pool:
        yield pool.submit
        store.close()
