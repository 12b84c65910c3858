"""Derived values: computed once per change, never from two snapshots, right inside blocks."""

import gc
import threading
from collections.abc import Callable
from typing import Any

import pytest

import stmpy as stm
from tests.conftest import Interpreters
from tests.following.conftest import Start

type Table = stm.TVar[Any, Any]


class Counted:
    """A function that counts its calls."""

    def __init__(self, fn: Callable[[], Any]) -> None:
        self.fn = fn
        self.calls = 0

    def __call__(self) -> Any:
        self.calls += 1
        return self.fn()


def test_computed_once_per_change(store: stm.Store, table: Table) -> None:
    other: Table = store.TVar("other")
    counted = Counted(lambda: sum(table.values()))
    total = stm.derived(counted, store=store)
    assert counted.calls == 0
    for n in range(1, 4):
        with store.atomically():
            table[n] = n
        for _ in range(3):
            assert total.value == sum(range(n + 1))
        assert counted.calls == n
        with store.atomically():
            other[n] = n
    with store.atomically():
        table[1] = 1  # as it was
    assert (total.value, counted.calls) == (6, 3)


def test_only_what_it_has_read_counts(store: stm.Store, table: Table) -> None:
    with store.atomically():
        table.update(at="a", a=1, b=2)
    counted = Counted(lambda: table[table["at"]])
    chosen = stm.derived(counted, store=store)
    assert chosen.value == 1
    with store.atomically():
        table["b"] = 20
    assert (chosen.value, counted.calls) == (1, 1)
    with store.atomically():
        table["at"] = "b"
    assert (chosen.value, counted.calls) == (20, 2)
    with store.atomically():
        table["b"] = 21
    assert (chosen.value, counted.calls) == (21, 3)


def test_never_old_beside_new(store: stm.Store, table: Table, start: Start) -> None:
    """Derived values that build on each other, and a reader who looks at both."""
    with store.atomically():
        table.update(left=0, right=0)
    left = stm.derived(lambda: table["left"], store=store)
    both = stm.derived(lambda: (left.value, table["right"]), store=store)
    done = threading.Event()

    def write() -> None:
        for n in range(1, 300):
            with store.atomically():
                table.update(left=n, right=n)
        done.set()

    def read() -> int:
        last = 0
        while not done.is_set():
            before = table["left"]
            a, b = both.value
            assert a == b
            assert a >= before, "what was seen committed is not seen in the derived value"
            assert a >= last
            last = a
        return last

    readers = [start(read) for _ in range(3)]
    start(write).result(60)
    assert all(reader.result(60) <= 299 for reader in readers)
    assert both.value == (299, 299)


def test_in_a_block_it_is_part_of_the_block(store: stm.Store, table: Table, start: Start) -> None:
    with store.atomically():
        table.update(a=1, b=2)
    total = stm.derived(lambda: sum(table.values()), store=store)
    assert total.value == 3
    attempts = 0

    def change() -> None:
        with store.atomically():
            table["b"] = 5

    def add() -> None:
        nonlocal attempts
        attempts += 1
        table["a"] += 10
        table["sum"] = 0
        seen = total.value
        if attempts == 1:
            start(change).result(60)
        table["sum"] = seen

    store.run(add)
    assert attempts == 2, "it joined what the block has read"
    assert table == {"a": 11, "b": 5, "sum": 16}
    with store.snapshot():
        assert total.value == 32


def test_it_only_reads(store: stm.Store, table: Table) -> None:
    writing = stm.derived(lambda: table.update(a=1), store=store)
    with pytest.raises(stm.ReadOnly):
        print(writing.value)
    with pytest.raises(stm.ReadOnly), store.atomically():
        print(writing.value)
    with pytest.raises(TypeError):
        stm.derived(3)  # type: ignore[arg-type]


def test_an_error_is_not_kept(store: stm.Store, table: Table) -> None:
    first = stm.derived(lambda: table["a"], store=store)
    for _ in range(2):
        with pytest.raises(KeyError):
            print(first.value)
    with store.atomically():
        table["a"] = 1
    assert first.value == 1


def test_it_waits_where_the_function_does(store: stm.Store, table: Table, start: Start) -> None:
    looked = threading.Event()

    def compute() -> Any:
        ready = "a" in table
        looked.set()
        stm.check(ready)
        return table["a"]

    value = stm.derived(compute, store=store)
    waiting = start(lambda: value.value)
    assert looked.wait(60)
    with store.atomically():
        table["a"] = 7
    assert waiting.result(60) == 7


def test_closed_stores_and_their_hubs() -> None:
    from stmpy import _hubs

    for _ in range(3):
        with stm.open(max_bytes=1 << 20) as store:
            value = stm.derived(lambda: 1, store=store)
            assert value.value == 1
            assert len(_hubs._hubs) == 1
        with pytest.raises(stm.StoreClosed):
            print(value.value)


def test_nothing_is_left_of_dropped_values(store: stm.Store, table: Table) -> None:
    """Their waiters are taken back: memory does not grow, and commits wake nobody."""
    with store.atomically():
        table.update(dict.fromkeys(range(100), 0))

    def use() -> None:
        for _ in range(100):
            assert stm.derived(lambda: sum(table.values()), store=store).value == 0
        gc.collect()

    use()
    before = store.stats().memory.used_bytes
    use()
    assert store.stats().memory.used_bytes <= before + (8 << 10)


OTHER = """
    import stmpy as stm
    store = stm.open(name="derived")
    table = store.TVar("table")
    total = stm.derived(lambda: sum(table.values()), store=store)
    for n in range(200):
        before = total.value
        with store.atomically():
            table[me] = table.get(me, 0) + 1
        assert total.value > before
"""


def test_changes_of_other_interpreters(interpreters: Interpreters) -> None:
    with stm.open(name="derived", max_bytes=16 << 20) as store:
        table: Table = store.TVar("table", {"first": 1})
        total = stm.derived(lambda: sum(table.values()), store=store)
        assert total.value == 1
        interpreters.run_each(OTHER, 2)
        assert total.value == 401


FORKED = """
import os
import stmpy as stm

table = stm.TVar("table", {"a": 1})
total = stm.derived(lambda: sum(table.values()))
assert total.value == 1
read, write = os.pipe()
child = os.fork()
if child == 0:
    assert total.value == 1
    with stm.atomically():
        table["b"] = 2
    assert total.value == 3
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print(total.value)
"""


def test_changes_of_forked_processes(in_process: Callable[..., str]) -> None:
    assert in_process(FORKED) == "3\n"


def test_a_child_forked_while_another_thread_computes(in_process: Callable[..., str]) -> None:
    program = """
        import os, threading, warnings
        import stmpy as stm

        warnings.simplefilter("ignore")  # to fork beside a thread is the point here
        ref = stm.TRef("ref", 1)
        computing, go_on = threading.Event(), threading.Event()

        @stm.derived
        def value():
            computing.set()
            go_on.wait()
            return ref.value

        other = threading.Thread(target=lambda: value.value)
        other.start()
        computing.wait()
        child = os.fork()
        if child == 0:
            go_on.set()
            os._exit(value.value)
        go_on.set()
        other.join()
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    assert in_process(program) == "1\n"
