"""What all structures share: names, options, pickling; and the counter and the set."""

import itertools
import pickle
from collections.abc import Callable, MutableSet
from typing import Any

import pytest

import stmpy as stm
from tests.structs.conftest import Start

MADE: list[tuple[Any, tuple[Any, ...]]] = [
    (stm.TBarrier, (2,)),
    (stm.TChannel, ()),
    (stm.TCounter, ()),
    (stm.TEvent, ()),
    (stm.TLatch, (3,)),
    (stm.TPriorityQueue, (4,)),
    (stm.TQueue, (5,)),
    (stm.TSemaphore, (6,)),
    (stm.TSet, ()),
]
EACH = pytest.mark.parametrize(("kind", "options"), MADE, ids=[kind.__name__ for kind, _ in MADE])


@EACH
def test_a_name_is_one_structure(store: stm.Store, kind: Any, options: tuple[Any, ...]) -> None:
    made = kind("name", *options, store=store)
    again, same, travelled = (
        kind("name", store=store),
        kind("name", *options, store=store),
        pickle.loads(pickle.dumps(made)),
    )
    for other in (again, same, travelled):
        assert other == made
        assert (other.name, other.store, other._options) == ("name", store, made._options)
    assert repr(made).startswith(f"{kind.__name__}('name', ")
    assert kind(None, *options, store=store).name != kind(None, *options, store=store).name


@EACH
def test_other_options_are_refused(store: stm.Store, kind: Any, options: tuple[Any, ...]) -> None:
    kind("name", *options, store=store)
    if options:
        with pytest.raises(stm.StmError, match="exists with other options"):
            kind("name", options[0] + 1, store=store)


@EACH
def test_kinds_have_names_of_their_own(
    store: stm.Store, kind: Any, options: tuple[Any, ...]
) -> None:
    kind("name", *options, store=store)
    for other, others in MADE:
        assert other("name", *others, store=store).name == "name"


def test_counter(store: stm.Store, start: Start) -> None:
    counter = stm.TCounter("n", store=store)

    def work() -> None:
        for _ in range(50):
            counter.add(2)
            counter.add(-1)

    for worker in [start(work) for _ in range(8)]:
        worker.result(60)
    assert counter.value == 400
    assert store.stats().conflicts == 0


def test_additions_do_not_conflict(store: stm.Store, overlap: Callable[..., int]) -> None:
    counter = stm.TCounter("n", store=store)
    assert overlap(counter.add, counter.add) == 0
    assert counter.value == 2
    # The check can fail: who reads the value does conflict.
    assert overlap(lambda: counter.add(counter.value), counter.add) > 0


def test_set_as_set_does(store: stm.Store) -> None:
    mine: stm.TSet[Any] = stm.TSet("s", [1, "a", (1, 2)], store=store)
    oracle: set[Any] = {1, "a", (1, 2)}
    both: tuple[MutableSet[Any], ...] = mine, oracle
    for s in both:
        s.add(2)
        s.add(2)
        s.discard("nothing")
        s.remove("a")
        with pytest.raises(KeyError):
            s.remove("a")
        s |= {3, 4}
        s -= {1}
        s &= {2, 3, (1, 2)}
        s ^= {3, 5}
        assert s == {2, (1, 2), 5}
        assert (s | {9}, s & {2}, s - {2}) == ({2, (1, 2), 5, 9}, {2}, {(1, 2), 5})
        assert s <= {2, (1, 2), 5}
        assert (len(s), 5 in s, 6 in s, sorted(map(str, s))) == (
            3,
            True,
            False,
            ["(1, 2)", "2", "5"],
        )
        with pytest.raises(TypeError):
            [] in s  # noqa: B015
        with pytest.raises(TypeError):
            hash(s)
        assert s.pop() not in s
        s.clear()
        assert not s
        with pytest.raises(KeyError):
            s.pop()


def test_one_element_goes_to_one_taker(store: stm.Store, start: Start) -> None:
    s: stm.TSet[int] = stm.TSet("s", range(100), store=store)

    def work() -> list[int]:
        return [s.pop() for _ in range(20)]

    taken = [worker.result(60) for worker in [start(work) for _ in range(5)]]
    assert sorted(itertools.chain(*taken)) == list(range(100))
    assert not s


def test_elements_do_not_conflict(store: stm.Store, overlap: Callable[..., int]) -> None:
    s: stm.TSet[int] = stm.TSet("s", store=store)
    assert overlap(lambda: s.add(1), lambda: s.add(2)) == 0
    assert overlap(lambda: s.discard(1), lambda: s.add(3)) == 0
    # The check can fail: the size depends on every element.
    assert overlap(lambda: s.add(len(s) + 10), lambda: s.add(4)) > 0
