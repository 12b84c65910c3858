"""What `repr` shows of variables, and that no block notices that its variables are shown."""

import sys
from dataclasses import dataclass
from typing import Any

import pytest

import stmpy as stm
from stmpy import _native
from tests.unit.background import in_another_thread


def test_a_variable_shows_some_of_its_contents(store: stm.Store) -> None:
    table = store.TVar("ages", {"ann": 7, ("b", 1): [None]})
    assert repr(table) == "TVar('ages', {'ann': 7, ('b', 1): [None]})"
    assert repr(store.TVar("none")) == "TVar('none', {})"
    assert repr(store.TRef("best", 3)) == "TRef('best', 3)"
    assert repr(store.TRef("unset")) == "TRef('unset', None)"
    many = store.TVar("many", {number: number for number in range(100)})
    assert repr(many) == "TVar('many', {0: 0, 1: 1, 2: 2, 3: 3, ... 96 more})"
    assert str(many) == f"{many}" == repr(many)


def test_a_block_sees_its_own_writes(store: stm.Store) -> None:
    table = store.TVar("t", {"kept": 1, "gone": 2, "list": []})
    best = store.TRef("best", 1)
    with store.atomically():
        del table["gone"]
        table["list"].append("in place")
        table["new"] = 3
        best.value = 2
        assert repr(table) == "TVar('t', {'kept': 1, 'list': ['in place'], 'new': 3})"
        assert repr(best) == "TRef('best', 2)"
        in_another_thread(lambda: seen.append(repr(table)))
        with store.atomically():
            table["inner"] = 4
            assert "'inner': 4" in repr(table)
    assert seen == ["TVar('t', {'kept': 1, 'gone': 2, 'list': []})"]
    assert repr(table) == "TVar('t', {'kept': 1, 'list': ['in place'], 'new': 3, 'inner': 4})"


seen: list[str] = []


def test_the_sum_of_an_addition_is_not_known_yet(store: stm.Store) -> None:
    table = store.TVar("t", {"n": 1})
    with store.atomically():
        table.add("n")
        table.commute("m", lambda value: [value])
        assert repr(table) == "TVar('t', {'n': ..., 'm': [None]})"
    assert repr(table) == "TVar('t', {'n': 2, 'm': [None]})"


@pytest.mark.parametrize(
    "value", ["x" * 100_000, list(range(10_000)), {"k" * 400: ["v" * 400] * 9}, 10**4000, [[[[]]]]]
)
def test_it_is_short(value: Any, store: stm.Store) -> None:
    table = store.TVar("t", {"x" * 400 + str(key): value for key in range(100)})
    assert len(repr(table)) < 600
    assert len(repr(store.TRef("r", value))) < 100
    with store.atomically():
        table["own"] = table["x" * 400 + "0"] = value
        assert len(repr(table)) < 600


def test_deleted_keys_are_passed_by(store: stm.Store) -> None:
    table = store.TVar("t", dict.fromkeys(range(200), 0))
    with store.snapshot():  # keeps the cells
        in_another_thread(lambda: store.run(lambda: [table.pop(key) for key in range(199)]))
        in_another_thread(lambda: seen.append(repr(table)))
    assert seen[-1] == "TVar('t', {... 1 more})"
    assert len(table) == 1


# ---- it never raises -----------------------------------------------------------------------------


@dataclass
class Rude:
    number: int

    def __repr__(self) -> str:
        raise RuntimeError("no")


_native.register(Rude, "tests.repr.Rude")


def test_it_never_raises(store: stm.Store) -> None:
    assert repr(store.TVar("t", {"k": Rude(1)})).startswith("TVar('t', {'k': <Rude instance at ")
    with stm.open(max_bytes=1 << 20) as other:
        table, best = other.TVar("t", {"k": 1}), other.TRef("r", 1)
        with store.atomically():
            assert (repr(table), repr(best)) == ("TVar('t', ...)", "TRef('r', ...)")
        assert repr(table) == "TVar('t', {'k': 1})"
        with pytest.raises(stm.StoreClosed):
            other.run(other.close)
        assert repr(table) == "TVar('t', closed)"


def test_of_a_closed_store() -> None:
    with stm.open(max_bytes=1 << 20) as other:
        table, best = other.TVar("t", {"k": 1}), other.TRef("r", 1)
        queue: stm.TQueue[int] = stm.TQueue("q", store=other)
    assert (repr(table), repr(best)) == ("TVar('t', closed)", "TRef('r', closed)")
    assert repr(queue) == "TQueue('q', closed)"


def test_of_a_snapshot_that_was_given_up() -> None:
    with stm.open(max_bytes=1 << 20, history_bytes=1) as small:
        table = small.TVar("t", {"k": "x" * 1000})

        def overwrite() -> None:
            for number in range(100):
                small.run(table.update, k=str(number) * 500)

        with small.snapshot():
            in_another_thread(overwrite)
            assert repr(table) == "TVar('t', ...)"
            with pytest.raises(stm.SnapshotTooOld):
                table["k"]


# ---- it changes nothing --------------------------------------------------------------------------


@pytest.mark.parametrize(("look", "attempts"), [(repr, 1), (len, 2), (dict, 2)])
def test_what_was_shown_was_not_read(look: Any, attempts: int, store: stm.Store) -> None:
    table, other = store.TVar("t", {"k": 1}), store.TVar("other")

    def meddle() -> None:
        store.run(lambda: table.update(k=tries, more=tries))

    tries = 0

    def body() -> None:
        nonlocal tries
        tries += 1
        look(table)
        if tries == 1:
            in_another_thread(meddle)
        other["written"] = tries

    store.run(body)
    assert tries == attempts


def test_who_has_only_shown_can_not_wait_for_it(store: stm.Store) -> None:
    table = store.TVar("t", {"k": 1})

    def wait() -> None:
        repr(table)
        stm.retry()

    with pytest.raises(stm.StmError, match="has read nothing"):
        store.run(wait)


def test_it_moves_no_snapshot_and_asks_no_hook(store: stm.Store) -> None:
    table = store.TVar("t", {"k": 1})
    points: list[str] = []
    with store.atomically() as block:
        snapshot = block.snapshot
        in_another_thread(lambda: store.run(lambda: table.update(k=2)))
        assert repr(table) == "TVar('t', {'k': 1})"
        assert block.snapshot == snapshot
        before = _native._interpose(lambda point, *_: points.append(point))
        try:
            repr(table)
            assert points == []
            len(table)
            assert points == ["read"]
        finally:
            _native._interpose(before)


def test_it_is_shown_by_a_function_that_the_commit_calls(store: stm.Store) -> None:
    table, calls = store.TVar("t", {"k": 1}), list[str]()

    def show(value: Any) -> str:
        calls.append(repr(table))
        return "shown"

    with store.atomically():
        table.commute("k", show)
        in_another_thread(lambda: store.run(lambda: table.update(k="newer")))
    assert calls == ["TVar('t', {'k': 1})", "TVar('t', {'k': 'shown'})"]


# ---- structures ----------------------------------------------------------------------------------


def test_structures_show_what_matters(store: stm.Store) -> None:
    queue: stm.TQueue[int] = stm.TQueue("q", 5, store=store)
    queue.put(1)
    channel: stm.TChannel[int] = stm.TChannel("ch", store=store)
    reader = channel.subscribe()
    channel.send(1)
    semaphore = stm.TSemaphore("s", 3, store=store)
    semaphore.acquire()
    event, latch = stm.TEvent("e", store=store), stm.TLatch("l", 2, store=store)
    latch.count_down()
    barrier = stm.TBarrier("b", 2, store=store)
    priority: stm.TPriorityQueue[int] = stm.TPriorityQueue("p", store=store)
    priority.put(1)
    counter = stm.TCounter("n", store=store)
    counter.add(5)
    with store.atomically():
        assert repr(queue) == "TQueue('q', 1 of 5 items)"
        assert repr(priority) == "TPriorityQueue('p', 1 items)"
        assert repr(channel) == "TChannel('ch', 1 subscribers)"
        assert repr(reader) == "Subscription('ch', 1 unread)"
        assert repr(semaphore) == "TSemaphore('s', 2 of 3 free)"
        assert repr(event) == "TEvent('e', not set)"
        assert repr(latch) == "TLatch('l', 1 left)"
        assert repr(barrier) == "TBarrier('b', 0 of 2 waiting)"
        assert repr(counter) == "TCounter('n', 5)"
        assert repr(stm.TSet("set", range(9), store=store)) == "TSet('set', {0, 1, 2, ... 6 more})"
    event.set()
    channel.close()
    reader.close()
    barrier.abort()
    assert repr(event) == "TEvent('e', set)"
    assert repr(barrier) == "TBarrier('b', 0 of 2 waiting, broken)"
    assert (repr(channel), repr(reader)) == (
        "TChannel('ch', 0 subscribers, closed)",
        "Subscription('ch', closed)",
    )


def test_a_large_priority_queue(store: stm.Store) -> None:
    queue: stm.TPriorityQueue[str] = stm.TPriorityQueue("p", 50, store=store)
    for number in range(30):
        queue.put(str(number) * 100)
    assert repr(queue) == "TPriorityQueue('p', ... of 50 items)"


def test_references_are_not_leaked(store: stm.Store) -> None:
    table = store.TVar("t")
    value: list[int] = []
    with store.atomically():
        table["k"] = value
        before = sys.getrefcount(value)
        for _ in range(10):
            repr(table)
            table._look_at("k")
        assert sys.getrefcount(value) == before
