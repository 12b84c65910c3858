"""README.md and every page in docs/: their examples run as they stand, and check something."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.docs.examples import EXAMPLES, Example, examples

EACH = pytest.mark.parametrize("example", EXAMPLES, ids=[example.name for example in EXAMPLES])


@EACH
def test_example(example: Example, tmp_path: Path, in_process: Callable[..., str]) -> None:
    path = tmp_path / "example.py"
    path.write_text(example.text)
    in_process(path)


@EACH
def test_an_example_checks_something(example: Example) -> None:
    """One without an assertion would pass whatever it does."""
    assert "assert" in example.text or "raise" in example.text


def test_all_examples_are_found() -> None:
    assert len(EXAMPLES) >= 25
    page = "# One\n```python\na\n```\nand\n```python\nb\n```\n## Two\n    x\n```python\n# c\n```\n"
    assert examples("page", page) == [
        ("page: One 1", "a\n"),
        ("page: One 2", "b\n"),
        ("page: Two 1", "# c\n"),
    ]
