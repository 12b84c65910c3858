"""Children after `fork` share the region; what was open in the parent is the parent's."""

from collections.abc import Callable

import pytest

type Run = Callable[..., str]

BEGIN = """
        import os, signal, sys, threading
        import stmpy as stm

        table = stm.TVar("table", {"n": 0})

        def add():
            with stm.atomically():
                table["n"] += 1

        def fork(child):
            pid = os.fork()
            if pid == 0:
                try:
                    child()
                except BaseException as error:
                    print("child:", repr(error), file=sys.stderr, flush=True)
                    os._exit(1)
                os._exit(0)
            return pid

        def wait(pid):
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
"""


def test_children_share_the_store(in_process: Run) -> None:
    in_process(f"""
        {BEGIN}
        def work():
            for _ in range(300):
                add()
            with stm.atomically():
                stm.TVar(f"of {{os.getpid()}}")["made"] = os.getpid()

        children = [fork(work) for _ in range(4)]
        for _ in range(300):
            add()
        for child in children:
            wait(child)
            assert stm.TVar(f"of {{child}}") == {{"made": child}}
        assert table == {{"n": 1500}}
        assert stm.stats().commits >= 1504
    """)


def test_a_child_of_a_child(in_process: Run) -> None:
    in_process(f"""
        {BEGIN}
        def deeper(depth):
            add()
            if depth > 0:
                wait(fork(lambda: deeper(depth - 1)))
            add()

        deeper(5)
        assert table == {{"n": 12}}
    """)


FORKS = {
    "with": """
        def work():
            with stm.atomically():
                table["n"] += 1
                pid = os.fork()
                pids.append(pid)
                if pid == 0:
                    table.get("n")
    """,
    "serial": """
        def work():
            with stm.atomically(irrevocable=True):
                table["n"] += 1
                pids.append(os.fork())
    """,
    "snapshot": """
        def work():
            with stm.snapshot():
                table["n"]
                pids.append(os.fork())
            if pids != [0]:
                add()
    """,
    "function": """
        @stm.atomically
        def work():
            table["n"] += 1
            pids.append(os.fork())
    """,
    "run": """
        def work():
            stm.run(lambda: (table.update(n=table["n"] + 1), pids.append(os.fork())))
    """,
    "nested": """
        def work():
            with stm.atomically():
                with stm.atomically():
                    table["n"] += 1
                    pids.append(os.fork())
    """,
    "nested function": """
        def work():
            with stm.atomically():
                stm.run(lambda: (table.update(n=table["n"] + 1), pids.append(os.fork())))
    """,
    "get_many": """
        def work():
            def keys():
                yield "n"
                pids.append(os.fork())
                yield "m"

            assert table.get_many(keys()) == {"n": 0, "m": None}
            if pids != [0]:
                add()
    """,
    "loop": """
        def work():
            for turn in range(3):
                with stm.atomically():
                    if turn == 2:
                        table["n"] += 1
                        pids.append(os.fork())
                        break
                    continue
    """,
}


@pytest.mark.parametrize("work", FORKS.values(), ids=FORKS)
def test_a_fork_within_a_block(work: str, in_process: Run) -> None:
    """The parent's block goes on; the child's copy of it is refused, and a block of its own works.

    The child waits for nothing of the parent's, and the parent for nothing of the child's.
    """
    out = in_process(f"""
        {BEGIN}
        pids = []
        {work}
        try:
            work()
        except stm.NestedMisuse:
            assert pids == [0]
            print("refused", flush=True)
        else:
            assert pids != [0] or {"yield" in work}
        if pids == [0]:
            assert not stm.in_transaction()
            with stm.atomically(timeout=20):
                table["child"] = 1
            stm.run(lambda: table.update(again=1))
            os._exit(0)
        wait(pids[0])
        assert table == {{"n": 1, "child": 1, "again": 1}}, table.copy()
        assert len(pids) == 1
        assert stm.stats().oldest_snapshot == stm.stats().version
    """)
    assert out in ({"refused\n"} if "yield" not in work else {"refused\n", ""})


def test_an_exception_in_the_child_ends_only_the_child(in_process: Run) -> None:
    in_process(f"""
        {BEGIN}
        def work():
            with stm.atomically():
                table["n"] += 1
                pid = os.fork()
                if pid == 0:
                    raise LookupError("in the child")
            return pid

        try:
            pid = work()
        except LookupError:
            add()
            os._exit(0)
        wait(pid)
        assert table == {{"n": 2}}
    """)


def test_the_child_drops_the_open_block(in_process: Run) -> None:
    """The block object goes in the child while the parent's block is open."""
    in_process(f"""
        {BEGIN}
        block = stm.atomically()
        block.__enter__()
        table["n"] = 5

        def child():
            global block
            del block
            assert not stm.in_transaction()
            assert table["n"] == 0
            assert table.copy() == {{"n": 0}}

        wait(fork(child))
        assert stm.in_transaction()
        block.__exit__(None, None, None)
        assert table == {{"n": 5}}
    """)


def test_a_fork_while_threads_are_in_blocks(in_process: Run) -> None:
    """What other threads had locked in the process is free in the child."""
    in_process(f"""
        {BEGIN}
        import warnings

        warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads
        add()  # what it imports must not be half imported by a thread when main forks
        stop = threading.Event()

        def work():
            while not stop.is_set():
                add()
                store = stm.open(max_bytes=1 << 16)
                store.TVar("x").copy()
                store.close()

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()

        def child():
            signal.alarm(30)
            for _ in range(20):
                add()
            stm.open(max_bytes=1 << 16).TVar("x").copy()

        for _ in range(20):
            wait(fork(child))
        stop.set()
        for thread in threads:
            thread.join()
        with stm.snapshot():
            assert table["n"] >= 400
    """)


def test_handles_of_another_process_are_refused(in_process: Run) -> None:
    """Stores are numbered by process: a number from elsewhere must not name another store."""
    in_process(f"""
        {BEGIN}
        import pickle

        reader, writer = os.pipe()

        def child():
            store = stm.open(max_bytes=1 << 16)
            os.write(writer, pickle.dumps(store.TVar("secret", {{"whose": "child"}})))

        wait(fork(child))
        mine = stm.open(max_bytes=1 << 16)
        mine.TVar("secret", {{"whose": "parent"}})
        try:
            found = pickle.loads(os.read(reader, 10000))
        except stm.StoreClosed as error:
            assert "process" in str(error)
        else:
            raise AssertionError(found.copy())
    """)
