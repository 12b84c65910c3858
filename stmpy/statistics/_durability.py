"""What a store on disk tells about its disk: the keeper writes it into the region."""

from typing import Final

from stmpy.errors import DecodeError
from stmpy.statistics._image import LAYOUT, Fields
from stmpy.statistics._model import Durability, Histogram

_STATES: Final = ("none", "opening", "running", "full", "failed", "closed")
_BUCKETS: Final = LAYOUT["DURABLE_BUCKETS"]


def store_path(header: Fields) -> str:
    """The path of a store on disk, printable; empty if it is in memory."""
    return _room("durable", header).text("path", LAYOUT["DURABLE_TEXT"])


def store_keeper(header: Fields) -> int:
    """The process that writes to the disk, 0 if there is none."""
    return _room("durable", header).u64("keeper") >> 32


def durability_of(header: Fields) -> Durability | None:
    """The record of the disk under a store; None if there is none."""
    disk, log = _room("durable", header), _room("log", header)
    if disk.u32("state") >= len(_STATES):
        raise DecodeError(f"this region: damaged: its disk is in state {disk.u32('state')}")
    state = _STATES[disk.u32("state")]
    if state == "none":
        return None
    return Durability(
        path=store_path(header),
        mode="relaxed" if disk.u32("relaxed") else "sync",
        state=state,
        message=disk.text("message", LAYOUT["DURABLE_TEXT"]) if state in ("full", "failed") else "",
        version=disk.u64("version"),
        lag=max(0, header.u64("clock") - disk.u64("version")),
        keeper=store_keeper(header),
        groups=disk.u64("groups"),
        group_sizes=Histogram(tuple(disk.many("sizes", _BUCKETS))),
        sync_micros=Histogram(tuple(disk.many("micros", _BUCKETS))),
        log_bytes=max(0, log.u64("end") - log.u64("held_from")),
    )


def _room(room: str, header: Fields) -> Fields:
    return Fields(room, header.data, header.start)
