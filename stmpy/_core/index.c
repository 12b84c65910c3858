/* index.c - the split-ordered list.
 *
 * Invariant: the list is sorted by `order`; the sentinel of bucket b has order
 * reverse(b) and every cell of the bucket comes after it and before the next sentinel.
 * Safe without locks for readers because an insertion becomes visible by one release
 * store into its predecessor, and because a removed cell keeps its own `next` until no
 * read operation that could stand on it is left (history.c).
 *   Where a cell was found may be remembered over read operations.  Removals are counted
 * when they begin and when they are over, so the count is odd in between, and what is found
 * then is not remembered.  Count and reader are sequentially consistent: a reader that has
 * announced itself and finds the count it remembers comes before any removal since, so the
 * cell waits for it as for any other reader.
 */
#include "index.h"

#include "hash.h"

#define MAX_BITS 22u /* the last segment must fit a block of the arena */

static uint32_t reverse(uint32_t bits)
{
    bits = (bits >> 1 & 0x55555555u) | (bits & 0x55555555u) << 1;
    bits = (bits >> 2 & 0x33333333u) | (bits & 0x33333333u) << 2;
    bits = (bits >> 4 & 0x0f0f0f0fu) | (bits & 0x0f0f0f0fu) << 4;
    return __builtin_bswap32(bits);
}

struct key index_key(const struct store *store, region_ref variable, const uint8_t *bytes,
                     uint32_t length)
{
    uint64_t hash = hash_bytes(store->region->hash_seed, variable, bytes, length);
    return (struct key){variable, reverse((uint32_t)hash) | 1, length, bytes, NULL};
}

/* Segment 0 holds the first 2^INDEX_FIRST_BITS buckets, each further one as many as all
 * before it. */
static unsigned segment_of(uint32_t bucket, uint32_t *position)
{
    if (bucket < 1u << INDEX_FIRST_BITS) {
        *position = bucket;
        return 0;
    }
    unsigned top = 31u - (unsigned)__builtin_clz(bucket);
    *position = bucket - (1u << top);
    return top - INDEX_FIRST_BITS + 1;
}

static struct sentinel *bucket_at(const struct store *store, uint32_t bucket)
{
    uint32_t position;
    unsigned segment = segment_of(bucket, &position);
    /* Pairs with the release in index_grow: the array comes cleared. */
    region_ref array = load_acquire(&store->region->index.segments[segment]);
    return (struct sentinel *)store_at(store, array) + position;
}

/* The sentinel to start from for this order. */
static region_ref start_of(const struct store *store, uint32_t order)
{
    /* Pairs with the release in index_grow: the new segment is there. */
    uint32_t bits = load_acquire(&store->region->index.bits);
    uint32_t bucket = reverse(order) & ((1u << bits) - 1);
    for (;;) {
        struct sentinel *sentinel = bucket_at(store, bucket);
        if (load_acquire(&sentinel->linked)) /* Pairs with link_bucket. */
            return store_ref(store, sentinel);
        /* Not split yet: its cells still follow the sentinel of its parent. */
        bucket &= ~(1u << (31u - (unsigned)__builtin_clz(bucket)));
    }
}

static bool matches(const struct cell *cell, const struct key *key)
{
    return cell->variable == key->variable && cell->key_length == key->length &&
           bytes_equal(cell->key, key->bytes, key->length);
}

static region_ref search(const struct store *store, const struct key *key)
{
    region_ref ref = start_of(store, key->order);
    for (;;) {
        /* Pairs with the release in link_after: the cell comes with its contents. */
        ref = load_acquire(&store_cell(store, ref)->next);
        if (ref == 0)
            return 0;
        const struct cell *cell = store_cell(store, ref);
        if (cell->order < key->order)
            continue;
        if (cell->order > key->order)
            return 0;
        if (matches(cell, key))
            return ref;
    }
}

region_ref index_find(const struct store *store, const struct key *key)
{
    struct index_hint *hint = key->hint;
    if (hint == NULL)
        return search(store, key);
    /* Pairs with index_remove: a cell found after it is linked, or its removal is not over. */
    uint64_t removals = load_seq_cst(&store->region->index.removals);
    if (hint->cell != 0 && hint->removals == removals)
        return hint->cell;
    region_ref found = search(store, key);
    if (PLANTED(HINT_DURING_REMOVAL))
        removals += removals % 2;
    if (removals % 2 == 0)
        *hint = (struct index_hint){found, removals};
    return found;
}

void index_prefetch_bucket(const struct store *store, const struct key *key)
{
    /* Pairs with the release in index_grow: the new segment is there. */
    uint32_t bits = load_acquire(&store->region->index.bits);
    __builtin_prefetch(bucket_at(store, reverse(key->order) & ((1u << bits) - 1)));
}

void index_prefetch_cell(const struct store *store, const struct key *key)
{
    const struct cell *start = store_cell(store, start_of(store, key->order));
    /* Relaxed: only the address counts. */
    __builtin_prefetch(store_cell(store, load_relaxed(&start->next)));
}

static void link_after(struct store *store, region_ref before, region_ref ref)
{
    shared_u32 *next = &store_cell(store, before)->next;
    put_relaxed(&store_cell(store, ref)->next, load_relaxed(next));
    put_release(next, ref); /* Pairs with search. */
}

/* The last node whose order is below `order`. */
static region_ref before_order(const struct store *store, region_ref from, uint32_t order)
{
    for (;;) {
        region_ref next = load_relaxed(&store_cell(store, from)->next);
        if (next == 0 || store_cell(store, next)->order >= order)
            return from;
        from = next;
    }
}

/* Puts the sentinel of the next bucket that has none into the list. */
static void link_bucket(struct store *store)
{
    struct index *index = &store->region->index;
    struct sentinel *sentinel = bucket_at(store, index->ready);
    region_ref ref = store_ref(store, sentinel);
    sentinel->order = reverse(index->ready);
    region_ref before =
        before_order(store, start_of(store, sentinel->order), sentinel->order);
    /* A predecessor that died here may have linked it and not said so. */
    if (load_relaxed(&store_cell(store, before)->next) != ref)
        link_after(store, before, ref);
    put_release(&sentinel->linked, 1); /* Pairs with start_of. */
    index->ready++;
}

void index_insert(struct store *store, region_ref ref)
{
    struct index *index = &store->region->index;
    uint32_t order = store_cell(store, ref)->order;
    link_after(store, before_order(store, start_of(store, order), order), ref);
    index->cells++;
    /* Two for each cell: all are linked well before the next doubling. */
    for (int i = 0; i < 2 && index->ready < 1u << load_relaxed(&index->bits); i++)
        link_bucket(store);
}

void index_remove(struct store *store, region_ref ref)
{
    struct cell *cell = store_cell(store, ref);
    region_ref before = before_order(store, start_of(store, cell->order), cell->order);
    for (;;) {
        region_ref next = load_relaxed(&store_cell(store, before)->next);
        if (next == 0 || store_cell(store, next)->order > cell->order)
            return;
        if (next == ref)
            break;
        before = next;
    }
    shared_u64 *removals = &store->region->index.removals;
    uint64_t odd = load_relaxed(removals) | 1; /* as it is if the last owner died in here */
    put_seq_cst(removals, odd); /* Pairs with index_find. */
    /* Pairs with search: who still stands on the cell goes on from its own `next`. */
    put_release(&store_cell(store, before)->next, load_relaxed(&cell->next));
    put_release(removals, odd + 1); /* Pairs with index_find: the cell is not found any more. */
    store->region->index.cells--;
}

/* ---- growing ------------------------------------------------------------------------ */

static region_ref new_segment(struct store *store, struct slot *slot, uint32_t buckets)
{
    region_ref ref;
    size_t bytes = buckets * sizeof(struct sentinel);
    if (arena_alloc(store, slot, bytes, &ref) != STM_OK)
        return 0;
    memset(store_at(store, ref), 0, bytes);
    return ref;
}

enum stm_status index_init(struct store *store, struct slot *slot)
{
    struct index *index = &store->region->index;
    region_ref segment = new_segment(store, slot, 1u << INDEX_FIRST_BITS);
    if (segment == 0)
        return STM_STORE_FULL;
    put_relaxed(&index->segments[0], segment);
    put_relaxed(&bucket_at(store, 0)->linked, 1);
    index->ready = 1;
    put_release(&index->bits, INDEX_FIRST_BITS); /* Pairs with start_of. */
    return STM_OK;
}

bool index_crowded(const struct store *store)
{
    const struct index *index = &store->region->index;
    uint32_t bits = load_relaxed(&index->bits);
    return bits < MAX_BITS && index->ready == 1u << bits && index->cells > 1u << bits;
}

void index_grow(struct store *store, struct slot *slot)
{
    struct index *index = &store->region->index;
    uint32_t bits = load_relaxed(&index->bits);
    /* Allocated and cleared outside the lock; somebody else may grow meanwhile. */
    region_ref segment = new_segment(store, slot, 1u << bits);
    if (segment == 0)
        return;
    bool used = false;
    if (lock_try(store, slot) == STM_OK) {
        used = load_relaxed(&index->bits) == bits && index_crowded(store);
        if (used) {
            put_release(&index->segments[bits - INDEX_FIRST_BITS + 1], segment);
            put_release(&index->bits, bits + 1); /* Pairs with start_of. */
        }
        lock_release(store);
    }
    if (!used)
        arena_free(store, slot, segment, ((size_t)1 << bits) * sizeof(struct sentinel));
}
