"""Failing explorations, and what they say; nothing stays replaced after a test."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from stmpy import _native
from stmpy.testing import Scenario, explore


@pytest.fixture(autouse=True)
def nothing_is_left_in_place() -> Iterator[None]:
    names = threading.Lock, threading.RLock, threading.Thread.start, time.monotonic, time.sleep
    yield
    assert _native._interpose(None) is None
    now = threading.Lock, threading.RLock, threading.Thread.start, time.monotonic, time.sleep
    assert now == names


@dataclass(frozen=True)
class Found:
    """What `explore` has raised."""

    error: Exception
    note: str
    schedule: int
    """The first that failed."""
    replay: str
    """The schedule, as `replay=` takes it."""


type Fails = Callable[..., Found]


@pytest.fixture
def fails() -> Fails:
    """`fails(error, scenario, **options)` explores; the test fails if all is well."""

    def explore_it(error: type[Exception], scenario: Scenario, **options: Any) -> Found:
        with pytest.raises(error) as caught:
            explore(scenario, **options)
        note = caught.value.__notes__[-1]
        number = re.search(r"schedule (\d+) of", note)
        replay = re.search(r'replay="([^"]*)"', note)
        assert replay is not None, note
        return Found(caught.value, note, int(number[1]) if number else 0, replay[1])

    return explore_it
