"""What freeing rests on."""

from ..reclaim_cases import ReclaimDeep, ReclaimWide
from ..reclaim_state import FOUND, FRESH, USE_AFTER_FREE
from . import Mutant

MUTANTS = (
    Mutant(ReclaimWide, "snapshot_relaxed", "the snapshot is stored with release", USE_AFTER_FREE),
    Mutant(ReclaimWide, "clock_not_reread", "slot_register loads the clock once", USE_AFTER_FREE),
    Mutant(
        ReclaimWide, "clock_release_only", "slots_look does not store the clock", USE_AFTER_FREE
    ),
    Mutant(ReclaimWide, "only_oldest_needed", "versions are kept for the oldest reader", FOUND),
    Mutant(ReclaimWide, "free_one_early", "the tail is freed one snapshot early", USE_AFTER_FREE),
    Mutant(ReclaimWide, "no_limbo", "what is cut out is freed at once", USE_AFTER_FREE),
    Mutant(ReclaimWide, "safe_too_late", "limbo is freed one epoch early", USE_AFTER_FREE),
    Mutant(ReclaimWide, "epoch_before_unlink", "the epoch moves before links do", USE_AFTER_FREE),
    Mutant(ReclaimWide, "reading_relaxed", "`reading` is stored with release", USE_AFTER_FREE),
    Mutant(
        ReclaimDeep, "evicted_unchecked", "a look-up does not ask whether it was given up", FOUND
    ),
    Mutant(ReclaimDeep, "evicted_not_oldest", "who was given up counts no more", USE_AFTER_FREE),
    Mutant(ReclaimDeep, "evict_newest", "a snapshot equal to the clock is given up", FRESH),
    Mutant(ReclaimDeep, "extend_unregistered", "txn_extend does not register", FOUND),
)
