"""Broken twins of the models: each leaves out or moves one line of the protocol and must fail.

A proof that still holds when the line it rests on is gone proves nothing.  Every file here is a
table: model, switch of the model, what is changed, and the one property it must break.
"""

from dataclasses import dataclass

from ..checker.model import Model


@dataclass(frozen=True, slots=True)
class Mutant:
    """A model without one line, and the property that has to break."""

    model: type[Model]
    switch: str
    change: str
    breaks: str
