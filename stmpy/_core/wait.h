/* wait.h - sleeping until something that a block has read changes.
 *
 * A waiter leaves one node per key of a read set, in buckets by the key's order.  Whoever
 * commits a key marks the waiters with a node for it, and wakes the threads they belong to.
 * Nodes are linked and unlinked under the commit lock, and the read set is validated in the
 * same section: no commit can come between the check and the registration, so no wake-up is
 * lost.  (Retry of Harris, Marlow, Peyton Jones and Herlihy, 2005.)
 *   A thread that sleeps has one waiter.  A slot may also have many that outlive their
 * transactions: for tasks that wait, and for values that hold until what they came from
 * changes.  Marks are set before the commit can be seen.
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

/* Unlinks the nodes of all waiters of a slot.  Needs the commit lock. */
void wait_forget(struct store *store, struct slot *slot);

/* Frees the waiters of a slot that wait_forget was called for. */
void wait_free(struct store *store, struct slot *slot);

/* ---- waiters that outlive their transaction --------------------------------------------- */

/* As wait_register, for a new waiter of the slot `owner`, which nobody sleeps for. */
enum stm_status wait_watch(struct txn *txn, struct slot *owner, uint64_t deadline_ns,
                           region_ref *out);

/* True once a key of it was committed. */
static inline bool wait_marked(const struct store *store, region_ref waiter)
{
    const struct waiter *at = store_at(store, waiter);
    return load_acquire(&at->mark) != 0; /* Pairs with mark in wait.c. */
}

/* Takes a waiter of the slot back.  Needs the commit lock; its memory is freed after that,
 * by the thread that has `slot`. */
void wait_drop(struct store *store, struct slot *owner, region_ref waiter);
void wait_free_dropped(struct store *store, struct slot *slot, region_ref waiter);

/* ---- waking ------------------------------------------------------------------------------- */

/* The threads that a commit is going to wake. */
#define WAKE_LIMIT 64u
struct wake_list {
    uint32_t count;
    uint32_t slots[WAKE_LIMIT];
    uint64_t followers; /* of the log: see log.h */
};

/* Marks who waits for this cell.  Needs the commit lock, before the clock is moved. */
void wait_collect(struct store *store, region_ref cell, struct wake_list *list);

/* Wakes those that were marked, after the lock was released. */
void wait_wake(struct store *store, const struct wake_list *list);

/* Wakes every thread that waits, in every process. */
void wait_wake_all(struct store *store);

/* Marks every waiter, and wakes.  Needs the commit lock. */
void wait_mark_all(struct store *store);

#endif
