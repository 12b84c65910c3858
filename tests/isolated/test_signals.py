"""Ctrl-C and other signals while a block waits for the commit lock."""

import random
from collections.abc import Callable

import pytest

type Run = Callable[..., str]

# `hold` is in a serial block from `os.read(entered…)` until `os.write(leave…)`.
BEGIN = """
        import os, signal, threading
        import stmpy as stm

        table = stm.TVar("table", {"n": 0})
        other = stm.open(name="other", max_bytes=1 << 20).TVar("other")
        entered, leave = os.pipe(), os.pipe()

        def hold():
            with stm.atomically(irrevocable=True):
                table["held"] = 1
                os.write(entered[1], b".")
                os.read(leave[0], 1)

        def add():
            with stm.atomically():
                table["n"] += 10

        def add_in_a_serial_block():
            with stm.atomically(irrevocable=True):
                table["n"] += 10

        def add_in_a_function():
            stm.run(lambda: table.update(n=table["n"] + 10))

        def add_with_a_new_variable():
            stm.TVar("new")
            add()
"""
BY_THREAD = """
        holder = threading.Thread(target=hold)
        holder.start()
        os.read(entered[0], 1)
"""
BY_PROCESS = """
        holder = os.fork()
        if holder == 0:
            os.close(leave[1])  # ends with its parent at the latest
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            hold()
            os._exit(0)
        os.read(entered[0], 1)
"""
END_THREAD = "holder.join()"
END_PROCESS = "assert os.waitstatus_to_exitcode(os.waitpid(holder, 0)[1]) == 0"

FORMS = ["add", "add_in_a_serial_block", "add_in_a_function", "add_with_a_new_variable"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("hold", "end"),
    [(BY_THREAD, END_THREAD), (BY_PROCESS, END_PROCESS)],
    ids=["a_thread_holds_it", "a_process_holds_it"],
)
def test_ctrl_c_while_waiting_for_the_lock(
    form: str, hold: str, end: str, in_process: Run, rng: random.Random
) -> None:
    """At a random moment of the wait, ten times."""
    delays = [rng.random() * 0.03 for _ in range(10)]
    in_process(f"""
        {BEGIN}
        {hold}
        for delay in {delays}:
            stop = threading.Timer(delay, os.kill, (os.getpid(), signal.SIGINT))
            try:
                stop.start()
                {form}()
            except KeyboardInterrupt:
                pass
            else:
                raise AssertionError("it got a lock that another holds")
            stop.join()
            assert not stm.in_transaction()
            assert table["n"] == 0
        os.write(leave[1], b".")
        {form}()
        {end}
        assert table == {{"n": 10, "held": 1}}
    """)


def test_a_signal_that_another_thread_received(in_process: Run) -> None:
    """It interrupts no wait in the kernel; the waiting thread looks for it."""
    in_process(f"""
        {BEGIN}
        {BY_THREAD}
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        stop = threading.Thread(target=lambda: (
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT]),
            os.kill(os.getpid(), signal.SIGINT)))
        try:
            stop.start()
            add()
        except KeyboardInterrupt:
            pass
        else:
            raise AssertionError("it got a lock that another holds")
        os.write(leave[1], b".")
        holder.join()
    """)


# What the handler does, and what holds afterwards. Within a block it is part of the block.
HANDLERS = {
    "reads": ("seen.append(table.copy())", "seen[0]['n'] in (0, 10)"),
    "takes_a_snapshot": ("with stm.snapshot(): seen.append(table['n'])", "seen[0] in (0, 10)"),
    "writes": ("with stm.atomically(): table['mine'] = 1", "table.get('mine') == 1"),
    "writes_elsewhere": ("with other.store.atomically(): other['n'] = 1", "other == {'n': 1}"),
    "raises": ("raise LookupError", "failed"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("handler", HANDLERS)
def test_a_handler_runs_while_the_block_waits(form: str, handler: str, in_process: Run) -> None:
    """What it does takes effect or is refused; what it raises ends the block; all goes on."""
    action, holds = HANDLERS[handler]
    in_process(f"""
        {BEGIN}
        {BY_THREAD}
        seen, refused, failed = [], [], []

        def handle(*_):
            os.write(leave[1], b".")
            try:
                {action}
            except stm.NestedMisuse:
                refused.append(1)

        signal.signal(signal.SIGUSR1, handle)
        signaller = threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGUSR1))
        try:
            signaller.start()
            {form}()
        except LookupError:
            failed.append(1)
        holder.join()
        assert refused or {holds}, (seen, table.copy(), other.copy())
        assert table["n"] == (0 if failed else 10)
        assert table["held"] == 1
        add()
        add_in_a_serial_block()
    """)
