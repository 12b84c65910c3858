"""An index of the names in Python files: the work of the demo, with and without sharing.

A name's *occurrences* are counted over all files, its *files* are how many use it. A `PlainIndex`
holds this in ordinary dicts. An `Index` is built by several interpreters at once: each reads and
tokenises a file outside, then one block adds the file's names. That block reads and writes the
names that nearly every file uses, and the top list. So blocks that run at the same time conflict,
and all but one of them run again.
"""

import os
import sys
import tokenize
from collections import Counter
from keyword import iskeyword

import stmpy as stm

__all__ = ["Index", "PlainIndex", "best", "names_in", "work"]

# How many names the top list holds.
TOP = 10

type Top = list[tuple[str, int]]


class Index:
    """The shared index. Pickled, it carries handles: what arrives is the same index, no copy."""

    def __init__(self, store: stm.Store) -> None:
        self.store = store
        self.occurrences: stm.TVar[str, int] = store.TVar("occurrences")
        self.files: stm.TVar[str, int] = store.TVar("files")
        self.totals: stm.TVar[str, int] = store.TVar(
            "totals", {"next": 0, "files": 0, "unreadable": 0, "names": 0}
        )
        self.top: stm.TRef[Top] = store.TRef("top", [])

    def take(self, count: int) -> int | None:
        """The number of the next file that no worker has taken, or None when all are."""
        with self.store.atomically(label="take"):
            number = self.totals["next"]
            if number < count:
                self.totals["next"] = number + 1
        return number if number < count else None

    def add(self, names: Counter[str] | None) -> None:
        """Adds the names of one file, or None for a file that could not be read."""
        with self.store.atomically(label="add"):
            if names is None:
                self.totals["unreadable"] += 1
            else:
                changed = dict(self.top.value)
                for name, count in names.items():
                    changed[name] = self.occurrences[name] = self.occurrences.get(name, 0) + count
                    self.files[name] = self.files.get(name, 0) + 1
                self.top.value = best(changed)
                self.totals["names"] += names.total()
            self.totals["files"] += 1

    def stop(self) -> None:
        """Lets the workers end as soon as the files they are at are done."""
        with self.store.atomically(label="stop"):
            self.totals["next"] = sys.maxsize

    def equals(self, plain: "PlainIndex") -> bool:
        with self.store.snapshot():
            return (
                self.occurrences == plain.occurrences
                and self.files == plain.files
                and self.top.value == best(plain.occurrences)
                and self.totals["files"] == plain.done
                and self.totals["unreadable"] == plain.unreadable
                and self.totals["names"] == plain.occurrences.total()
            )


def best(counts: dict[str, int]) -> Top:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:TOP]


def names_in(path: str) -> Counter[str] | None:
    """How often each name occurs in a file; None if it cannot be read as Python source."""
    names: Counter[str] = Counter()
    try:
        with open(path, "rb") as file:
            for token in tokenize.tokenize(file.readline):
                if token.type == tokenize.NAME and not iskeyword(token.string):
                    names[token.string] += 1
    except (OSError, SyntaxError, UnicodeDecodeError, tokenize.TokenError):
        return None
    return names


def work(index: Index, paths: list[str], ready: int, go: int) -> None:
    """The life of one worker. Says on pipe `ready` that it is set up, then waits for pipe `go`."""
    os.write(ready, b".")
    os.read(go, 1)
    while (number := index.take(len(paths))) is not None:
        index.add(names_in(paths[number]))


class PlainIndex:
    """The index in ordinary dicts, as one thread builds it for itself."""

    def __init__(self) -> None:
        self.occurrences: Counter[str] = Counter()
        self.files: Counter[str] = Counter()
        self.done = 0
        self.unreadable = 0

    def add(self, names: Counter[str] | None) -> None:
        self.done += 1
        if names is None:
            self.unreadable += 1
            return
        self.occurrences.update(names)
        self.files.update(names.keys())
