"""What recovery rests on."""

from ..recovery import Recovery
from ..recovery_state import ALONE, ATOMIC, TWICE
from . import Mutant

MUTANTS = (
    Mutant(Recovery, "linking_late", "`linking` is set after the links", ATOMIC),
    Mutant(Recovery, "clear_before_clock", "`linking` is cleared before the clock moves", ATOMIC),
    Mutant(Recovery, "clear_before_count", "and before the pending array is empty", ATOMIC),
    Mutant(Recovery, "ts_unset", "a version that is not linked yet has a ts of 0", ATOMIC),
    Mutant(Recovery, "forget_linking", "a recovery does not undo what was linked", ATOMIC),
    Mutant(Recovery, "published_kept", "it keeps the pending array of a whole commit", ATOMIC),
    Mutant(Recovery, "clear_first", "it clears `linking` first and dies itself", ATOMIC),
    Mutant(Recovery, "forget_first", "a version is off the record before it is unlinked", ATOMIC),
    Mutant(Recovery, "retire_first", "a version is given away while on the record", TWICE),
    Mutant(Recovery, "free_before_counting", "slot_discard_pending frees, then counts", TWICE),
    Mutant(Recovery, "reap_unfinished", "a slot is reaped before its commit is undone", ATOMIC),
    Mutant(Recovery, "reap_uncompared", "two reapers take the same slot", ALONE),
    Mutant(Recovery, "no_generation", "the lock word does not name the generation", ALONE),
)
