"""Queues: order, bounds, the standard library's exceptions, and who conflicts with whom."""

import itertools
import queue
from collections.abc import Callable
from typing import Any

import pytest

import stmpy as stm
from stmpy.structs import Empty, Full
from tests.conftest import Interpreters
from tests.structs.conftest import Start

KINDS = pytest.mark.parametrize("kind", [stm.TQueue, stm.TPriorityQueue])


class Undo(Exception):
    pass


@KINDS
def test_as_queue_does(store: stm.Store, kind: Any) -> None:
    mine = kind("q", 2, store=store)
    oracle: queue.Queue[int] = (queue.Queue if kind is stm.TQueue else queue.PriorityQueue)(2)
    for q in (mine, oracle):
        assert (q.empty(), q.full(), q.qsize(), q.maxsize) == (True, False, 0, 2)
        q.put(1)
        q.put_nowait(2)
        assert (q.empty(), q.full(), q.qsize()) == (False, True, 2)
        for put in (q.put_nowait, lambda item, q=q: q.put(item, timeout=0.01)):
            with pytest.raises(queue.Full):
                put(3)
        with pytest.raises(queue.Full):
            q.put(3, block=False)
        assert (q.get(), q.get_nowait()) == (1, 2)
        for get in (q.get_nowait, lambda q=q: q.get(timeout=0.01), lambda q=q: q.get(block=False)):
            with pytest.raises(queue.Empty):
                get()
        with pytest.raises(ValueError, match="timeout"):
            q.get(timeout=-1)


@KINDS
def test_errors_are_ours_too(store: stm.Store, kind: Any) -> None:
    q = kind("q", 1, store=store)
    with pytest.raises(Empty) as caught:
        q.get_nowait()
    assert isinstance(caught.value, stm.StmError)
    q.put(1)
    with pytest.raises(Full, match="1 items"):
        q.put_nowait(2)
    with pytest.raises(ValueError, match="maxsize"):
        kind("other", -1, store=store)
    with pytest.raises(stm.NestedMisuse, match="timeout"):
        store.run(lambda: q.get(timeout=1))


def test_priority_and_arrival(store: stm.Store) -> None:
    q: stm.TPriorityQueue[tuple[int, str]] = stm.TPriorityQueue("q", store=store)
    for item in [(2, "c"), (1, "b"), (3, "d"), (1, "a")]:
        q.put(item)
    assert [q.get() for _ in range(4)] == [(1, "a"), (1, "b"), (2, "c"), (3, "d")]
    q.put((1, "x"))
    with pytest.raises(TypeError):
        q.put("not comparable")  # type: ignore[arg-type]
    assert q.get() == (1, "x")


def test_many_at_once(store: stm.Store) -> None:
    q: stm.TQueue[int] = stm.TQueue("q", 4, store=store)
    q.put_many(range(4))
    with pytest.raises(ValueError, match="never fit"):
        q.put_many(range(5))
    with pytest.raises(ValueError, match="most"):
        q.get_many(0)
    assert q.get_many(3) == [0, 1, 2]
    q.put_many([4, 5, 6])
    assert q.get_many(10) == [3, 4, 5, 6]


@pytest.mark.parametrize("maxsize", [0, 1, 7])
def test_nothing_lost_nothing_twice_in_order(store: stm.Store, start: Start, maxsize: int) -> None:
    q: stm.TQueue[tuple[int, int]] = stm.TQueue("q", maxsize, store=store)

    def produce(me: int) -> None:
        for i in range(100):
            q.put((me, i))

    def consume() -> list[tuple[int, int]]:
        return [q.get() for _ in range(100)]

    producers = [start(produce, me) for me in range(3)]
    consumers = [start(consume) for _ in range(3)]
    taken = [consumer.result(60) for consumer in consumers]
    for producer in producers:
        producer.result(60)
    assert sorted(itertools.chain(*taken)) == [(me, i) for me in range(3) for i in range(100)]
    for items in taken:
        for me in range(3):
            mine = [i for who, i in items if who == me]
            assert mine == sorted(mine)
    assert q.empty()


@pytest.mark.parametrize("maxsize", [0, 3])
def test_producer_and_consumer_do_not_conflict(
    store: stm.Store, overlap: Callable[..., int], maxsize: int
) -> None:
    q: stm.TQueue[int] = stm.TQueue("q", maxsize, store=store)
    q.put(0)
    assert overlap(lambda: q.put(1), q.get) == 0
    assert overlap(q.get, lambda: q.put(2)) == 0
    # The check can fail: two producers do conflict.
    assert overlap(lambda: q.put(3), lambda: q.put(4)) > 0


@KINDS
def test_an_undone_get_took_nothing(store: stm.Store, kind: Any) -> None:
    q = kind("q", store=store)
    q.put(1)

    def take_and_fail() -> None:
        assert q.get() == 1
        q.put(2)
        raise Undo

    with pytest.raises(Undo):
        store.run(take_and_fail)
    assert (q.qsize(), q.get()) == (1, 1)


def test_select_over_two_queues(store: stm.Store, start: Start) -> None:
    left: stm.TQueue[str] = stm.TQueue("left", store=store)
    right: stm.TQueue[str] = stm.TQueue("right", store=store)

    def either() -> str:
        taken: str = store.run(stm.or_else, left.get, right.get)
        return taken

    for source in (left, right, left):
        waiting = start(either)
        source.put(source.name)
        assert waiting.result(60) == source.name


def test_move_from_one_queue_to_another_is_one_step(store: stm.Store) -> None:
    source: stm.TQueue[int] = stm.TQueue("source", store=store)
    target: stm.TQueue[int] = stm.TQueue("target", 1, store=store)
    source.put_many([1, 2])

    def move() -> None:
        target.put_nowait(source.get())

    store.run(move)
    with pytest.raises(Full):
        store.run(move)
    assert (source.qsize(), target.get()) == (1, 1)


def test_without_waiting_in_blocks_that_cannot_wait(store: stm.Store) -> None:
    q: stm.TQueue[int] = stm.TQueue("q", store=store)
    with pytest.raises(Empty):
        store.atomically(irrevocable=True)(q.get_nowait)()
    q.put(1)
    assert store.atomically(irrevocable=True)(q.get_nowait)() == 1


CONSUMER = """
    import stmpy as stm
    store = stm.open(name="queue test")
    work, results = stm.TQueue("work", store=store), stm.TQueue("results", store=store)
    while (item := work.get()) is not None:
        results.put(item * item)
"""


def test_across_interpreters(interpreters: Interpreters, start: Start) -> None:
    with stm.open(name="queue test", max_bytes=16 << 20) as store:
        work: stm.TQueue[int | None] = stm.TQueue("work", 5, store=store)
        results: stm.TQueue[int] = stm.TQueue("results", store=store)
        running = start(interpreters.run_each, CONSUMER, 2)
        for i in [*range(100), None, None]:
            work.put(i)
        running.result(60)
        assert sorted(results.get_many(200)) == [i * i for i in range(100)]
