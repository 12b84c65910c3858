"""Importing stmpy: in interpreters with a GIL of their own, all at once, and never twice."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import stmpy
from stmpy import _native

type Run = Callable[..., str]


@pytest.mark.parametrize("first", ["", "import stmpy"], ids=["they first", "main first"])
def test_interpreters_import_at_once(first: str, in_process: Run) -> None:
    """What they import at the same time, datetime too, does not corrupt the heap of CPython.

    (3.13.0 does so by itself where the main interpreter has not imported datetime before.)
    """
    if not first and sys.version_info < (3, 14):
        first = "import datetime"
    in_process(f"""
        import _interpreters, threading
        {first}

        TEXT = '''if True:
            import datetime, decimal, fractions, uuid
            import stmpy as stm
            import _interpreters

            assert _interpreters.get_config(_interpreters.get_current()[0]).gil == "own"
            table = stm.TVar("table")
            for round in range(20):
                with stm.atomically():
                    table[me] = [
                        datetime.datetime(2020, 1, 1 + round, tzinfo=datetime.timezone.utc),
                        decimal.Decimal("1.5"),
                        fractions.Fraction(round, 3),
                        uuid.UUID(int=round),
                    ]
                    table["all"] = table.get("all", 0) + 1
                assert table[me][0].day == 1 + round
        '''

        failures = []

        def work(me):
            id = _interpreters.create("isolated")
            failures.append(_interpreters.exec(id, TEXT, {{"me": me}}))
            _interpreters.destroy(id)

        for _ in range(3):
            threads = [threading.Thread(target=work, args=(me,)) for me in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert failures == [None] * 12, [failure and failure.errdisplay for failure in failures]
        import stmpy as stm

        assert stm.TVar("table")["all"] == 240
    """)


def test_interpreters_import_at_once_and_main_never(in_process: Run) -> None:
    """On 3.13.0 they must not import datetime unasked: nothing has made that safe for them."""
    in_process("""
        import _interpreters, sys, threading

        TEXT = "import stmpy, sys; assert 'datetime' not in sys.modules"

        failures = []

        def work():
            id = _interpreters.create("isolated")
            failures.append(_interpreters.exec(id, TEXT))
            _interpreters.destroy(id)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == [None] * 4, [failure and failure.errdisplay for failure in failures]
        assert "stmpy" not in sys.modules
    """)


SECOND_COPY = """
        import sys

        def import_copy():
            # The finder of an editable install would find the first one again.
            sys.meta_path[:] = [f for f in sys.meta_path if hasattr(f, "find_distributions")
                                or type(f) is type]
            sys.path.insert(0, {path!r})
            try:
                import stmpy
            except ImportError as error:
                assert "already" in str(error) and "one place" in str(error), error
            else:
                raise AssertionError(f"a second copy was loaded from {{stmpy.__file__}}")
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Another installation of the package."""
    package, library = Path(stmpy.__file__).parent, Path(_native.__file__ or "")
    shutil.copytree(package, tmp_path / "stmpy", ignore=shutil.ignore_patterns("_core"))
    shutil.copy(library, tmp_path / "stmpy")
    return tmp_path


def test_a_second_copy_is_refused(copy: Path, in_process: Run) -> None:
    text = SECOND_COPY.format(path=str(copy))
    in_process(f"""
        {text}
        import stmpy, stmpy._native

        for name in [name for name in sys.modules if name.partition(".")[0] == "stmpy"]:
            del sys.modules[name]
        import_copy()
    """)


def test_a_second_copy_is_refused_in_another_interpreter(copy: Path, in_process: Run) -> None:
    text = SECOND_COPY.format(path=str(copy))
    in_process(f"""
        import _interpreters, textwrap
        import stmpy as stm

        id = _interpreters.create("isolated")
        failure = _interpreters.exec(id, textwrap.dedent('''{text}
        import_copy()
        '''))
        assert failure is None, failure.errdisplay
        _interpreters.destroy(id)
        with stm.atomically():
            stm.TVar("table")["goes on"] = 1
    """)


def test_the_copy_alone_is_welcome(copy: Path, in_process: Run) -> None:
    """Else the two tests above would show nothing."""
    in_process(f"""
        import sys

        sys.meta_path[:] = [f for f in sys.meta_path if type(f) is type]
        sys.path.insert(0, {str(copy)!r})
        import stmpy as stm

        assert stm.__file__.startswith({str(copy)!r}), stm.__file__
        with stm.atomically():
            stm.TVar("table")["n"] = 1
    """)


def test_imported_again_it_shares_the_stores(in_process: Run) -> None:
    """Deleted from sys.modules and imported anew, the same library serves a new module."""
    in_process("""
        import sys
        import stmpy as old

        old.run(lambda: old.TVar("table").update(n=1))
        for name in [name for name in sys.modules if name.partition(".")[0] == "stmpy"]:
            del sys.modules[name]
        import stmpy as new

        assert new is not old
        assert new.TVar("table") == {"n": 1}
        with new.atomically():
            new.TVar("table")["n"] += 1
        with old.atomically():
            old.TVar("table")["n"] += 1
        assert new.TVar("table")["n"] == old.TVar("table")["n"] == 3
    """)


def test_an_interpreter_that_shares_the_gil(in_process: Run) -> None:
    in_process("""
        import _interpreters
        import stmpy as stm

        id = _interpreters.create("legacy")
        failure = _interpreters.exec(id, '''if True:
            import stmpy as stm
            stm.run(lambda: stm.TVar("table").update(n=1))
        ''')
        assert failure is None, failure.errdisplay
        _interpreters.destroy(id)
        assert stm.TVar("table") == {"n": 1}
    """)


def test_importing_starts_nothing(in_process: Run) -> None:
    """No thread, no file, no store, no tool of sys.monitoring, until something is used."""
    in_process("""
        import os, sys, threading
        files = os.listdir("/proc/self/fd")
        import stmpy

        assert os.listdir("/proc/self/fd") == files
        assert threading.active_count() == len(os.listdir("/proc/self/task")) == 1
        assert all(sys.monitoring.get_tool(id) is None for id in range(6))
        assert "concurrent.futures" not in sys.modules
        with open("/proc/self/maps") as maps:
            assert "memfd" not in maps.read()
    """)
