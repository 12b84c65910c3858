"""What a store of this process tells about its disk."""

from collections.abc import Mapping
from typing import Any

from stmpy.statistics._model import Durability, Histogram

_STATES = ("none", "opening", "running", "full", "failed", "closed")


def durability_of(raw: Mapping[str, Any]) -> Durability | None:
    """The record of what the core says about the disk under a store; None if there is none."""
    if raw["state"] == 0:
        return None
    return Durability(
        path=raw["path"],
        mode="relaxed" if raw["relaxed"] else "sync",
        state=_STATES[raw["state"]],
        message=raw["message"],
        version=raw["version"],
        lag=max(0, raw["clock"] - raw["version"]),
        keeper=raw["keeper"],
        groups=raw["groups"],
        group_sizes=Histogram(tuple(raw["sizes"])),
        sync_micros=Histogram(tuple(raw["micros"])),
        log_bytes=raw["log_bytes"],
    )
