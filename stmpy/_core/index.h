/* index.h - from a variable and a key to its cell.
 *
 * A split-ordered list (Shalev and Shavit, 2006): all cells in one linked list sorted by
 * their bit-reversed hash, and an array of sentinels, one per bucket, that are part of it.
 * Growing adds sentinels and moves nothing, so readers need no lock and never look twice.
 * Only the owner of the commit lock edits it.
 */
#ifndef STMPY_INDEX_H
#define STMPY_INDEX_H

#include "lock.h"

/* Where a key's cell was found, good until the next cell is removed. */
struct index_hint {
    region_ref cell;   /* 0: not found yet */
    uint64_t removals; /* of the index before it was found */
};

struct key {
    region_ref variable;
    uint32_t order;          /* index_order of its hash */
    uint32_t length;         /* bytes */
    const uint8_t *bytes;    /* Borrowed */
    struct index_hint *hint; /* Borrowed: used and kept up to date; may be NULL */
};

/* Completes a key: computes its place in the index. */
struct key index_key(const struct store *store, region_ref variable, const uint8_t *bytes,
                     uint32_t length);

static inline struct key index_key_of(const struct cell *cell)
{
    return (struct key){.variable = cell->variable,
                        .order = cell->order,
                        .length = cell->key_length,
                        .bytes = cell->key};
}

/* Sets up an empty index; STM_STORE_FULL if the region is too small for it. */
enum stm_status index_init(struct store *store, struct slot *slot);

/* The cell of the key, or 0.  Within a read operation or under the commit lock. */
region_ref index_find(const struct store *store, const struct key *key);

/* Has the processor fetch what a search for the key begins with, while it does something else:
 * the bucket; and the first cell, for which the bucket should be here.  At any time. */
void index_prefetch_bucket(const struct store *store, const struct key *key);
void index_prefetch_cell(const struct store *store, const struct key *key);

/* Links a cell whose key is not in the index.  Needs the commit lock. */
void index_insert(struct store *store, region_ref cell);

/* Unlinks a cell if it is linked.  Needs the commit lock. */
void index_remove(struct store *store, region_ref cell);

/* True if there should be more buckets.  Needs the commit lock. */
bool index_crowded(const struct store *store);

/* Doubles the number of buckets, or leaves that to a later call if the commit lock, which
 * it takes, is held or the region is full. */
void index_grow(struct store *store, struct slot *slot);

#endif
