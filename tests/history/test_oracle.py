"""The checker against the definition: a small history is right if some order of its attempts is.

Every order is tried, so this decides by itself what the checker infers from cycles. Lists that are
read in full at the end leave no version order open, so both must agree on each history.
"""

from itertools import permutations
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tests.history.check import check
from tests.history.hand import ABORT, Step, Txn, append, history, read, txn
from tests.history.model import APPEND

KEYS = ("x", "y")


def random_attempts(rng: Random) -> list[Txn]:
    """Three or four attempts over two lists, with reads that are plausible but often wrong."""
    count = rng.randint(3, 4)
    plan = [[(rng.choice(KEYS), rng.random() < 0.5) for _ in range(3)] for _ in range(count)]
    status = [ABORT if rng.random() < 0.25 else 0 for _ in range(count)]
    total: dict[str, list[int]] = {key: [] for key in KEYS}
    appended: dict[tuple[int, int], int] = {}
    for number in rng.sample(range(count), count):
        for position, (key, appends) in enumerate(plan[number]):
            if appends:
                appended[number, position] = 10 * number + position + 1
                if not status[number]:
                    total[key].append(appended[number, position])
    attempts = []
    for number in range(count):
        steps: list[Step] = []
        seen: dict[str, list[int]] = {}
        for position, (key, _) in enumerate(plan[number]):
            if (number, position) in appended:
                steps.append(append(key, appended[number, position]))
                if key in seen:
                    seen[key].append(appended[number, position])
            else:
                if key not in seen:
                    own = [s.values[0] for s in steps if s.kind == APPEND and s.key == key]
                    base = [value for value in total[key] if value // 10 != number]
                    seen[key] = base[: rng.randint(0, len(base))] + own
                steps.append(read(key, seen[key].copy()))
        begin = rng.randint(0, 20)
        times = (begin, begin + rng.randint(1, 20))
        attempts.append(txn(f"T{number}", *steps, status[number], times=times))
    final = [read(key, total[key]) for key in KEYS]
    return [*attempts, txn("end", *final, times=(100, 101))]


def runs_in_order(order: tuple[Txn, ...]) -> bool:
    """Whether the attempts, one after the other, see what they saw and respect real time."""
    state: dict[str, tuple[int, ...]] = dict.fromkeys(KEYS, ())
    latest_begin = 0
    for attempt in order:
        if attempt.times[1] < latest_begin:
            return False
        latest_begin = max(latest_begin, attempt.times[0])
        after = state.copy()
        for step in attempt.steps:
            if step.kind == APPEND:
                after[step.key] += step.values
            elif after[step.key] != step.values:
                return False
        if attempt.status != ABORT:
            state = after
    return True


@given(seed=st.integers(0, 2**32))
def test_checker_agrees_with_the_definition(seed: int) -> None:
    attempts = random_attempts(Random(seed))
    right = any(runs_in_order(order) for order in permutations(attempts))
    report = check(history(*attempts))
    assert report.clean == right, f"{attempts}\n{report}"


def test_oracle_sees_both_kinds() -> None:
    verdicts = set()
    for seed in range(200):
        attempts = random_attempts(Random(seed))
        verdicts.add(any(runs_in_order(order) for order in permutations(attempts)))
    assert verdicts == {True, False}
