"""The exceptions of stmpy, one tree under `StmError`.

Each message says what happened, to which key or block, and what to do next. A conflict between
blocks is no exception: the block runs again. What is raised here is what running again cannot mend.
"""

__all__ = [
    "CommitUnknown",
    "Conflict",
    "DecodeError",
    "DurabilityError",
    "EncodeError",
    "InvariantViolated",
    "NestedMisuse",
    "NotANumber",
    "ReadOnly",
    "SnapshotTooOld",
    "StmError",
    "StoreClosed",
    "StoreFull",
    "TransactionRequired",
    "TransactionTimeout",
]


class StmError(Exception):
    """The base of all that stmpy raises on its own account.

    After any of these the block's writes are undone and the store goes on; the one exception is
    `CommitUnknown`.
    """


class TransactionRequired(StmError):
    """A write, or a call that needs a block, was made outside one.

    Nothing was changed. Put the statement in `with stm.atomically():`; reads need no block.
    """


class Conflict(StmError):
    """The block lost to other blocks as often as its `max_attempts` allows.

    Nothing was changed. Call again later, allow more attempts, or leave `max_attempts` out: after a
    bounded number of losses the block then runs where it cannot lose.
    """


class TransactionTimeout(StmError, TimeoutError):
    """The block's `timeout`, one deadline over all attempts and waits, has passed.

    Nothing was changed. Try again with more time, or look in `stats()` for what it waited on.
    """


class SnapshotTooOld(StmError):
    """The block read for so long that the history it needs outgrew `history_bytes`.

    Nothing was changed. Run it again for a fresh snapshot, read less per block, or open the store
    with a larger `history_bytes`.
    """


class ReadOnly(StmError):
    """A write was made in a block that was opened for reading only.

    Nothing was changed. Use `atomically()` without `read_only=True`, not `snapshot()`, to write.
    """


class InvariantViolated(StmError):
    """The block would break what a validator or an `always` function demands.

    Nothing was changed. `result` is what the function returned, `__cause__` what it raised;
    `variable` and `key` are set for a validator. Change what the block does, or the rule.
    """

    result: object = None
    variable: str | None = None
    key: object = None


class StoreFull(StmError, MemoryError):
    """The block needs more memory than the store's `max_bytes` leaves.

    Only this block failed; the store goes on. Delete keys, or open the store with a larger
    `max_bytes`, then run the block again.
    """


class StoreClosed(StmError):
    """The store was used after `close()`.

    Open it again, and make the variables anew from what `open` returned.
    """


class EncodeError(StmError, TypeError):
    """A key or value cannot be stored: its type is not supported or a limit is exceeded.

    Raised at the write, not at the commit; the message names the path to the offending part.
    Running again does not help: store a supported type, or a smaller value.
    """


class DecodeError(StmError, ValueError):
    """Stored bytes are no valid encoding: they were damaged, or written by something else.

    Nothing was changed. Running again does not help; write the key anew, or restore a backup.
    """


class DurabilityError(StmError, OSError):
    """The store's disk failed, and the store no longer accepts writes.

    What was acknowledged before is safe. Mend the disk, then open the store again.
    """


class CommitUnknown(StmError):
    """The block was published, but whether it will survive a power cut is not known.

    It may be there after the store is opened again, whole, or not at all. Read before writing it
    a second time.
    """


class NotANumber(StmError, TypeError):
    """`add` was given no number, or the key holds none.

    Nothing was changed. Running again does not help: assign a number first, or add one.
    """


class NestedMisuse(StmError):
    """A block was entered or left in a way that no transaction can follow.

    A `yield` or `await` inside a block, a block used from another thread, or an inner block that
    asks for what the outer one excludes. Nothing was changed; the message says how to write it.
    """
