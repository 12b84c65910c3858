"""What every workload ends with: a check that raises `Broken` if its data can't be right."""

from __future__ import annotations


class Broken(AssertionError):
    """An invariant that every block keeps does not hold."""


def expect(holds: object, what: str) -> None:
    """Raises `Broken` with these words unless it holds."""
    if not holds:
        raise Broken(what)
