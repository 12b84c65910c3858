"""What the README says holds: its examples run, and its claims name proofs that exist."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text()
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
CLAIMS = re.findall(r"^\| (\w[^|]*)\|([^|]*)\|([^|]*)\|$", TEXT, re.MULTILINE)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 5
    # An example that checks nothing would pass whatever it does.
    assert all("assert" in example for example in EXAMPLES)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_example(number: int, tmp_path: Path, in_process: Callable[..., str]) -> None:
    path = tmp_path / "example.py"
    path.write_text(EXAMPLES[number])
    in_process(path)


def test_each_claim_names_its_proof() -> None:
    assert len(CLAIMS) >= 5
    for feature, status, proof in CLAIMS:
        paths = re.findall(r"`([^`]+)`", proof)
        assert paths or status.strip() == "not yet", f"nothing shows: {feature}"
        assert all((ROOT / path).exists() for path in paths), proof
