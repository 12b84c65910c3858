/* test_index.c - growth to a million cells, look-ups against a reference, removal. */
#include "core.h"

#include <pthread.h>

#define KEYS REPEAT(1000000u)
#define BATCH 500u

/* Spreads the numbers, so that the order of insertion says nothing about the key. */
static uint64_t key_number(uint64_t i)
{
    return i * 0x9e3779b97f4a7c15u;
}

static void insert_range(struct seat *seat, uint64_t from, uint64_t to)
{
    begin(seat, 0);
    for (uint64_t i = from; i < to; i++)
        CHECK(put(seat, key_number(i), i) == STM_OK);
    CHECK(finish(seat) == STM_OK);
}

static void delete_range(struct seat *seat, uint64_t from, uint64_t to)
{
    begin(seat, 0);
    for (uint64_t i = from; i < to; i++)
        CHECK(del(seat, key_number(i)) == STM_OK);
    CHECK(finish(seat) == STM_OK);
}

/* The list is sorted, holds every cell once, and the place of each bucket. */
static void check_list(const struct store *store, uint64_t cells)
{
    const struct index *index = &store->region->index;
    uint64_t found = 0, buckets = 1;
    uint32_t order = 0;
    for (region_ref node = load_relaxed(&index_bucket(store, 0)->next); node != 0;) {
        if (node < INDEX_BUCKETS) {
            buckets++;
            node = load_relaxed(&index_bucket(store, node)->next);
            continue;
        }
        const struct cell *cell = store_cell(store, node);
        CHECK(cell->order >= order);
        order = cell->order;
        found++;
        node = load_relaxed(&cell->next);
    }
    CHECK(found == cells && index->cells == cells && buckets == load_relaxed(&index->ready));
}

static void check_lookups(struct seat *seat, uint64_t from, uint64_t to, uint64_t step)
{
    begin(seat, TXN_READ_ONLY);
    for (uint64_t i = from; i < to; i += step)
        CHECK(read_key(seat, key_number(i)) == i);
    for (uint64_t i = to; i < to + 1000; i++)
        CHECK(read_key(seat, key_number(i)) == ABSENT);
    for (uint64_t i = from > 1000 ? from - 1000 : 0; i < from; i++)
        CHECK(read_key(seat, key_number(i)) == ABSENT);
    CHECK(size_of(seat) == to - from);
    txn_end(&seat->txn);
}

static struct store *shared_store;
static _Atomic uint64_t inserted; /* keys below have been inserted */
static _Atomic bool stop;

/* What was in the index before a look-up must be found while it grows. */
static void *look_up(void *unused)
{
    (void)unused;
    struct seat seat = take_seat(shared_store);
    uint64_t state = test_seed;
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        uint64_t count = atomic_load_explicit(&inserted, memory_order_acquire);
        begin(&seat, TXN_READ_ONLY);
        for (int i = 0; i < 100 && count > 0; i++) {
            uint64_t at = draw_below(&state, count);
            CHECK(read_key(&seat, key_number(at)) == at);
        }
        txn_end(&seat.txn);
    }
    leave_seat(&seat);
    return NULL;
}

static void test_growth(void)
{
    shared_store = new_test_store((uint64_t)1 << 30, (uint64_t)64 << 20);
    struct seat seat = take_seat(shared_store);
    uint64_t start = arena_used(shared_store);
    pthread_t reader;
    CHECK(pthread_create(&reader, NULL, look_up, NULL) == 0);
    for (uint64_t i = 0; i < KEYS; i += BATCH) {
        insert_range(&seat, i, i + BATCH);
        atomic_store_explicit(&inserted, i + BATCH, memory_order_release);
    }
    atomic_store_explicit(&stop, true, memory_order_relaxed);
    CHECK(pthread_join(reader, NULL) == 0);
    CHECK(load_relaxed(&shared_store->region->index.bits) > INDEX_FIRST_BITS + 3);
    check_list(shared_store, KEYS);
    check_lookups(&seat, 0, KEYS, 1);

    for (uint64_t i = 0; i < KEYS / 2; i += BATCH)
        delete_range(&seat, i, i + BATCH);
    check_lookups(&seat, KEYS / 2, KEYS, 7);
    for (uint64_t i = KEYS / 2; i < KEYS; i += BATCH)
        delete_range(&seat, i, i + BATCH);
    sweep_everything(&seat);
    check_list(shared_store, 0);
    /* What stays is the array of buckets, and the pending array of a large block. */
    uint64_t buckets = (uint64_t)1 << load_relaxed(&shared_store->region->index.bits);
    uint64_t arrays = (buckets - (1u << INDEX_FIRST_BITS)) * sizeof(struct bucket);
    uint64_t pending = arena_rounded(seat.slot->pending_room * sizeof(struct pending));
    CHECK(arena_used(shared_store) == start + arrays + pending);
    leave_seat(&seat);
    store_release(shared_store);
}

/* Makes as many as a block can bring at once: no bucket has to take many of them. */
static void test_one_block(void)
{
    struct store *store = new_test_store((uint64_t)1 << 30, (uint64_t)64 << 20);
    struct seat seat = take_seat(store);
    insert_range(&seat, 0, KEYS / 4);
    const struct index *index = &store->region->index;
    CHECK((uint64_t)1 << load_relaxed(&index->bits) >= KEYS / 4);
    CHECK(load_relaxed(&index->ready) == (uint64_t)1 << load_relaxed(&index->bits));
    check_list(store, KEYS / 4);
    check_lookups(&seat, 0, KEYS / 4, 1);
    leave_seat(&seat);
    store_release(store);
}

int main(void)
{
    test_begin();
    test_growth();
    test_one_block();
    return 0;
}
