/* recover.h - what the new owner of the commit lock does for one that died with it.
 */
#ifndef STMPY_RECOVER_H
#define STMPY_RECOVER_H

#include "slot.h"

/* Rolls a commit back that did not reach its commit point, or completes the bookkeeping of
 * one that did, and rebuilds lists that were being edited.  Needs the commit lock.  May
 * itself be cut off anywhere and be run again by the next owner. */
void recover_repair(struct store *store);

/* To be called by everyone who has taken the lock: one load where nothing is amiss. */
static inline void recover_unfinished(struct store *store)
{
    struct region *region = store->region;
    if ((load_relaxed(&region->linking) | load_relaxed(&region->maintaining)) != 0)
        recover_repair(store);
}

#endif
