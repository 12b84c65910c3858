"""What the tests share: each fixture runs code elsewhere in one way, and cleans up after it."""

import _interpreters
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import settings

# A shell that starts a job in the background makes it ignore Ctrl-C, which its children inherit:
# programs that tests interrupt would then never end.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


# A deadline would measure the machine; on failure hypothesis prints how to replay the example.
settings.register_profile("stmpy", deadline=None, print_blob=True)
settings.load_profile("stmpy")


@pytest.fixture
def rng() -> random.Random:
    """A random source whose seed the report shows on failure; STMPY_SEED=… replays it."""
    seed = int(os.environ.get("STMPY_SEED", random.SystemRandom().randrange(2**32)))
    print(f"replay with STMPY_SEED={seed}")
    return random.Random(seed)


@pytest.fixture
def in_process() -> Callable[..., str]:
    """Runs a program, a text or a file, in a Python of its own and returns what it printed.

    For what must not share a process with other tests: exits, kills, platform hazards. The test
    fails unless the program exits with `code` (negative: the signal that ended it).
    """

    def run(program: str | Path, *args: str, code: int = 0, timeout: float = 60) -> str:
        what = ["-c", textwrap.dedent(program)] if isinstance(program, str) else [str(program)]
        done = subprocess.run(
            [sys.executable, "-P", "-X", "faulthandler", "-W", "error", *what, *args],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return run


class Interpreters:
    """Isolated interpreters, each with its own GIL, driven by program texts."""

    def __init__(self) -> None:
        self.ids: list[int] = []

    def create(self) -> int:
        self.ids.append(_interpreters.create("isolated"))
        return self.ids[-1]

    def run(self, id: int, text: str, **shared: object) -> None:
        """Runs a text in the interpreter; `shared` become names in its `__main__`."""
        failure = _interpreters.exec(id, textwrap.dedent(text), shared)
        assert failure is None, getattr(failure, "errdisplay", failure)

    def run_each(self, text: str, count: int = 2, **shared: object) -> None:
        """Runs a text in `count` fresh interpreters at once; each finds its number in `me`."""
        failures: list[BaseException] = []

        def work(me: int, id: int) -> None:
            try:
                self.run(id, text, me=me, **shared)
            except BaseException as error:
                failures.append(error)

        ids = [self.create() for _ in range(count)]
        threads = [threading.Thread(target=work, args=pair) for pair in enumerate(ids)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]

    def close(self) -> None:
        for id in self.ids:
            with suppress(_interpreters.InterpreterNotFoundError):
                _interpreters.destroy(id)


@pytest.fixture
def interpreters() -> Iterator[Interpreters]:
    # Two interpreters that import datetime first corrupt the heap of CPython 3.13.0.
    import datetime  # noqa: F401

    made = Interpreters()
    yield made
    made.close()
