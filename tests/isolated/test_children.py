"""Children of multiprocessing: those that can't share their parent's store are told so."""

import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

type Run = Callable[..., str]

PROGRAM = """
    import multiprocessing, sys, warnings

    CHILD = '''if True:
        import warnings
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            import stmpy as stm
            stm.TVar("shared")
            stm.TVar("other")
            with stm.open(max_bytes=1 << 20) as own:
                own.TVar("meant")
        print([str(w.message) for w in caught], [w.filename for w in caught], flush=True)
    '''

    if __name__ == "__main__":
        method, first = sys.argv[1:]
        if first == "first":
            import stmpy as stm
            stm.TVar("shared")
        child = multiprocessing.get_context(method).Process(target=exec, args=(CHILD,))
        child.start()
        child.join()
        assert child.exitcode == 0
"""


@pytest.mark.parametrize(
    ("method", "first", "warned"),
    [
        ("spawn", "first", True),
        ("forkserver", "first", True),
        ("fork", "first", False),
        ("fork", "never", True),
    ],
)
def test_a_child_with_a_store_of_its_own_is_warned(
    method: str, first: str, warned: bool, in_process: Run
) -> None:
    told = in_process(PROGRAM, method, first)
    assert told.count("has a default store of its own") == warned
    assert told.count("stm.InterpreterPool") == warned
    assert told.count("['<string>']") == warned, "the warning points to the child's own line"


SCRIPT = """
    import multiprocessing, sys, warnings

    warnings.simplefilter("always")
    import stmpy as stm
    stm.TVar("shared")

    if __name__ == "__main__":
        child = multiprocessing.get_context(sys.argv[1]).Process(target=print)
        child.start()
        child.join()
"""


@pytest.mark.parametrize(("method", "warned"), [("spawn", True), ("fork", False)])
def test_a_script_that_makes_its_variables_at_the_top(
    method: str, warned: bool, tmp_path: Path
) -> None:
    """A spawned child runs it again before it knows its parent."""
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT))
    done = subprocess.run(
        [sys.executable, "-P", str(script), method], capture_output=True, text=True, check=True
    )
    assert done.stderr.count("has a default store of its own") == warned
    assert done.stderr.count("script.py") == warned
