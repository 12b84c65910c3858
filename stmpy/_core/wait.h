/* wait.h - sleeping until something that a block has read changes.
 *
 * A waiting thread leaves one node per key of its read set, in buckets by the key's order.
 * Whoever commits a key wakes the threads with a node for it.  Nodes are linked and
 * unlinked under the commit lock, and the read set is validated in the same section: no
 * commit can come between the check and the registration, so no wake-up is lost.  (Retry
 * of Harris, Marlow, Peyton Jones and Herlihy, 2005.)
 */
#ifndef STMPY_WAIT_H
#define STMPY_WAIT_H

#include "txn.h"

/* Registers the transaction's thread for its read set.  STM_CONFLICT if that has changed
 * already: nothing is registered, run again at once.  Takes the commit lock unless the
 * transaction is serial, sleeping until the deadline; not to be called while attached. */
enum stm_status wait_register(struct txn *txn, uint64_t deadline_ns);

/* Sleeps until a key of the read set was committed or the store is closed.  STM_INTERRUPTED
 * after a signal and now and then without one: look at signals and sleep on.  STM_TIMED_OUT at the deadline. */
enum stm_status wait_sleep(struct store *store, struct slot *slot, uint64_t deadline_ns);

/* Takes the thread's nodes back.  Takes the commit lock; not to be called while attached. */
void wait_unregister(struct store *store, struct slot *slot);

/* Unlinks the nodes of a slot whose process has ended.  Needs the commit lock. */
void wait_forget(struct store *store, struct slot *slot);

/* The threads that a commit is going to wake. */
#define WAKE_LIMIT 64u
struct wake_list {
    uint32_t count;
    uint32_t slots[WAKE_LIMIT];
    uint64_t followers; /* of the log: see log.h */
};

/* Marks the threads that wait for this cell as woken.  Needs the commit lock. */
void wait_collect(struct store *store, region_ref cell, struct wake_list *list);

/* Wakes those that were marked, after the lock was released. */
void wait_wake(struct store *store, const struct wake_list *list);

/* Wakes every thread that waits, in every process. */
void wait_wake_all(struct store *store);

#endif
