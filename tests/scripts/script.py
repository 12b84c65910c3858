"""Script files: steps of named transactions in the order in which they happen.

    # what this is about
    start x 10, y 20
    T1 begin
    T1 get x            -> 10
    T1 commit           -> committed / Conflict
    final               -> x 10, y 20

After `->` stands what the step gives; after ` / ` what it gives under snapshot isolation, where
that differs. A step without `->` gives nothing. Verbs, where K is a key and N a number:

    begin   commit   abort          get K   put K N   delete K
    all     keys     count          where CONDITION   delete where CONDITION   increase K|all N

`where` and `delete where` look at every row; the condition is Python over the name `value`. A step
that ends its transaction gives `committed`, `aborted` or the name of the error. A step of a
transaction that has ended gives `over`. Between steps, `churn N` commits N times elsewhere, so that
the store clears away what no snapshot needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

type Isolation = Literal["serializable", "snapshot"]

ISOLATIONS: Final[tuple[Isolation, ...]] = ("serializable", "snapshot")
ARROW: Final = "->"


@dataclass(frozen=True)
class Step:
    actor: str  # the transaction; or `final` for the state at the end; or `churn`
    command: str
    outcome: dict[Isolation, str]


@dataclass(frozen=True)
class Script:
    start: dict[str, int]
    steps: list[Step]


def parse(text: str) -> Script:
    """Raises `ValueError` naming the line that is no step."""
    start: dict[str, int] = {}
    steps: list[Step] = []
    for number, line in enumerate(text.splitlines(), 1):
        left, _, right = line.partition(ARROW)
        words = left.split(maxsplit=1)
        if not words or line.startswith("#"):
            continue
        if words[0] == "start" and not steps:
            for row in words[1].split(","):
                key, value = row.split()
                start[key] = int(value)
        elif len(words) == 2 or words == ["final"]:
            both, _, under_snapshot = (part.strip() for part in right.partition(" / "))
            outcome = dict(zip(ISOLATIONS, (both, under_snapshot or both), strict=True))
            steps.append(Step(words[0], " ".join(words[1:]).strip(), outcome))
        else:
            raise ValueError(f"line {number} is no step: {line!r}")
    return Script(start, steps)


def load(path: Path) -> Script:
    return parse(path.read_text())
