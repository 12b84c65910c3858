"""Other threads for the tests: what they raise is raised where they are waited for."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import stmpy as stm

LIMIT = 60.0  # seconds that no test needs; where they pass, something hangs


class Background:
    """Runs a function in a thread of its own, from now on."""

    def __init__(self, function: Callable[[], object]) -> None:
        self._function = function
        self._raised: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._function()
        except BaseException as error:
            self._raised = error

    def join(self) -> None:
        self._thread.join(LIMIT)
        assert not self._thread.is_alive(), "the thread hangs"
        if self._raised is not None:
            raise self._raised


@contextmanager
def holding(
    block: Callable[[], stm.atomically], body: Callable[[], object] = lambda: None
) -> Iterator[None]:
    """Another thread is in a block, and has run `body` in it, while this runs."""
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with block():
            body()
            entered.set()
            assert leave.wait(LIMIT)

    thread = Background(hold)
    assert entered.wait(LIMIT)
    try:
        yield
    finally:
        leave.set()
        thread.join()


def in_another_thread(function: Callable[[], object]) -> None:
    """Runs the function to its end in another thread."""
    Background(function).join()
