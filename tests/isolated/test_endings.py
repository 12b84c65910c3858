"""Who ends in the middle of a block: it is undone, and the others go on.

Each in a process of its own, which ends the test by a time limit if anything hangs.
"""

from collections.abc import Callable

import pytest

type Run = Callable[..., str]

# The rest of each program: the store works, in this thread and in others, and nothing is pinned.
GOES_ON = """
        def goes_on():
            with stm.atomically(timeout=20):
                table["n"] = table.get("n", 0) + 1
            with stm.atomically(timeout=20, irrevocable=True):
                table["n"] += 1

        goes_on()
        thread = threading.Thread(target=goes_on)
        thread.start()
        thread.join()
        assert table == {"n": 4}, table.copy()
        assert not stm.in_transaction()
        assert stm.stats().oldest_snapshot == stm.stats().version
"""

LEFT_OPEN = {
    "a block": """
        block = stm.atomically()
        block.__enter__()
        table["left"] = 1
    """,
    "a serial block": """
        block = stm.atomically(irrevocable=True)
        block.__enter__()
        table["left"] = 1
    """,
    "a snapshot": """
        block = stm.snapshot()
        block.__enter__()
        table.get("left")
    """,
    "nested blocks": """
        blocks = [stm.atomically() for _ in range(3)]
        for block in blocks:
            block.__enter__()
            table["left"] = table.get("left", []) + [1]
            table["left"].append(2)
    """,
    "a generator": """
        def steps():
            with ExitStack() as stack:
                stack.enter_context(stm.atomically())
                table["left"] = [1]
                yield
                table["left"].append(2)

        generator = steps()
        next(generator)
    """,
    "another store's": """
        other = stm.open(name="other", max_bytes=1 << 20)
        block = other.atomically()
        block.__enter__()
        other.TVar("table")["left"] = 1
    """,
}


@pytest.mark.parametrize("left", LEFT_OPEN.values(), ids=LEFT_OPEN)
@pytest.mark.parametrize("dropped", ["before", "after", "never"])
def test_a_thread_ends(left: str, dropped: str, in_process: Run) -> None:
    """The objects of its block go before it, after it, or with the interpreter."""
    in_process(f"""
        import gc, threading
        from contextlib import ExitStack
        import stmpy as stm

        table = stm.TVar("table")
        kept = []

        def work():
            {left.replace("\n", "\n    ")}
            if {dropped!r} != "before":
                kept.append(locals())

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        for _ in range(3):  # others, that may be given what it held
            thread = threading.Thread(target=table.copy)
            thread.start()
            thread.join()
        for held in kept:
            for block in (held.get("block"), *held.get("blocks", ())):
                if block is not None:
                    assert (block.version, block.serial) == (None, False)
                    block.attempt, block.snapshot, block.serial_reason
                    try:
                        block.__exit__(None, None, None)
                    except stm.NestedMisuse:
                        pass
                    else:
                        raise AssertionError("left by another thread")
        if {dropped!r} == "after":
            del held, block
            kept.clear()
            gc.collect()
        {GOES_ON}
    """)


@pytest.mark.parametrize("left", LEFT_OPEN.values(), ids=LEFT_OPEN)
def test_an_interpreter_is_closed(left: str, in_process: Run) -> None:
    in_process(f"""
        import _interpreters, textwrap, threading
        import stmpy as stm

        table = stm.TVar("table")
        text = textwrap.dedent('''
        import sys
        from contextlib import ExitStack
        import stmpy as stm

        table = stm.TVar("table")
        {left}
        sys.kept = globals()
        ''')
        for _ in range(3):
            id = _interpreters.create("isolated")
            failure = _interpreters.exec(id, text)
            assert failure is None, failure.errdisplay
            _interpreters.destroy(id)
        {GOES_ON}
    """)


@pytest.mark.parametrize("left", LEFT_OPEN.values(), ids=LEFT_OPEN)
def test_the_process_ends(left: str, in_process: Run) -> None:
    """Nothing waits, crashes or complains when the main interpreter ends within a block."""
    assert (
        in_process(f"""
        from contextlib import ExitStack
        import stmpy as stm

        table = stm.TVar("table")
        {left}
        print("end")
    """)
        == "end\n"
    )


@pytest.mark.parametrize("left", LEFT_OPEN.values(), ids=LEFT_OPEN)
def test_the_block_object_goes_in_another_thread(left: str, in_process: Run) -> None:
    in_process(f"""
        import gc, threading
        from contextlib import ExitStack
        import stmpy as stm

        table = stm.TVar("table")

        def enter():
            {left.replace("\n", "\n    ")}
            return locals()

        held = [enter()]

        def drop():
            held.clear()
            gc.collect()

        thread = threading.Thread(target=drop)
        thread.start()
        thread.join()
        {GOES_ON}
    """)


WAITERS = {
    "a_block": "with stm.atomically(): table['n'] = 1",
    "a_serial_block": "stm.atomically(irrevocable=True)(lambda: table.update(n=1))()",
    "a_function": "stm.run(lambda: table.update(n=1))",
}


@pytest.mark.parametrize("waiter", WAITERS.values(), ids=WAITERS)
@pytest.mark.parametrize(("daemon", "isolated"), [(False, False), (False, True), (True, False)])
def test_main_ends_while_others_wait_for_it(
    waiter: str, daemon: bool, isolated: bool, in_process: Run
) -> None:
    """They get the lock, as main's block is undone, or go with the process if they are daemons.

    A daemon that is in another interpreter when main ends crashes CPython without our help.
    """
    out = in_process(f"""
        import _interpreters, os, threading
        import stmpy as stm

        table = stm.TVar("table")
        block = stm.atomically(irrevocable=True)
        block.__enter__()
        table["left"] = 1
        reader, writer = os.pipe()
        wait = '''if True:
            import os
            import stmpy as stm
            table = stm.TVar("table")
            os.write(writer, b".")
            {waiter}
            print(table.copy(), flush=True)
        '''

        def work():
            if {isolated}:
                id = _interpreters.create("isolated")
                failure = _interpreters.exec(id, wait, {{"writer": writer}})
                assert failure is None, failure.errdisplay
                _interpreters.destroy(id)
            else:
                exec(wait, {{"writer": writer}})

        threading.Thread(target=work, daemon={daemon}).start()
        os.read(reader, 1)
    """)
    assert out == "{'n': 1}\n" or (daemon and out == "")


def test_a_daemon_holds_the_lock_when_main_ends(in_process: Run) -> None:
    in_process("""
        import threading
        import stmpy as stm

        table = stm.TVar("table")
        entered, never = threading.Event(), threading.Event()

        def hold():
            with stm.atomically(irrevocable=True):
                table["n"] = 1
                entered.set()
                never.wait()

        threading.Thread(target=hold, daemon=True).start()
        entered.wait()
    """)


def test_blocks_in_what_runs_at_the_end(in_process: Run) -> None:
    """`atexit`, `__del__` and threads that outlive the main program may still use the store."""
    out = in_process("""
        import atexit, threading
        import stmpy as stm

        table = stm.TVar("table", {"n": 0})

        def add(who):
            with stm.atomically():
                table["n"] += 1
            print(who, table["n"], flush=True)

        class Last:
            def __del__(self):
                add("del")

        atexit.register(add, "atexit")
        last = Last()
        main = threading.main_thread()

        def outlive():
            main.join()
            add("thread")

        threading.Thread(target=outlive).start()
    """)
    assert out.split() == ["thread", "1", "atexit", "2", "del", "3"]
