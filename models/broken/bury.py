"""What freeing cells rests on."""

from ..bury import FOUND, LOST, USE_AFTER_FREE, Bury
from . import Mutant

MUTANTS = (
    Mutant(Bury, "no_txn_epoch", "a transaction does not announce its epoch", USE_AFTER_FREE),
    Mutant(Bury, "no_limbo", "a dead cell is freed at once", USE_AFTER_FREE),
    Mutant(Bury, "dead_unchecked", "DEAD is not looked at under the lock", LOST),
    Mutant(Bury, "fresh_unchecked", "a fresh cell is linked beside another", LOST),
    Mutant(Bury, "absent_now", "a cell is buried when its head is a tombstone", FOUND),
)
