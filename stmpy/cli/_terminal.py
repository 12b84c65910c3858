"""What the commands draw: a progress bar where a person watches, plain text everywhere else."""

import os
import shutil
import sys
from collections.abc import Callable
from typing import TextIO

__all__ = ["Terminal"]


class Terminal:
    """Writes to a stream as that stream can show it."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stdout
        self.watched = self.stream.isatty() and os.environ.get("TERM") != "dumb"
        self.coloured = self.watched and "NO_COLOR" not in os.environ
        self.width = min(shutil.get_terminal_size().columns, 100)
        self.full, self.empty = "█░" if self._can_write("█░✓×…") else "#-"

    def _can_write(self, text: str) -> bool:
        try:
            text.encode(self.stream.encoding or "ascii")
        except UnicodeEncodeError:
            return False
        return True

    def line(self, text: str = "") -> None:
        if not self._can_write(text):
            for fancy, simple in (("×", "x"), ("·", "|"), ("…", "..."), ("✓", ""), ("–", "-")):
                text = text.replace(fancy, simple)
            text = text.encode("ascii", "replace").decode()
        print(text, file=self.stream, flush=True)

    def bold(self, text: str) -> str:
        return f"\x1b[1m{text}\x1b[0m" if self.coloured else text

    def dim(self, text: str) -> str:
        return f"\x1b[2m{text}\x1b[0m" if self.coloured else text

    def good(self, text: str) -> str:
        return f"\x1b[1;32m{text}\x1b[0m" if self.coloured else text

    def bad(self, text: str) -> str:
        return f"\x1b[1;31m{text}\x1b[0m" if self.coloured else text

    def bar(self, title: str, total: int, unit: str = "files") -> Callable[[int, float], None]:
        """A bar to call with what is done and the seconds it took, at last with all of it."""
        cells = max(10, min(40, self.width - len(title) - 30))

        def show(done: int, seconds: float) -> None:
            filled = cells * done // total
            bar = self.full * filled + self.dim(self.empty * (cells - filled))
            text = f"{title} {bar} {done:>7,} {unit} {seconds:6.1f} s"
            if self.watched:
                print(f"\r{text}", end="\n" if done == total else "", file=self.stream, flush=True)
            elif done == total:
                self.line(text)

        return show
