"""`InterpreterPool` keeps one contract, whether the standard library brings it or we do.

Workers find functions by name, and the folder of the tests is not on their path: most calls are
of `eval` and `exec`, so the text of a test says what runs in the other interpreter.
"""

import _interpreters
import gc
import operator
import os
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from stmpy._pool import (
    BrokenInterpreterPool,
    ExecutionFailed,
    InterpreterPool,
    NotShareableError,
)

WHO = "__import__('_interpreters').get_current()[0]"


class Gate:
    """A pipe that a worker waits at until it is opened."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        self.text = f"__import__('os').read({self.reader}, 1)"

    def open(self) -> None:
        os.write(self.writer, b".")

    def wait(self) -> None:
        os.read(self.reader, 1)

    def close(self) -> None:
        os.close(self.reader)
        os.close(self.writer)


@pytest.fixture
def gates() -> Iterator[Callable[[], Gate]]:
    made: list[Gate] = []

    def make() -> Gate:
        made.append(Gate())
        return made[-1]

    yield make
    for gate in made:
        gate.close()


def test_calls_return_their_results() -> None:
    with InterpreterPool(2) as pool:
        assert pool.submit(operator.add, 2, 3).result() == 5
        assert pool.submit(int, "ff", base=16).result() == 255
        assert pool.submit(print, end="").result() is None
        assert list(pool.map(divmod, [7, 8, 9], [2, 3, 4])) == [(3, 1), (2, 2), (2, 1)]


def test_workers_are_interpreters_with_a_gil_of_their_own() -> None:
    with InterpreterPool(1) as pool:
        id = pool.submit(eval, WHO, {}).result()
        assert id != _interpreters.get_current()[0]
        assert _interpreters.get_config(id).gil == "own"
        assert pool.submit(eval, WHO, {}).result() == id


def test_workers_run_at_the_same_time(gates: Callable[[], Gate]) -> None:
    """Each call waits for the other: they end only if both run at once."""
    one, two = gates(), gates()
    meet = "(__import__('os').write({0}, b'.'), __import__('os').read({1}, 1), {2})[2]"
    with InterpreterPool(2) as pool:
        first = pool.submit(eval, meet.format(one.writer, two.reader, WHO), {})
        second = pool.submit(eval, meet.format(two.writer, one.reader, WHO), {})
        assert first.result() != second.result()


def test_no_more_interpreters_than_workers(gates: Callable[[], Gate]) -> None:
    before = len(_interpreters.list_all())
    gate = gates()
    with InterpreterPool(2) as pool:
        futures = [pool.submit(eval, gate.text, {}) for _ in range(6)]
        for _ in futures:
            gate.open()
        assert [future.result() for future in futures] == [b"."] * 6
        assert len(_interpreters.list_all()) <= before + 2
    assert len(_interpreters.list_all()) == before


def test_an_exception_comes_back_with_its_traceback() -> None:
    with InterpreterPool(1) as pool:
        with pytest.raises(ZeroDivisionError) as raised:
            pool.submit(eval, "1 / 0", {}).result()
        assert isinstance(raised.value.__cause__, ExecutionFailed)
        assert "ZeroDivisionError" in str(raised.value.__cause__)
        assert pool.submit(eval, "1 + 1", {}).result() == 2


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_no_exception_ends_the_worker(kind: type[BaseException]) -> None:
    with InterpreterPool(1) as pool:
        future = pool.submit(exec, f"raise {kind.__name__}(3)", {})
        error = future.exception()
        assert type(error) is kind
        assert error.args == (3,)
        assert pool.submit(eval, "1 + 1", {}).result() == 2


def test_an_exception_that_cannot_be_copied_is_described(capfd: pytest.CaptureFixture[str]) -> None:
    with InterpreterPool(1) as pool:
        future = pool.submit(exec, "class Odd(Exception): pass\nraise Odd('why')", {})
        with pytest.raises(ExecutionFailed, match="Odd: why"):
            future.result()
        assert pool.submit(eval, "1 + 1", {}).result() == 2


def test_what_cannot_be_copied_is_refused() -> None:
    with InterpreterPool(1) as pool:
        with pytest.raises(NotShareableError):
            pool.submit(repr, threading.Lock()).result()
        with pytest.raises(NotShareableError):
            pool.submit(eval, "__import__('threading').Lock()", {}).result()
        assert pool.submit(eval, "1 + 1", {}).result() == 2


def test_initializer_runs_once_in_each_worker() -> None:
    count = "import builtins; builtins.count = getattr(builtins, 'count', 0) + step"
    with InterpreterPool(1, initializer=exec, initargs=(count, {"step": 7})) as pool:
        assert [pool.submit(eval, "count", {}).result() for _ in range(3)] == [7, 7, 7]


def test_a_failed_initializer_breaks_the_pool(caplog: pytest.LogCaptureFixture) -> None:
    with InterpreterPool(1, initializer=exec, initargs=("1 / 0",)) as pool:
        with pytest.raises(BrokenInterpreterPool):
            pool.submit(eval, "1", {}).result()
        with pytest.raises(BrokenInterpreterPool):
            pool.submit(eval, "1", {})
    assert "ZeroDivisionError" in caplog.text


def test_a_waiting_call_can_be_cancelled(gates: Callable[[], Gate]) -> None:
    started, finish = gates(), gates()
    text = f"(__import__('os').write({started.writer}, b'.'), {finish.text})"
    with InterpreterPool(1) as pool:
        running = pool.submit(eval, text, {})
        started.wait()
        waiting = pool.submit(eval, "1", {})
        assert waiting.cancel()
        assert not running.cancel()
        finish.open()
        assert running.result() == (1, b".")


def test_shutdown_cancels_what_waits_and_ends_what_runs(gates: Callable[[], Gate]) -> None:
    before = len(_interpreters.list_all())
    started, finish = gates(), gates()
    text = f"(__import__('os').write({started.writer}, b'.'), {finish.text})"
    pool = InterpreterPool(1)
    running = pool.submit(eval, text, {})
    started.wait()
    waiting = [pool.submit(eval, "1", {}) for _ in range(3)]
    pool.shutdown(wait=False, cancel_futures=True)
    assert all(future.cancelled() for future in waiting)
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit(eval, "1", {})
    finish.open()
    assert running.result() == (1, b".")
    pool.shutdown()
    assert len(_interpreters.list_all()) == before


def test_shutdown_runs_what_waits() -> None:
    pool = InterpreterPool(1)
    futures = [pool.submit(eval, str(n), {}) for n in range(5)]
    pool.shutdown()
    assert [future.result(timeout=0) for future in futures] == list(range(5))


def test_a_dropped_pool_ends_its_workers() -> None:
    pool = InterpreterPool(1, "dropped")
    pool.submit(eval, "1", {}).result()
    threads = [t for t in threading.enumerate() if t.name.startswith("dropped")]
    assert len(threads) == 1
    del pool
    gc.collect()
    threads[0].join()


def test_there_is_at_least_one_worker() -> None:
    with pytest.raises(ValueError, match="greater than 0"):
        InterpreterPool(0)


def test_the_process_ends_with_a_pool_that_was_not_shut_down(
    in_process: Callable[..., str],
) -> None:
    """Calls that wait are run first, as in every executor of the standard library."""
    text = """
        import os
        from stmpy._pool import InterpreterPool
        pool = InterpreterPool(2)
        pool.submit(eval, "1", {}).result()
        for n in range(8):
            pool.submit(os.write, 1, b"x")
    """
    assert in_process(text) == "x" * 8


def test_an_isolated_interpreter_can_have_a_pool(in_process: Callable[..., str]) -> None:
    text = """
        from stmpy._pool import InterpreterPool
        inner = '''if True:
            from stmpy._pool import InterpreterPool
            with InterpreterPool(2) as pool:
                print(*pool.map(abs, [-1, -2, -3]), flush=True)
        '''
        with InterpreterPool(1) as pool:
            pool.submit(exec, inner, {}).result()
    """
    assert in_process(text) == "1 2 3\n"


def test_workers_can_import_datetime_at_once(in_process: Callable[..., str]) -> None:
    """On CPython 3.13.0 the second import corrupts the heap, if we do not prevent it."""
    text = """
        from stmpy._pool import InterpreterPool
        for _ in range(4):
            with InterpreterPool(4) as pool:
                code = "__import__('datetime').datetime(2026, 1, 2).isoformat()"
                texts = set(pool.map(eval, [code] * 8, [{}] * 8))
                assert texts == {"2026-01-02T00:00:00"}
    """
    in_process(text)


def test_functions_of_the_main_script(in_process: Callable[..., str], tmp_path: Path) -> None:
    """The script is loaded again, under another name: what its guard keeps is not run twice."""
    script = """
        from stmpy._pool import InterpreterPool, NotShareableError

        SCALE = 10
        class Own: pass
        def scaled(x): return x * SCALE
        def own(): return Own()

        if __name__ == "__main__":
            SCALE = 99
            with InterpreterPool(2) as pool:
                print(*pool.map(scaled, [1, 2, 3]))
                try:
                    pool.submit(own).result()
                except NotShareableError:
                    print("refused")
    """
    path = tmp_path / "script.py"
    path.write_text(dedent(script))
    assert in_process(path) == "10 20 30\nrefused\n"


def test_it_says_what_it_waits_for(tmp_path: Path, in_process: Callable[..., str]) -> None:
    """Left by Ctrl-C, it still waits for calls that wait in blocks; the warning names those."""
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent("""
        import warnings
        import stmpy as stm

        doors = stm.TVar("doors", {"open": False})

        @stm.atomically(label="the guard")
        def enter():
            stm.check(doors["open"])
            return "in"

        def show(message, *args, **kwargs):
            said.append(str(message))
            stm.run(doors.update, open=True)  # else it would wait for ever

        if __name__ == "__main__":
            said, warnings.showwarning = [], show
            warnings.simplefilter("always")
            try:
                with stm.InterpreterPool(1) as pool:
                    pool.patience = 0.0
                    call = pool.submit(enter)
                    while not stm.stats().waiters:
                        pass
                    raise KeyboardInterrupt
            except KeyboardInterrupt:
                assert call.result() == "in"
            assert "the guard for doors['open']" in said[0], said
            with stm.InterpreterPool(1) as pool:
                assert pool.submit(enter).result() == "in"
            assert len(said) == 1
        """)
    )
    in_process(script)
