/* index.c - the split-ordered list.
 *
 * Invariant: the list is sorted by order.  Bucket b has a place in it that all its cells come
 * after, and before that of any bucket that follows.  There are 2^bits buckets, and a cell
 * belongs to the one that the first `bits` bits of its order tell: so doubling them puts a new
 * bucket between any two.
 *   They are numbered as they come: number 0 is at order 0, then each doubling numbers those
 * it adds from left to right.
 *   Safe without locks for readers because an insertion becomes visible by one release
 * store into its predecessor, and because a removed cell keeps its own `next` until no
 * read operation that could stand on it is left (history.c).
 *   Where a cell was found may be remembered over read operations.  Removals are counted
 * when they begin and when they are over, so the count is odd in between, and what is found
 * then is not remembered.  Count and reader are sequentially consistent: a reader that has
 * announced itself and finds the count it remembers comes before any removal since, so the
 * cell waits for it as for any other reader.
 *   Among a million keys a search waits for memory most of its time, twice: for the bucket;
 * then for its first cell, and at the same time for what the bucket guesses to be its version.
 */
#include "index.h"

#include "hash.h"

/* At least, until they are as many as there can be: what precedes a cell in its bucket is one
 * more wait for memory, and the guess is of another cell. */
#define BUCKETS_PER_CELL SCALED(4u, 1u)

_Static_assert((sizeof(struct bucket) << (INDEX_MAX_BITS - 1)) <= ARENA_MAX_BLOCK,
               "the last segment is one block");
_Static_assert(sizeof(struct slot) * REGION_SLOTS >> 4 > INDEX_BUCKETS,
               "the ref of a cell is no number of a bucket");

struct key index_key(const struct store *store, region_ref variable, const uint8_t *bytes,
                     uint32_t length)
{
    uint64_t hash = hash_bytes(store->region->hash_seed, variable, bytes, length);
    return (struct key){variable, (uint32_t)hash | 1, length, bytes, NULL};
}

/* ---- buckets ------------------------------------------------------------------------ */

/* The bucket at or before this order; it is in the list. */
static uint32_t bucket_of(const struct store *store, uint32_t order)
{
    const struct index *index = &store->region->index;
    /* Pairs with index_grow: the new segment is there. */
    uint32_t bits = load_acquire(&index->bits);
    uint32_t ready = load_acquire(&index->ready); /* Pairs with link_bucket. */
    uint32_t place = (uint32_t)((((uint64_t)1 << 32) | order) >> (32 - bits));
    for (;;) {
        uint32_t bucket = place >> (__builtin_ctz(place) + 1);
        if (bucket < ready)
            return bucket;
        place &= place - 1; /* its cells still follow the bucket that it will divide */
    }
}

static uint32_t bucket_order(uint32_t bucket)
{
    return bucket == 0 ? 0 : (2 * bucket + 1) << __builtin_clz(bucket);
}

static uint32_t order_of(const struct store *store, region_ref node)
{
    return node < INDEX_BUCKETS ? bucket_order(node) : store_cell(store, node)->order;
}

static shared_u32 *link_of(const struct store *store, region_ref node)
{
    return node < INDEX_BUCKETS ? &index_bucket(store, node)->next
                                : &store_cell(store, node)->next;
}

/* ---- searching ---------------------------------------------------------------------- */

static bool matches(const struct cell *cell, const struct key *key)
{
    return cell->variable == key->variable && cell->key_length == key->length &&
           bytes_equal(cell->key, key->bytes, key->length);
}

static region_ref search(const struct store *store, const struct key *key)
{
    const struct bucket *bucket = index_bucket(store, bucket_of(store, key->order));
    __builtin_prefetch(store_version(store, load_relaxed(&bucket->guess)));
    /* Pairs with the release in link_after: the cell comes with its contents. */
    region_ref ref = load_acquire(&bucket->next);
    while (ref != 0 && order_of(store, ref) <= key->order) {
        if (ref >= INDEX_BUCKETS && store_cell(store, ref)->order == key->order &&
            matches(store_cell(store, ref), key))
            return ref;
        ref = load_acquire(link_of(store, ref)); /* Likewise. */
    }
    return 0;
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
    __builtin_prefetch(index_bucket(store, bucket_of(store, key->order)));
}

void index_prefetch_cell(const struct store *store, const struct key *key)
{
    if (key->hint != NULL && key->hint->cell != 0) {
        __builtin_prefetch(store_cell(store, key->hint->cell));
        return;
    }
    const struct bucket *bucket = index_bucket(store, bucket_of(store, key->order));
    /* Relaxed: only the addresses count. */
    __builtin_prefetch(store_version(store, load_relaxed(&bucket->guess)));
    __builtin_prefetch(store_cell(store, load_relaxed(&bucket->next)));
}

void index_guess(const struct store *store, uint32_t order, region_ref version)
{
    /* Relaxed: nobody relies on it. */
    put_relaxed(&index_bucket(store, bucket_of(store, order))->guess, version);
}

/* ---- editing ------------------------------------------------------------------------ */

static void link_after(struct store *store, region_ref before, region_ref node)
{
    shared_u32 *link = link_of(store, before);
    put_relaxed(link_of(store, node), load_relaxed(link));
    put_release(link, node); /* Pairs with search. */
}

/* The last node whose order is below `order`. */
static region_ref before_order(const struct store *store, uint32_t order)
{
    for (region_ref node = bucket_of(store, order);;) {
        region_ref next = load_relaxed(link_of(store, node));
        if (next == 0 || order_of(store, next) >= order)
            return node;
        node = next;
    }
}

/* Puts the next bucket that is not in the list there. */
static void link_bucket(struct store *store)
{
    struct index *index = &store->region->index;
    uint32_t bucket = load_relaxed(&index->ready);
    region_ref before = before_order(store, bucket_order(bucket));
    if (PLANTED(READY_EARLY))
        put_release(&index->ready, bucket + 1);
    /* A predecessor that died here may have linked it and not said so. */
    if (load_relaxed(link_of(store, before)) != bucket)
        link_after(store, before, bucket);
    put_release(&index->ready, bucket + 1); /* Pairs with bucket_of. */
}

void index_insert(struct store *store, region_ref ref)
{
    struct index *index = &store->region->index;
    link_after(store, before_order(store, store_cell(store, ref)->order), ref);
    index->cells++;
    /* Twice as many as it brings: all are linked well before the next doubling. */
    for (unsigned i = 0; i < 2 * BUCKETS_PER_CELL; i++) {
        if (load_relaxed(&index->ready) < 1u << load_acquire(&index->bits))
            link_bucket(store);
    }
}

void index_remove(struct store *store, region_ref ref)
{
    struct cell *cell = store_cell(store, ref);
    region_ref before = before_order(store, cell->order), next;
    while ((next = load_relaxed(link_of(store, before))) != ref) {
        if (next == 0 || order_of(store, next) > cell->order)
            return;
        before = next;
    }
    shared_u64 *removals = &store->region->index.removals;
    uint64_t odd = load_relaxed(removals) | 1; /* as it is if the last owner died in here */
    put_seq_cst(removals, odd); /* Pairs with index_find. */
    /* Pairs with search: who still stands on the cell goes on from its own `next`. */
    put_release(link_of(store, before), load_relaxed(&cell->next));
    put_release(removals, odd + 1); /* Pairs with index_find: the cell is not found any more. */
    store->region->index.cells--;
}

/* ---- growing ------------------------------------------------------------------------ */

static region_ref new_segment(struct store *store, struct slot *slot, uint32_t buckets)
{
    region_ref ref;
    size_t bytes = buckets * sizeof(struct bucket);
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
    put_relaxed(&index->ready, 1);
    put_release(&index->bits, INDEX_FIRST_BITS); /* Pairs with bucket_of. */
    return STM_OK;
}

static bool too_few(uint32_t bits, uint64_t cells)
{
    return bits < INDEX_MAX_BITS && BUCKETS_PER_CELL * cells > 1u << bits;
}

uint64_t index_crowded(const struct store *store)
{
    const struct index *index = &store->region->index;
    return too_few(load_relaxed(&index->bits), index->cells) ? index->cells : 0;
}

/* No lock is needed: segments are there before their buckets count, and whoever dies between
 * the two leaves one for the next. */
void index_grow(struct store *store, struct slot *slot, uint64_t cells)
{
    struct index *index = &store->region->index;
    uint32_t bits = load_acquire(&index->bits); /* Pairs with the change below. */
    while (too_few(bits, cells)) {
        shared_u32 *segment = &index->segments[bits - INDEX_FIRST_BITS + 1];
        if (load_relaxed(segment) == 0) {
            region_ref none = 0, fresh = new_segment(store, slot, 1u << bits);
            if (fresh == 0)
                return;
            if (!cas_acq_rel(segment, &none, fresh)) /* Pairs with bucket_at. */
                arena_free(store, slot, fresh, sizeof(struct bucket) << bits);
        }
        if (cas_acq_rel(&index->bits, &bits, bits + 1)) /* Pairs with bucket_of. */
            bits++;
    }
}
