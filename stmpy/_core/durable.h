/* durable.h - what is safe on disk, as the keeper says and others wait for.
 *
 * The keeper is a process of its own that follows the log, writes it to disk, and moves
 * `version` on.  Everything it tells the others is in the region.
 */
#ifndef STMPY_DURABLE_H
#define STMPY_DURABLE_H

#include "store.h"

static inline enum durable_state durable_state(const struct store *store)
{
    /* Pairs with durable_tell. */
    return (enum durable_state)load_acquire(&store->region->durable.state);
}

/* True if blocks of this store are acknowledged only when they are durable. */
static inline bool durable_acknowledged(const struct store *store)
{
    return durable_state(store) != DURABLE_NONE && !store->region->durable.relaxed;
}

/* True if no block may write now. */
static inline bool durable_refuses(const struct store *store)
{
    enum durable_state state = durable_state(store);
    return state == DURABLE_FULL || state == DURABLE_FAILED;
}

/* Sleeps until the store is open and all commits up to `ts` are durable.  STM_UNKNOWN if the keeper can't say so
 * any more; STM_TIMED_OUT at the deadline; STM_INTERRUPTED after a signal and now and then
 * without one: look at signals and whether the keeper lives, and call again.  Not to be
 * called while attached to an interpreter. */
enum stm_status durable_wait(struct store *store, uint64_t ts, uint64_t deadline_ns);

/* The first of a new store: true for the one who is to open it and start the keeper. */
bool durable_open(struct store *store, const char *path, bool relaxed);

/* True if the keeper has died. */
bool durable_orphaned(const struct store *store);

/* True for the one who is to start another keeper in its place: its guard, or anybody once
 * that has died too.  Not while the store opens, and never again once the disk has failed. */
bool durable_adopt(struct store *store);

/* The one who was to start a keeper has started its guard, which stands in for it. */
void durable_name_guard(struct store *store, uint32_t pid);

/* The keeper is this process. */
void durable_name_keeper(struct store *store);

/* For the keeper: commits up to `ts` are safe; a state, and why. */
void durable_publish(struct store *store, uint64_t ts);
void durable_tell(struct store *store, enum durable_state state, const char *message);

/* Counts a group that was written. */
void durable_count(struct store *store, uint64_t commits, uint64_t micros);

/* Sets the clock of a store that was just loaded: commits go on with greater numbers. */
enum stm_status durable_restore(struct store *store, struct slot *slot, uint64_t ts);

#endif
