"""What `stmpy._stacks` foretells is what CPython does."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

PROBE = """
    import sys
    name, root, seed, programs = sys.argv[1:]
    sys.path.append(root)
    from tests.rerun import probe
    getattr(probe, name)(int(seed), int(programs))
"""


@pytest.mark.parametrize(("name", "programs", "least"), [("jumps", 8, 800), ("events", 100, 1500)])
def test_cpython_agrees(
    name: str, programs: int, least: int, in_process: Callable[..., str], rng: random.Random
) -> None:
    printed = in_process(PROBE, name, str(ROOT), str(rng.randrange(2**32)), str(programs))
    assert int(printed) > least, "hardly anything was compared: this proves nothing"
