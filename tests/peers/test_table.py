"""Every test that the table of peers' bugs names exists."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]


def missing(table: str) -> list[str]:
    """What the table names that is not there."""
    found = []
    for path, name in re.findall(r"`([\w/.-]+\.(?:py|script))(?:::(\w+))?`", table):
        file = TESTS / path
        if path == "test_table.py" or path == "test_peers.py":
            continue
        if not file.exists() or (name and f"def {name}(" not in file.read_text()):
            found.append(f"{path}::{name}" if name else path)
    return found


def test_what_the_table_names_exists() -> None:
    table = (Path(__file__).parent / "README.md").read_text()
    assert table.count("\n| ") == 21
    assert all("`" in row for row in table.split("\n| ")[2:])
    assert not missing(table)


def test_the_check_can_fail() -> None:
    assert missing("| a bug | `scripts/absent.script`, `peers/test_table.py::test_absent` |") == [
        "scripts/absent.script",
        "peers/test_table.py::test_absent",
    ]
