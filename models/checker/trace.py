"""Counterexamples: from a path of representatives back to a run that a person can follow."""

from collections.abc import Callable
from dataclasses import dataclass

from .model import Broken, Model


@dataclass(frozen=True, slots=True)
class Line:
    """One step of a run."""

    thread: int
    action: str
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trace:
    """A run that breaks `prop`.  If `loop` is a number, the run repeats from that step for ever."""

    prop: str
    lines: tuple[Line, ...]
    loop: int | None = None

    def __len__(self) -> int:
        return len(self.lines)

    def text(self) -> str:
        """The run as a table: step, thread, action, what it changed."""
        wide = max((len(line.action) for line in self.lines), default=0)
        rows = []
        for number, line in enumerate(self.lines):
            if number == self.loop:
                rows.append("      --- from here on, again and again ---")
            changes = ", ".join(line.changes)
            rows.append(f"{number + 1:4}  T{line.thread} {line.action:{wide}}  {changes}".rstrip())
        rows.append(f"      breaks: {self.prop}")
        return "\n".join(rows)


def replay(
    model: Model,
    path: list[bytes],
    prop: str,
    *,
    canonical: Callable[[bytes], bytes] | None = None,
    in_action: bool = False,
) -> Trace:
    """Turn a path of canonical states into concrete steps.

    The search keeps one representative (`canonical`, the model's own if not given) of each class,
    so the threads of two states next to each other may be named differently.  Starting from a
    concrete initial state, each step is the one whose result belongs to the next class, and so
    the names stay the same all along.  With `in_action` the fault is a step from the last state
    that raises `Broken`; it has no next state.
    """
    canonical = canonical or model.canonical
    state = next(s for s in model.initial() if canonical(s) == path[0])
    lines = []
    for key in path[1:]:
        name, thread, after = next(
            (name, thread, after)
            for name, thread, after in _each(model, state)
            if isinstance(after, bytes) and canonical(after) == key
        )
        lines.append(Line(thread, name, tuple(model.layout.changes(state, after))))
        state = after
    if in_action:
        name, thread, _ = next(step for step in _each(model, state) if step[2] == prop)
        lines.append(Line(thread, name, ()))
    return Trace(prop, tuple(lines))


def _each(model: Model, state: bytes) -> list[tuple[str, int, bytes | str]]:
    """Every step taken alone, so that one that raises `Broken` does not hide the others.

    The step that raises stands with the property it breaks in place of a next state.
    """
    found: list[tuple[str, int, bytes | str]] = []
    for thread, base in enumerate(model.layout.bases):
        for name, apply in (*model.program[state[base]], *model.anywhere):
            s = bytearray(state)
            try:
                if apply(s, base) is not False:
                    found.append((name, thread, bytes(s)))
            except Broken as fault:
                found.append((name, thread, fault.prop))
    return found
