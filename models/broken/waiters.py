"""What the buckets of waiters rest on."""

from ..waiters import FOUND, GONE, TWICE, Waiters
from . import Mutant

MUTANTS = (
    Mutant(Waiters, "record_late", "a waiter is on record after its nodes are linked", GONE),
    Mutant(Waiters, "unlink_unsought", "a node is unlinked that is in no list", GONE),
    Mutant(Waiters, "unlink_one", "a dead slot is given back with a node", GONE),
    Mutant(Waiters, "reap_unforgotten", "a dead slot is given back with its nodes", GONE),
    Mutant(Waiters, "discount_first", "`waiting` falls while the nodes still count", FOUND),
    Mutant(Waiters, "free_before_pop", "a waiter is freed while it is on record", TWICE),
)
