"""The page on waiting: its examples run as they stand."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

TEXT = (Path(__file__).parents[2] / "docs/waiting.md").read_text()
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
NAMES = re.findall(r"^## (.*)$", TEXT, re.MULTILINE)[: len(EXAMPLES)]


def test_there_are_examples_that_check_something() -> None:
    assert len(EXAMPLES) >= 5
    assert all("assert" in example for example in EXAMPLES)


@pytest.mark.parametrize("example", EXAMPLES, ids=NAMES)
def test_example(example: str, tmp_path: Path, in_process: Callable[..., str]) -> None:
    path = tmp_path / "example.py"
    path.write_text(example)
    in_process(path)
