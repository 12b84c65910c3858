"""What durable acknowledgement rests on."""

from ..durable import ACKNOWLEDGED, COMMITTED, TOLD, Durable
from . import Mutant

MUTANTS = (
    Mutant(Durable, "reads_at_once", "a block that only read does not wait", ACKNOWLEDGED),
    Mutant(Durable, "told_before_sync", "the keeper says `durable` before the sync", ACKNOWLEDGED),
    Mutant(Durable, "told_too_much", "it says the clock, not the end of its group", ACKNOWLEDGED),
    Mutant(Durable, "sync_ignored", "a failed sync passes for one", ACKNOWLEDGED),
    Mutant(Durable, "sync_again", "a failed sync is tried again", ACKNOWLEDGED),
    Mutant(Durable, "log_before_clock", "a record joins before the commit point", COMMITTED),
    Mutant(Durable, "log_unlocked", "a record joins after the lock was released", COMMITTED),
    Mutant(Durable, "log_forget", "a recovery does not log what was published", COMMITTED),
    Mutant(Durable, "log_unpublished", "it logs what was not published", COMMITTED),
    Mutant(Durable, "pass_before_sync", "the keeper passes records, then writes", COMMITTED),
    Mutant(Durable, "follow_from_end", "a new keeper begins at the end of the log", COMMITTED),
    Mutant(Durable, "wake_before_told", "the keeper wakes first and tells then", TOLD),
    Mutant(Durable, "sleep_uncompared", "the sleep does not compare the word", TOLD),
    Mutant(Durable, "help_nobody", "a keeper that sleeps does not look for dead owners", TOLD),
    Mutant(Durable, "poison_unseen", "who waits does not look whether a sync failed", TOLD),
)
