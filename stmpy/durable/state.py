"""What a keeper says about its store."""

from enum import IntEnum


class State(IntEnum):
    """As `enum durable_state` of the core."""

    NONE = 0
    """The store is in memory only."""
    OPENING = 1
    RUNNING = 2
    FULL = 3
    """The disk is full; writes are refused until there is room."""
    FAILED = 4
    """The disk has failed; writes are refused until the store is opened again."""
    CLOSED = 5
