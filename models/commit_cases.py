"""What threads do in the models of the commit, and at which bounds."""

from .commit import Commit
from .commit_state import N, X, Y


class CommitValues(Commit):
    """Values change: increments, write skew, reads of both keys, writes that change nothing."""

    name = "commit-values"
    outside = False
    menu = (
        (("view", X), ("view", Y)),
        (("same", X), ("put", Y)),
        (("read", Y), ("put", X)),
        (("read", X), ("put", X)),
    )


class CommitExtend(Commit):
    """A snapshot moves forward in the middle of a block; a nested block is undone."""

    name = "commit-extend"
    outside = False
    menu = (
        (("put", X), ("read", Y), ("undo", X), ("read", X), ("put", Y)),
        (("put", X), ("put", Y)),
    )


class CommitOutside(Commit):
    """What was read is checked before the lock is taken."""

    name = "commit-outside"
    menu = (
        (("read", Y), ("put", Y)),
        (("put", X),),
    )


class CommitKeys(Commit):
    """Keys come and go: absence, tombstones, the structure cell."""

    name = "commit-keys"
    outside = False
    present = ((False, False),)
    menu = (
        (("read", N), ("put", Y)),
        (("put", X),),
        (("delete", X),),
    )


class CommitAbsent(Commit):
    """A snapshot moves forward after an absent key was read."""

    name = "commit-absent"
    outside = False
    present = ((False, False),)
    menu = (
        (("read", X), ("put", Y), ("read", N)),
        (("put", X),),
        (("delete", X),),
    )


class CommitSnapshot(Commit):
    """`isolation="snapshot"`: only what was written is checked."""

    name = "commit-snapshot"
    snapshot_isolation = True
    outside = False
    menu = (
        (("read", X), ("read", Y)),
        (("read", X), ("put", X)),
        (("put", X), ("put", Y)),
    )


MODELS = (CommitValues, CommitExtend, CommitOutside, CommitKeys, CommitAbsent, CommitSnapshot)
