/* check.h - validation at the end of a block.
 */
#ifndef STMPY_CHECK_H
#define STMPY_CHECK_H

#include "txn.h"

/* The newest version of a cell, or NULL.  Under the commit lock. */
static inline const struct version *check_head(const struct txn *txn, region_ref cell)
{
    region_ref head = load_relaxed(&store_cell(txn->store, cell)->head);
    return head == 0 ? NULL : store_version(txn->store, head);
}

/* The first check of a large read set, outside the lock; false with txn.conflict.  `before` is
 * for check_recent. */
bool check_outside(struct txn *txn, uint64_t *before);

/* Checks what was read against the cells that were committed since `before`.  Under the commit
 * lock, as is the next. */
bool check_recent(struct txn *txn, uint64_t before);

/* Whether every cell may be written; a key that somebody else has inserted meanwhile is written
 * there.  False with txn.conflict, or with txn.moved if functions must run again. */
bool check_writes(struct txn *txn);

#endif
