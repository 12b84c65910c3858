"""What the commit lock and serial mode rest on."""

from ..checker.search import DEADLOCK
from ..serial_cases import SerialDeath, SerialOnce, SerialPatient
from ..serial_state import ARRIVES, AWAKE, LOST, ONCE, WINS
from . import Mutant

MUTANTS = (
    Mutant(SerialPatient, "lock_at_commit", "a serial block takes the lock as it commits", WINS),
    Mutant(SerialPatient, "no_pass", "an ordinary block does not let an urgent one pass", ONCE),
    Mutant(SerialPatient, "no_withdraw", "who has got the lock stays urgent", DEADLOCK),
    Mutant(SerialPatient, "withdraw_silent", "who was let pass wakes nobody", DEADLOCK),
    Mutant(SerialPatient, "no_waiters_bit", "a sleeper does not say that it sleeps", DEADLOCK),
    Mutant(
        SerialPatient, "bit_forgotten", "who has slept takes the lock without the bit", DEADLOCK
    ),
    Mutant(SerialPatient, "sleep_uncompared", "the sleep does not compare the lock word", DEADLOCK),
    Mutant(SerialPatient, "wake_one", "one is woken though it lets an urgent one pass", DEADLOCK),
    Mutant(SerialOnce, "keep_wake_up", "who gives up does not wake the next one", DEADLOCK),
    Mutant(SerialPatient, "retry_keeps_lock", "a serial block that waits keeps the lock", AWAKE),
    Mutant(SerialPatient, "register_late", "it registers when it has given the lock back", LOST),
    Mutant(SerialDeath, "dead_urgent_kept", "who died stays urgent", ARRIVES),
    Mutant(SerialDeath, "no_take_over", "nobody takes the lock from a dead owner", ARRIVES),
)
