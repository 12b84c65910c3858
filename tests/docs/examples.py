"""The examples of a page: its blocks of Python, each a program that runs as it stands."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


class Example(NamedTuple):
    name: str
    """The page, the heading above it, and its number under that."""
    text: str


# A block of code is taken whole, as a comment in it looks like a heading.
_PARTS = re.compile(r"^```(\w*)\n(.*?)^```$|^#+ ([^\n]*)$", re.DOTALL | re.MULTILINE)


def examples(page: str, text: str) -> list[Example]:
    """The examples in the text of a page, in their order."""
    found, heading, number = [], "", 0
    for language, code, title in _PARTS.findall(text):
        if title:
            heading, number = title, 0
        elif language == "python":
            number += 1
            found.append(Example(f"{page}: {heading} {number}", code))
    return found


EXAMPLES = [example for page in PAGES for example in examples(page.stem, page.read_text())]
