"""The live view, or the words for where it cannot be had."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stmpy.errors import StmError

if TYPE_CHECKING:
    from stmpy.dashboard._app import Dashboard

__all__ = ["dashboard_class"]


def dashboard_class() -> type[Dashboard]:
    """The class of the live view. Raises StmError where textual is not installed."""
    try:
        from stmpy.dashboard._app import Dashboard
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("textual", "rich"):
            raise
        raise StmError(
            "the live view needs textual, which is not installed here: install"
            " stmpy-store[dashboard], or textual itself. Without it, `stmpy stat` prints the"
            " figures, and `stmpy top | cat` one picture of them."
        ) from None
    return Dashboard
