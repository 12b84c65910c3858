"""What `import stmpy` and the first blocks bring with them, in an interpreter that has nothing yet.

Modules are counted and no time is taken. Every further interpreter pays for them again, and the
import there is to take 3 ms at most (`python -m bench startup` measures it).
"""

import datetime
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import stmpy
from stmpy import _native

# Each with what it takes to import by itself, in milliseconds on the machine that this was
# measured on, or what is wrong with it otherwise.
HEAVY = {
    "dataclasses": "14, as it brings inspect, dis, ast and tokenize",
    "inspect": "3",
    "typing": "7; classes that declare type parameters in brackets import it as they are made",
    "secrets": "7, as it brings hmac, hashlib and random",
    "re": "4, and enum",
    "enum": "1",
    "datetime": "1; the codec imports it when it meets the first date",
    "decimal": "1, as datetime",
    "fractions": "2, as datetime",
    "uuid": "3, as datetime",
    "asyncio": "60",
    "concurrent.futures": "5, and logging",
    "queue": "1",
}
# What only `import stmpy` does without; blocks need some of them.
LATER = {
    "contextlib": "1",
    "opcode": "1; for the analysis of with statements",
    "stmpy._sites": "as opcode",
    "stmpy.structs": "most programs need few of them",
    "stmpy.statistics": "most interpreters never ask",
}

BLOCKS = """
table = stmpy.TVar("table", {"n": 0})
with stmpy.atomically():
    table["n"] += 1

@stmpy.atomically
def add():
    table["n"] += 1

add()
assert table == {"n": 2} and stmpy.TRef("best", 1).value == 1
"""


type Loaded = Callable[[str], set[str]]


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    """The modules that a bare Python has after a text: no site, no .pth of the environment."""
    package, library = Path(stmpy.__file__).parent, Path(_native.__file__ or "")
    (tmp_path / "stmpy").mkdir()
    # An installation in place keeps the library elsewhere.
    for path in {path.name: path for path in [*package.iterdir(), library]}.values():
        (tmp_path / "stmpy" / path.name).symlink_to(path)

    def loaded(text: str) -> set[str]:
        program = f"import sys; sys.path.append({str(tmp_path)!r})\n{text}\nprint(*sys.modules)"
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return set(done.stdout.split())

    return loaded


# On 3.13 the main interpreter has to import it at once: stmpy/__init__.py says why.
EXCEPT = {"datetime"} if sys.version_info < (3, 14) else set()


def test_a_bare_import_loads_nothing_heavy(loaded: Loaded) -> None:
    assert not loaded("import stmpy") & {**HEAVY, **LATER}.keys() - EXCEPT


def test_nor_do_the_first_blocks(loaded: Loaded) -> None:
    found = loaded(f"import stmpy\n{BLOCKS}")
    assert not found & HEAVY.keys() - EXCEPT
    assert "stmpy._sites" in found


def test_what_is_heavy_would_be_found(loaded: Loaded) -> None:
    assert HEAVY.keys() <= loaded("import stmpy\n" + "\n".join(f"import {name}" for name in HEAVY))
    assert "typing" in loaded("import stmpy\nclass Generic[T]: pass")
    date = stmpy._native.encode(datetime.date(2026, 1, 2))
    assert "datetime" in loaded(f"import stmpy._native\nstmpy._native.decode({date!r})")
