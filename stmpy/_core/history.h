/* history.h - old versions: how long they stay, and how they go.
 *
 * A superseded version stays while a registered snapshot can see it and no longer, however
 * long the oldest reader runs: it is cut out between snapshots.  Cells with history wait
 * in the dirty queue; commits sweep a few of them in passing, so that a key which is never
 * written again is reached too.  All of it happens under the commit lock.
 */
#ifndef STMPY_HISTORY_H
#define STMPY_HISTORY_H

#include "slot.h"

/* Allocates what a sweep will need, before the lock is taken.  Best effort. */
void history_prepare(struct store *store, struct slot *slot);

/* Puts a cell into the dirty queue unless it is there.  Needs the commit lock. */
void history_mark(struct store *store, region_ref cell);

/* Notes that the cell's version `old` was superseded by a commit.  Needs the lock. */
void history_superseded(struct store *store, region_ref cell, region_ref old);

/* Sweeps if enough was superseded since the last time.  Needs the commit lock. */
void history_sweep_some(struct store *store, struct slot *slot);

/* Sweeps everything, giving up the oldest snapshot if `evict`.  Needs the commit lock. */
void history_sweep_all(struct store *store, struct slot *slot, bool evict);

/* Hands a block that was just unlinked to limbo, if there is room; the block stays in
 * memory for ever otherwise.  Needs the commit lock. */
bool history_retire(struct store *store, struct slot *slot, enum limbo_kind kind, region_ref ref,
                    size_t bytes);

#endif
