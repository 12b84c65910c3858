"""Conflicts where a test wants them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import stmpy as stm
from stmpy.testing import conflicts

type Attempts = Callable[[int], list[int]]


@pytest.fixture
def attempts() -> Attempts:
    """How often each of so many blocks runs."""
    total: stm.TRef[int] = stm.TRef(None, 0)

    @stm.atomically
    def add(seen: list[int], number: int) -> None:
        seen[number] += 1
        total.value += 1

    def run(blocks: int) -> list[int]:
        before, seen = total.value, [0] * blocks
        for number in range(blocks):
            add(seen, number)
        assert total.value == before + blocks
        return seen

    return run


def test_a_rate_is_drawn_by_its_seed(attempts: Attempts) -> None:
    with conflicts(0.3, seed=7) as first:
        ours = attempts(200)
    with conflicts(0.3, seed=7) as again:
        assert attempts(200) == ours
    with conflicts(0.3, seed=8):
        assert attempts(200) != ours
    assert first.injected == again.injected == sum(ours) - len(ours) > 100
    assert attempts(50) == [1] * 50


def test_a_pattern_says_at_which_points(attempts: Attempts) -> None:
    with conflicts([False, False, True, False, True]) as injected:
        assert attempts(3) == [3, 1, 1]
    assert injected.injected == 2


def test_a_function_is_asked(attempts: Attempts) -> None:
    asked = []

    def ask() -> bool:
        asked.append(stm.in_transaction())
        return len(asked) == 1

    with conflicts(ask):
        assert attempts(1) == [2]
    assert all(asked)


def test_as_a_decorator(attempts: Attempts) -> None:
    @conflicts(1.0)
    def hopeless() -> list[int]:
        return attempts(1)

    assert hopeless() == [11]


def test_the_seed_is_noted_on_what_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STMPY_SEED", "12")
    with pytest.raises(LookupError) as caught, conflicts(0.5):
        raise LookupError
    assert caught.value.__notes__ == ["conflicts(…, seed=12)"]
    with pytest.raises(LookupError) as caught, conflicts([True]):
        raise LookupError
    assert not hasattr(caught.value, "__notes__")


def test_what_cannot_lose_is_not_asked() -> None:
    total: stm.TRef[int] = stm.TRef(None, 0)
    with conflicts(1.0) as injected:
        with stm.atomically(irrevocable=True):
            total.value += 1
        with stm.snapshot():
            assert total.value == 1
        assert total.value == 1
    assert injected.injected == 0
