"""Names and places of the bytes of a state.

A state is one `bytes` object: small integers, a compact hash that is computed once, and
equality by memory comparison.  A layout gives every byte a name, so that models say
`s[CLOCK]` and `s[t + SNAPSHOT]` and traces say `clock 1→2`.
"""

import re
from collections.abc import Iterator

NONE = 255
"""The byte that stands for "no value"; traces print it as `-`."""

_FIELD = re.compile(r"(\w+)(?:\[([\w ]+)\])?")


class Layout:
    """Shared fields, followed by one record of the same fields for each thread.

    `shared` and `record` list the fields, separated by blanks.  `head[x y]` is an array with
    one byte for each name, `buffer[4]` one with four.  Attributes `shared` and `record` hold
    the offset of each field in the order given; offsets in a record count from its start.
    The first field of a record is the program counter.
    """

    def __init__(self, shared: str, record: str, threads: int) -> None:
        shared_names, self.shared = _parse(shared)
        record_names, self.record = _parse(record)
        self.threads = threads
        self.width = len(record_names)
        self.first = len(shared_names)
        self.size = self.first + threads * self.width
        self.bases = tuple(range(self.first, self.size, self.width))
        self.names = shared_names + [
            f"T{i}.{name}" for i in range(threads) for name in record_names
        ]
        self._hidden = frozenset(self.bases)

    def changes(self, before: bytes, after: bytes) -> Iterator[str]:
        """The fields that differ, as text; program counters are left out."""
        for i, (old, new) in enumerate(zip(before, after, strict=True)):
            if old != new and i not in self._hidden:
                yield f"{self.names[i]} {_show(old)}→{_show(new)}"

    def sort_threads(self, state: bytes, after: int = 0) -> bytes:
        """The representative of all states that differ only in which thread is which.

        Sound when all threads run the same program and no field names a thread: a model says
        "this thread owns the lock" in that thread's record.  The first `after` threads have
        another part to play and stay where they are.
        """
        width, bases = self.width, self.bases[after:]
        records = [state[i : i + width] for i in bases]
        ordered = sorted(records)
        if ordered == records:
            return state
        return state[: bases[0]] + b"".join(ordered)


def _parse(fields: str) -> tuple[list[str], tuple[int, ...]]:
    names: list[str] = []
    offsets: list[int] = []
    for name, parts in _FIELD.findall(fields):
        offsets.append(len(names))
        if not parts:
            names.append(name)
        elif parts.isdigit():
            names += [f"{name}[{i}]" for i in range(int(parts))]
        else:
            names += [f"{name}.{part}" for part in parts.split()]
    return names, tuple(offsets)


def _show(value: int) -> str:
    return "-" if value == NONE else str(value)
