"""Text that is safe to show: names and keys come from a program that may want to mislead."""

from typing import Any


def printable(text: str) -> str:
    """The text with everything that is not printable as Python escapes.

    Control characters, line ends, and the marks that turn the direction of text around; letters of
    every script stay.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def key_text(key: Any) -> str:
    """A key as Python would write it, which is printable and tells `1` from `'1'`.

    The keys of a variable as a whole, which `len` and iteration read, are shown as `(keys)`.
    """
    return "(keys)" if key is None else printable(repr(key))
