"""The page on testing: its examples run as they stand."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

TEXT = (Path(__file__).parents[2] / "docs/testing.md").read_text()
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


def test_there_are_examples_that_check_something() -> None:
    assert len(EXAMPLES) >= 5
    assert all("assert" in example for example in EXAMPLES)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_example(number: int, tmp_path: Path, in_process: Callable[..., str]) -> None:
    path = tmp_path / "example.py"
    path.write_text(EXAMPLES[number])
    in_process(path)
