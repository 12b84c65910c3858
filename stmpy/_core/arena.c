/* arena.c - size classes, magazines and the shared stacks of batches.
 *
 * Invariant: a free block is in exactly one list: a magazine, or a batch on the stack of
 * its class.  Safe because a magazine belongs to one thread, because a stack moves by one
 * compare-and-swap whose tag changes every time (so a block that was popped and pushed
 * again meanwhile makes it fail), and because the words that a loser of that race reads
 * are atomic in every block.  Memory once carved never leaves its class downwards; when
 * the region is used up, blocks of larger classes are split.
 */
#include "arena.h"

#define BATCH_BYTES SCALED(4096u, 64u)
#define BATCH_BLOCKS 64u

static unsigned class_of(size_t bytes)
{
    if (bytes <= 256)
        return bytes == 0 ? 0 : (unsigned)((bytes + 15) / 16 - 1);
    unsigned shift = 63u - (unsigned)__builtin_clzll(bytes - 1);
    return 16 + (shift - 8) * 4 + (unsigned)((bytes - 1) >> (shift - 2) & 3);
}

static size_t class_bytes(unsigned class)
{
    if (class < 16)
        return (class + 1) * 16;
    unsigned shift = 8 + (class - 16) / 4;
    return ((size_t)1 << shift) + ((size_t)((class - 16) % 4 + 1) << (shift - 2));
}

static uint32_t batch_blocks(unsigned class)
{
    size_t fit = BATCH_BYTES / class_bytes(class);
    return fit > BATCH_BLOCKS ? BATCH_BLOCKS : fit > 0 ? (uint32_t)fit : 1;
}

size_t arena_rounded(size_t bytes)
{
    return class_bytes(class_of(bytes));
}

static void push_batch(struct store *store, unsigned class, region_ref batch)
{
    shared_u64 *stack = &store->region->arena.stacks[class];
    uint64_t seen = load_relaxed(stack), next;
    do {
        put_relaxed(&store_chunk(store, batch)->batch, (uint32_t)seen);
        next = (((seen >> 32) + !PLANTED(NO_TAG)) << 32) | batch;
        /* Pairs with the compare-and-swap in pop_batch: its links come with the batch. */
    } while (!cas_acq_rel(stack, &seen, next));
}

static region_ref pop_batch(struct store *store, unsigned class)
{
    shared_u64 *stack = &store->region->arena.stacks[class];
    /* Pairs with the compare-and-swap in push_batch. */
    uint64_t seen = load_acquire(stack), next;
    do {
        if ((uint32_t)seen == 0)
            return 0;
        uint32_t below = load_relaxed(&store_chunk(store, (region_ref)seen)->batch);
        next = (((seen >> 32) + !PLANTED(NO_TAG)) << 32) | below;
    } while (!cas_acq_rel(stack, &seen, next));
    return (region_ref)seen;
}

/* Links `count` neighbouring blocks of the class into a list. */
static void thread_blocks(struct store *store, region_ref first, unsigned class, uint32_t count)
{
    uint32_t step = (uint32_t)(class_bytes(class) >> 4);
    for (uint32_t i = 0; i < count; i++) {
        region_ref ref = first + i * step;
        put_relaxed(&store_chunk(store, ref)->link, i + 1 < count ? ref + step : 0);
    }
}

/* Takes never used memory for up to one batch; returns how many blocks it holds. */
static uint32_t carve(struct store *store, unsigned class, region_ref *first)
{
    shared_u64 *top = &store->region->arena.top;
    size_t size = class_bytes(class);
    uint64_t seen = load_relaxed(top), count;
    do {
        uint64_t left = store->region->bytes - seen;
        count = left / size;
        if (count == 0)
            return 0;
        if (count > batch_blocks(class))
            count = batch_blocks(class);
        /* Nothing was written there yet; acquire and release order nothing more. */
    } while (!cas_acq_rel(top, &seen, seen + count * size));
    *first = (region_ref)(seen >> 4);
    thread_blocks(store, *first, class, (uint32_t)count);
    return (uint32_t)count;
}

/* Gives what a split has left over to the classes that it fits. */
static void give_rest(struct store *store, region_ref ref, size_t bytes)
{
    while (bytes > 0) {
        unsigned class = class_of(bytes);
        if (class_bytes(class) > bytes)
            class--;
        put_relaxed(&store_chunk(store, ref)->link, 0);
        push_batch(store, class, ref);
        ref += (region_ref)(class_bytes(class) >> 4);
        bytes -= class_bytes(class);
    }
}

/* Splits one free block of a larger class; returns how many blocks that gave. */
static uint32_t split_larger(struct store *store, struct slot *slot, unsigned class,
                             region_ref *first)
{
    for (unsigned larger = class + 1; larger < ARENA_CLASSES; larger++) {
        struct magazine *magazine = &slot->magazines[larger];
        region_ref ref = load_relaxed(&magazine->head);
        if (ref != 0) {
            put_relaxed(&magazine->head, load_relaxed(&store_chunk(store, ref)->link));
            magazine->count--;
        } else {
            ref = pop_batch(store, larger);
            if (ref == 0)
                continue;
            region_ref rest = load_relaxed(&store_chunk(store, ref)->link);
            if (rest != 0)
                push_batch(store, larger, rest);
        }
        size_t size = class_bytes(class);
        uint32_t count = (uint32_t)(class_bytes(larger) / size);
        give_rest(store, ref + (region_ref)(count * size >> 4), class_bytes(larger) - count * size);
        *first = ref;
        thread_blocks(store, ref, class, count);
        return count;
    }
    return 0;
}

static enum stm_status refill(struct store *store, struct slot *slot, unsigned class)
{
    struct magazine *magazine = &slot->magazines[class];
    region_ref first = pop_batch(store, class);
    uint32_t count = 0;
    if (first != 0) {
        for (region_ref ref = first; ref != 0; ref = load_relaxed(&store_chunk(store, ref)->link))
            count++;
    } else {
        count = carve(store, class, &first);
        if (count == 0)
            count = split_larger(store, slot, class, &first);
        if (count == 0)
            return STM_STORE_FULL;
    }
    magazine->count = count;
    put_release(&magazine->head, first); /* Release: as in arena_free. */
    return STM_OK;
}

enum stm_status arena_alloc(struct store *store, struct slot *slot, size_t bytes, region_ref *out)
{
    if (bytes > ARENA_MAX_BLOCK)
        return STM_TOO_LARGE;
    unsigned class = class_of(bytes);
    struct magazine *magazine = &slot->magazines[class];
    if (load_relaxed(&magazine->head) == 0) {
        enum stm_status status = refill(store, slot, class);
        if (status != STM_OK)
            return status;
    }
    region_ref ref = load_relaxed(&magazine->head);
    put_relaxed(&magazine->head, load_relaxed(&store_chunk(store, ref)->link));
    magazine->count--;
    bump_relaxed(&slot->stats.allocated_bytes, class_bytes(class));
    *out = ref;
    return STM_OK;
}

/* Moves one batch from the magazine to the shared stack. */
static void spill(struct store *store, struct magazine *magazine, unsigned class, uint32_t blocks)
{
    region_ref batch = load_relaxed(&magazine->head), last = batch;
    for (uint32_t i = 1; i < blocks; i++)
        last = load_relaxed(&store_chunk(store, last)->link);
    put_relaxed(&magazine->head, load_relaxed(&store_chunk(store, last)->link));
    magazine->count -= blocks;
    /* Release: cut off before it ends, or a death here would leave a list in two places. */
    put_release(&store_chunk(store, last)->link, 0);
    push_batch(store, class, batch);
}

void arena_free(struct store *store, struct slot *slot, region_ref ref, size_t bytes)
{
    unsigned class = class_of(bytes);
    struct magazine *magazine = &slot->magazines[class];
    put_relaxed(&store_chunk(store, ref)->link, load_relaxed(&magazine->head));
    /* Release: linked on before it is the first, for who finds this thread dead. */
    put_release(&magazine->head, ref);
    magazine->count++;
    bump_relaxed(&slot->stats.allocated_bytes, (uint64_t)0 - class_bytes(class));
    if (magazine->count >= 2 * batch_blocks(class))
        spill(store, magazine, class, batch_blocks(class));
}

/* Blocks in a magazine: its owner may have died before it counted the last one. */
static uint32_t count_blocks(const struct store *store, const struct magazine *magazine)
{
    uint32_t count = 0;
    region_ref ref = load_relaxed(&magazine->head);
    for (; ref != 0; ref = load_relaxed(&store_chunk(store, ref)->link))
        count++;
    return count;
}

void arena_flush(struct store *store, struct slot *slot)
{
    for (unsigned class = 0; class < ARENA_CLASSES; class++) {
        struct magazine *magazine = &slot->magazines[class];
        magazine->count = count_blocks(store, magazine);
        while (magazine->count > batch_blocks(class))
            spill(store, magazine, class, batch_blocks(class));
        if (magazine->count > 0)
            spill(store, magazine, class, magazine->count);
    }
}

uint64_t arena_used(struct store *store)
{
    uint64_t used = load_relaxed(&store->region->arena.retired_bytes);
    uint32_t count = load_relaxed(&store->region->slots_used);
    for (uint32_t i = 0; i < count; i++)
        used += load_relaxed(&store_slots(store)[i].stats.allocated_bytes);
    return used;
}
