"""A store for each test, and conflicts where a test wants them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

import stmpy as stm
from stmpy.testing import conflicts


@pytest.fixture
def store() -> Iterator[stm.Store]:
    with stm.open(max_bytes=16 << 20) as store:
        yield store


@pytest.fixture
def table(store: stm.Store) -> stm.TVar[Any, Any]:
    return store.TVar("table")


type Lose = Callable[..., list[bool]]


@pytest.fixture
def lose() -> Iterator[Lose]:
    """`lose(False, True)` makes the second question lose: blocks ask at each access and commit.

    Returns the answers that were given; after the last one all is well.
    """

    with ExitStack() as stack:

        def arrange(*answers: bool) -> list[bool]:
            given: list[bool] = []

            def answer() -> bool:
                given.append(answers[len(given)] if len(given) < len(answers) else False)
                return given[-1]

            stack.close()
            stack.enter_context(conflicts(answer))
            return given

        yield arrange
