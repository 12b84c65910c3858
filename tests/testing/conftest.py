"""Failing explorations, and what they say."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from stmpy.testing import Scenario, explore


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
