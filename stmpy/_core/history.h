/* history.h - old versions: how long they stay, and how they go.
 *
 * A superseded version stays while a registered snapshot can see it and no longer, however
 * long the oldest reader runs: it is cut out between snapshots.  Cells with history wait
 * in the dirty queue of the thread that made it; its commits sweep a few of them in
 * passing, and now and then take over what other threads have left, so that a key which is
 * never written again is reached too.  All of it happens under the commit lock.
 */
#ifndef STMPY_HISTORY_H
#define STMPY_HISTORY_H

#include "slot.h"

/* Puts a cell into a dirty queue unless it is in one.  Needs the commit lock. */
void history_mark(struct store *store, struct dirty_queue *queue, region_ref cell);

/* Notes that the cell's version `old` was superseded by a commit; 0 if the cell is new and
 * begins with a tombstone, which goes the same way.  Needs the lock. */
void history_superseded(struct store *store, struct slot *slot, region_ref cell,
                        region_ref old);

/* Sweeps if the slot has superseded enough since the last time.  Needs the commit lock. */
void history_sweep_some(struct store *store, struct slot *slot);

/* Sweeps everything, giving up the oldest snapshot if `evict`.  Needs the commit lock. */
void history_sweep_all(struct store *store, struct slot *slot, bool evict);

/* Hands a version that was just unlinked to limbo: it is freed when every read operation
 * of this moment is over.  Needs the commit lock. */
void history_retire_version(struct store *store, region_ref version);

/* Unlinks a cell that reads as absent at every snapshot, from wherever it is linked, and
 * hands it to limbo with its tombstone: both are freed when every transaction of this
 * moment is over.  Needs the commit lock. */
void history_bury(struct store *store, region_ref cell);

#endif
