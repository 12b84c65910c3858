/* slot.h - one slot per thread and interpreter: its snapshot, its reads, its death.
 *
 * A slot tells the others three things.  `snapshot`: versions that this commit number can
 * see must stay.  `reading`: a read operation may stand on any block that was linked when
 * it began.  `txn_epoch`: a transaction may remember cells that were linked when it began.
 * (Snapshot registration as in LMDB's reader table; epochs as in Fraser's thesis.)
 */
#ifndef STMPY_SLOT_H
#define STMPY_SLOT_H

#include "arena.h"

#define SLOT_NOBODY ((uint64_t)INT32_MAX << 32) /* as an owner: no process has this id */

/* Claims a free slot for the calling thread; STM_NO_SLOT when all are taken by threads
 * that are alive. */
enum stm_status slot_claim(struct store *store, uint64_t interpreter, struct slot **out);

/* Gives the slot back: what it held in magazines goes to the shared stacks. */
void slot_release(struct store *store, struct slot *slot);

/* Leaves the slot to whoever looks for those of dead processes. */
void slot_abandon(struct slot *slot);

/* Frees the blocks of a transaction that will not be published. */
void slot_discard_pending(struct store *store, struct slot *slot);

/* True if the process that claimed the slot has ended. */
bool slot_dead(const struct slot *slot);

/* Gives back the slots of processes that have ended; returns how many.  Leaves that of a dead
 * lock owner alone until it is recovered (recover.h), and those of threads that were waiting
 * (wait.h) unless the caller has the commit lock.  `own` is a slot that tells which process
 * this is; if it is NULL the kernel is asked, which takes as long as a dozen commits. */
uint32_t slot_reap(struct store *store, const struct slot *own, bool locked);

/* Registers and returns the newest snapshot. */
uint64_t slot_register(struct store *store, struct slot *slot);

static inline uint32_t slot_number(const struct store *store, const struct slot *slot)
{
    return (uint32_t)(slot - store_slots(store));
}

static inline void slot_unregister(struct slot *slot)
{
    /* Release: the reads of the block come before.  Pairs with slots_look's loads. */
    put_release(&slot->snapshot, NO_SNAPSHOT);
    put_release(&slot->txn_epoch, 0);
}

static inline void slot_read_begin(struct store *store, struct slot *slot)
{
    /* Sequentially consistent: either who unlinks a block sees this epoch, or we see
     * that it is unlinked.  Pairs with slots_look's loads. */
    if (PLANTED(LATE_READING))
        put_release(&slot->reading, load_acquire(&store->region->epoch));
    else
        put_seq_cst(&slot->reading, load_acquire(&store->region->epoch));
    /* If this sees the epoch that a sweep has set, all that it unlinked before is seen. */
    (void)load_seq_cst(&store->region->epoch);
}

static inline void slot_read_end(struct slot *slot)
{
    /* Release: all loads of the operation come before.  Pairs with slots_look. */
    put_release(&slot->reading, 0);
}

/* True if the snapshot was given up.  To be asked after walking a chain, before trusting
 * what was found: versions may have been missing. */
static inline bool slot_evicted(struct slot *slot, uint64_t snapshot)
{
    return load_acquire(&slot->evicted) == snapshot; /* Pairs with slots_evict_oldest. */
}

/* What all slots say at one moment, seen by the owner of the commit lock. */
struct slots_view {
    uint64_t oldest;      /* no registered snapshot is older; not newer than the clock */
    uint64_t oldest_weak; /* nor one of a transaction under snapshot isolation than this */
    uint64_t min_reading; /* no read operation runs that began before this epoch */
    uint64_t min_txn;     /* nor a transaction */
    uint32_t count;       /* snapshots that versions are kept for */
    uint64_t snapshots[REGION_SLOTS + 1]; /* ascending, without repetition */
};

/* Needs the commit lock. */
void slots_look(struct store *store, struct slots_view *view);

/* True if a version visible in [from, to) is kept for some snapshot. */
bool slots_need(const struct slots_view *view, uint64_t from, uint64_t to);

/* Tells the owner of the oldest snapshot that it is given up; false if there is none. */
bool slots_evict_oldest(struct store *store);

#endif
