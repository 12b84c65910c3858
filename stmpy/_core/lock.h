/* lock.h - the commit lock: one owner among all threads of all processes.
 *
 * A futex word that names its owner's slot, so that the next one notices a dead owner and
 * repairs what it left (recover.h).  Short spinning, then sleeping: never a pure spin lock.
 * A serial block announces itself as urgent, and ordinary commits let it pass.
 */
#ifndef STMPY_LOCK_H
#define STMPY_LOCK_H

#include "slot.h"

/* Takes the lock if that takes about a microsecond at most, else STM_BUSY. */
enum stm_status lock_try(struct store *store, struct slot *slot);

/* Takes the lock, sleeping until `deadline_ns` (of platform_now_ns) if need be.  Not to
 * be called while attached to an interpreter.  STM_INTERRUPTED after a signal and now and
 * then without one: look at signals and call again.  STM_TIMED_OUT at the deadline. */
enum stm_status lock_acquire(struct store *store, struct slot *slot, uint64_t deadline_ns);

/* As lock_acquire, ahead of every block that is not serial. */
enum stm_status lock_acquire_urgently(struct store *store, struct slot *slot, uint64_t deadline_ns);

void lock_release(struct store *store);

/* Whoever waited for this slot to take the lock goes on.  Called with a slot given back. */
void lock_withdraw(struct store *store, struct slot *slot);

/* For sleepers whom nobody has woken for long: if somebody holds the lock, waits a moment for it,
 * as taking it from a dead owner repairs what that one left and wakes everybody. */
void lock_help(struct store *store, struct slot *slot);

/* True if the slot's name is in the lock. */
bool lock_owned_by(struct store *store, const struct slot *slot);

#define NO_DEADLINE UINT64_MAX

#endif
