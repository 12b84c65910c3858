"""The pages on waiting, following, seeing and disks: their examples run as they stand."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

PAGES = ["waiting", "following", "seeing", "disk"]


def examples(page: str) -> list[tuple[str, str]]:
    """Its examples, each with the heading above it."""
    text = (Path(__file__).parents[2] / f"docs/{page}.md").read_text()
    found = []
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        heading = part.partition("\n")[0]
        for example in re.findall(r"^```python\n(.*?)^```$", part, re.DOTALL | re.MULTILINE):
            found.append((f"{page}: {heading}", example))
    return found


EXAMPLES = [found for page in PAGES for found in examples(page)]


def test_there_are_examples_that_check_something() -> None:
    assert len(EXAMPLES) >= 8
    assert all("assert" in example for _, example in EXAMPLES)


@pytest.mark.parametrize(("heading", "example"), EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_example(
    heading: str, example: str, tmp_path: Path, in_process: Callable[..., str]
) -> None:
    path = tmp_path / "example.py"
    path.write_text(example)
    in_process(path)
