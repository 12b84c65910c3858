"""What the verbs that work on a store's files share."""

import argparse
import os
import sys
import time
from collections.abc import Callable

from stmpy.cli._shared import FINE, reported
from stmpy.cli._terminal import Terminal
from stmpy.durable.journal import Journal
from stmpy.errors import StmError

__all__ = ["Meter", "add_path", "number_of", "on_disk"]


def add_path(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", metavar="PATH", help="the directory that `stm.open` was given")


def on_disk(work: Callable[[], int]) -> int:
    """Runs it; what it raises becomes a line and an exit code. A reader may leave early."""

    def flushed() -> int:
        try:
            code = work()
            sys.stdout.flush()
        except BrokenPipeError:
            # What is still in the buffer would be tried again at the end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return FINE
        except OSError as error:
            if isinstance(error, StmError):
                raise
            raise StmError(f"{error.filename or 'the disk'}: {error.strerror}") from error
        return code

    return reported(flushed)


def number_of(journal: Journal, name: str) -> int:
    """The number of a variable; raises StmError with those that there are."""
    number = journal.number(name)
    if number is None:
        raise StmError(f"{name}: no variable of this name; `stmpy keys PATH` lists all")
    return number


class Meter:
    """A bar on standard error where that is a terminal and the total is known, drawn at ease."""

    def __init__(self, title: str, total: int, unit: str) -> None:
        self.total = total
        self._terminal = Terminal(sys.stderr)
        self._bar = self._terminal.bar(title, max(total, 1), unit)
        self._drawn = total > 0 and self._terminal.watched
        self._began = self._shown = time.monotonic()

    def show(self, done: int) -> None:
        """Draw what is done, if a tenth of a second has passed."""
        if self._drawn and (now := time.monotonic()) > self._shown + 0.1 and done < self.total:
            self._shown = now
            self._bar(done, now - self._began)

    def end(self) -> None:
        """Draw that all is done."""
        if self._drawn:
            self._bar(self.total, time.monotonic() - self._began)
