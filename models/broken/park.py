"""What waking rests on."""

from ..park import LOST, NODE, ParkDeath, ParkOnce
from . import Mutant

MUTANTS = (
    Mutant(ParkOnce, "park_unchecked", "wait_register does not check what was read", LOST),
    Mutant(ParkOnce, "check_before_lock", "what was read is checked before the lock", LOST),
    Mutant(ParkOnce, "reset_last", "the wake word is reset after the nodes are linked", LOST),
    Mutant(ParkOnce, "no_mark", "a waker does not mark the wake word", LOST),
    Mutant(ParkOnce, "no_futex_wake", "a waker marks the word and wakes nobody", LOST),
    Mutant(ParkOnce, "wake_before_mark", "a waker wakes first and marks then", LOST),
    Mutant(ParkOnce, "sleep_uncompared", "the sleep does not compare the wake word", LOST),
    Mutant(ParkOnce, "closed_unlooked", "a sleeper does not look whether the store closed", LOST),
    Mutant(ParkOnce, "closed_after_waking", "store_close wakes first and closes then", LOST),
    Mutant(ParkOnce, "deadline_leaves_nodes", "a deadline leaves without unregistering", NODE),
    Mutant(ParkDeath, "mark_unlocked", "a waker marks after it released the lock", LOST),
    Mutant(ParkDeath, "mark_last", "it marks after the commit point, `linking` is 0", LOST),
    Mutant(ParkDeath, "no_heartbeat", "a sleeper never looks for a dead waker", LOST),
)
