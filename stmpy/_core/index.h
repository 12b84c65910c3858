/* index.h - from a variable and a key to its cell.
 *
 * A split-ordered list (Shalev and Shavit, 2006): all cells in one linked list sorted by
 * their hash, and an array of buckets, each of which is a place in it.  Growing adds places
 * and moves nothing, so readers need no lock and never look twice.  Only the owner of the
 * commit lock edits it.
 */
#ifndef STMPY_INDEX_H
#define STMPY_INDEX_H

#include "lock.h"

#define INDEX_MAX_BITS SCALED(23u, 16u) /* the last segment must fit a block of the arena */

/* A link of the list holds the ref of a cell, or the number of a bucket, which is below this:
 * no block of the arena is so near the beginning of the region.  0 is the end. */
#define INDEX_BUCKETS (1u << INDEX_MAX_BITS)

/* Where a key's cell was found, good until the next cell is removed. */
struct index_hint {
    region_ref cell;   /* 0: not found yet */
    uint64_t removals; /* of the index before it was found */
};

struct key {
    region_ref variable;
    uint32_t order;          /* place in the index: its hash, lowest bit set */
    uint32_t length;         /* bytes */
    const uint8_t *bytes;    /* Borrowed */
    struct index_hint *hint; /* Borrowed: used and kept up to date; may be NULL */
};

/* Completes a key: computes its place in the index. */
struct key index_key(const struct store *store, region_ref variable, const uint8_t *bytes,
                     uint32_t length);

/* The bucket of this number.  Segment 0 holds the first 2^INDEX_FIRST_BITS, each further one
 * as many as all before it. */
static inline struct bucket *index_bucket(const struct store *store, uint32_t number)
{
    unsigned segment = 0;
    if (number >= 1u << INDEX_FIRST_BITS) {
        unsigned top = 31u - (unsigned)__builtin_clz(number);
        segment = top - INDEX_FIRST_BITS + 1;
        number -= 1u << top;
    }
    /* Pairs with index_grow: the array comes cleared. */
    region_ref array = load_acquire(&store->region->index.segments[segment]);
    return (struct bucket *)store_at(store, array) + number;
}

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
 * the bucket; and its first cell and what seems to be that one's newest version, for which the
 * bucket should be here.  At any time. */
void index_prefetch_bucket(const struct store *store, const struct key *key);
void index_prefetch_cell(const struct store *store, const struct key *key);

/* Notes a version made of a cell at this place, for those who look the cell up: they fetch both
 * at once.  At any time. */
void index_guess(const struct store *store, uint32_t order, region_ref version);

/* Links a cell whose key is not in the index.  Needs the commit lock. */
void index_insert(struct store *store, region_ref cell);

/* Unlinks a cell if it is linked.  Needs the commit lock. */
void index_remove(struct store *store, region_ref cell);

/* How many cells there are if they should have more buckets, else 0.  Needs the commit lock. */
uint64_t index_crowded(const struct store *store);

/* Makes the buckets suffice for so many cells, as far as the region has room. */
void index_grow(struct store *store, struct slot *slot, uint64_t cells);

#endif
