"""Where the dashboard gets its records from."""

from typing import Protocol

from stmpy.statistics import Stats


class Source(Protocol):
    """A reader of one store. Tests give records that were made up."""

    def read(self) -> Stats:
        """What has been counted up to now. Raises StmError when the store is gone."""
