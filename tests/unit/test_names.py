"""The module's names: some are loaded when they are first used, and none makes the others slow."""

import dis
import subprocess
import sys
from importlib.metadata import version

import pytest

import stmpy as stm
from stmpy import statistics, structs


def test_names_on_demand_are_those_of_their_modules() -> None:
    assert stm.TQueue is structs.TQueue
    assert stm.Stats is statistics.Stats
    assert vars(stm)["TQueue"] is structs.TQueue, "found without its descriptor from now on"
    assert stm.__version__ == version("stmpy-store")


def test_names_that_are_not_there_are_missed_as_in_any_module() -> None:
    with pytest.raises(AttributeError, match="module 'stmpy' has no attribute 'atomicaly'"):
        _ = stm.atomicaly  # type: ignore[attr-defined]
    with pytest.raises(ImportError, match="cannot import name 'atomicaly' from 'stmpy'"):
        from stmpy import atomicaly  # type: ignore[attr-defined]  # noqa: F401


def test_names_on_demand_can_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("watch", "__version__"):
        with monkeypatch.context() as patch:
            patch.setattr(stm, name, "another")
            assert getattr(stm, name) == "another"
        assert getattr(stm, name) != "another"


def test_a_reload_keeps_them() -> None:
    program = "import importlib, stmpy; importlib.reload(stmpy); print(stmpy.TSet.__name__)"
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True)
    assert done.stdout == "TSet\n", done.stderr


def opcodes_once_warm() -> set[str]:
    def use() -> object:
        return stm.atomically

    for _ in range(1000):
        use()
    return {instruction.opname for instruction in dis.get_instructions(use, adaptive=True)}


@pytest.mark.skipif(sys.version_info < (3, 14), reason="3.13 specialises no subclass of module")
def test_the_interpreter_specialises_them() -> None:
    assert "LOAD_ATTR_MODULE" in opcodes_once_warm()
