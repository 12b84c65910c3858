/* test_arena.c - size classes, exact accounting, splitting, a full store, several threads. */
#include "core.h"

#include <pthread.h>

/* A block is filled with its own number, so that two that overlap are noticed.  Its first
 * two words are atomic: a thread that lost a race for the block may still look at them. */
static void fill(struct store *store, region_ref ref, size_t bytes)
{
    struct chunk *chunk = store_at(store, ref);
    put_relaxed(&chunk->link, ref);
    put_relaxed(&chunk->batch, ref);
    uint32_t *words = store_at(store, ref);
    for (size_t i = 2; i < bytes / sizeof *words; i++)
        words[i] = ref;
}

static void check_filled(struct store *store, region_ref ref, size_t bytes)
{
    const uint32_t *words = store_at(store, ref);
    for (size_t i = 0; i < bytes / sizeof *words; i++)
        CHECK(words[i] == ref);
}

static void test_classes(void)
{
    size_t previous = 0;
    for (size_t bytes = 1; bytes <= ARENA_MAX_BLOCK; bytes += bytes < 70000 ? 1 : bytes / 97) {
        size_t rounded = arena_rounded(bytes);
        CHECK(rounded >= bytes && rounded % 16 == 0 && rounded >= previous);
        CHECK(arena_rounded(rounded) == rounded);
        CHECK(rounded < bytes + 16 || rounded <= bytes + bytes / 4);
        previous = rounded;
    }
    CHECK(arena_rounded(ARENA_MAX_BLOCK) == ARENA_MAX_BLOCK);
}

/* Every class once, used and given back: what is in use is exact at every moment. */
static void test_accounting(void)
{
    static struct {
        region_ref ref;
        size_t bytes;
    } blocks[400];
    struct store *store = new_test_store((uint64_t)512 << 20, 1 << 20);
    struct seat seat = take_seat(store);
    uint64_t start = arena_used(store), expected = start;
    unsigned count = 0;
    for (size_t bytes = 1; bytes <= ARENA_MAX_BLOCK; bytes = arena_rounded(bytes) + 1, count++) {
        CHECK(arena_alloc(store, seat.slot, bytes, &blocks[count].ref) == STM_OK);
        blocks[count].bytes = bytes;
        fill(store, blocks[count].ref, bytes);
        expected += arena_rounded(bytes);
        CHECK(arena_used(store) == expected);
    }
    CHECK(count == ARENA_CLASSES);
    region_ref none = 7;
    CHECK(arena_alloc(store, seat.slot, ARENA_MAX_BLOCK + 1, &none) == STM_TOO_LARGE && none == 7);
    while (count-- > 0) {
        check_filled(store, blocks[count].ref, blocks[count].bytes);
        arena_free(store, seat.slot, blocks[count].ref, blocks[count].bytes);
        expected -= arena_rounded(blocks[count].bytes);
        CHECK(arena_used(store) == expected);
    }
    CHECK(expected == start);
    leave_seat(&seat);
    CHECK(arena_used(store) == start);
    store_release(store);
}

/* Fills the store with blocks of one size, linked through their first words. */
static uint32_t exhaust(struct seat *seat, size_t bytes, region_ref *chain)
{
    region_ref ref;
    uint32_t count = 0;
    enum stm_status status;
    while ((status = arena_alloc(seat->store, seat->slot, bytes, &ref)) == STM_OK) {
        *(region_ref *)store_at(seat->store, ref) = *chain;
        *chain = ref;
        count++;
    }
    CHECK(status == STM_STORE_FULL);
    return count;
}

static void give_back(struct seat *seat, size_t bytes, region_ref chain)
{
    while (chain != 0) {
        region_ref next = *(region_ref *)store_at(seat->store, chain);
        arena_free(seat->store, seat->slot, chain, bytes);
        chain = next;
    }
}

static void test_full_and_split(void)
{
    struct store *store = new_test_store(1 << 20, 1 << 18);
    struct seat seat = take_seat(store);
    uint64_t start = arena_used(store);
    for (int round = 0; round < 3; round++) {
        region_ref large = 0, small = 0;
        uint32_t large_count = exhaust(&seat, 4096, &large);
        CHECK(large_count > 200);
        give_back(&seat, 4096, large);
        CHECK(arena_used(store) == start);
        /* All memory is free, in blocks of 4 KiB: they are split for smaller ones. */
        uint32_t small_count = exhaust(&seat, 64, &small);
        CHECK(small_count >= large_count * 64);
        CHECK(arena_used(store) == start + (uint64_t)small_count * 64);
        give_back(&seat, 64, small);
        CHECK(arena_used(store) == start);
        leave_seat(&seat);
        store_release(store);
        store = new_test_store(1 << 20, 1 << 18);
        seat = take_seat(store);
    }
    leave_seat(&seat);
    store_release(store);
}

/* A transaction that finds the store full goes on, and another succeeds after deletions. */
static void test_store_full(void)
{
    struct store *store = new_test_store(1 << 20, 1 << 18);
    struct seat seat = take_seat(store);
    uint64_t count = 0;
    enum stm_status status = STM_OK;
    while (status == STM_OK) {
        begin(&seat, 0);
        status = put(&seat, count, count);
        if (status == STM_OK)
            status = commit_patiently(&seat.txn);
        txn_end(&seat.txn);
        count += status == STM_OK;
    }
    CHECK(status == STM_STORE_FULL && count > 1000);
    begin(&seat, TXN_READ_ONLY);
    CHECK(size_of(&seat) == count && read_key(&seat, count - 1) == count - 1);
    CHECK(read_key(&seat, count) == ABSENT);
    txn_end(&seat.txn);
    leave_seat(&seat);
    store_release(store);
}

/* ---- several threads ---------------------------------------------------------------- */

#define THREADS 4
#define HELD 200

static struct store *shared_store;
static _Atomic region_ref exchange[64]; /* blocks of 48 bytes that change hands */

static void *churn(void *argument)
{
    uint64_t state = test_seed + (uintptr_t)argument;
    struct seat seat = take_seat(shared_store);
    region_ref held[HELD] = {0};
    size_t bytes[HELD] = {0};
    for (long i = 0; i < REPEAT(400000); i++) {
        unsigned at = (unsigned)draw_below(&state, HELD);
        if (held[at] != 0) {
            check_filled(shared_store, held[at], bytes[at]);
            arena_free(shared_store, seat.slot, held[at], bytes[at]);
            held[at] = 0;
        } else {
            bytes[at] = draw_below(&state, 4) ? 48 : 4 + draw_below(&state, 5000);
            CHECK(arena_alloc(shared_store, seat.slot, bytes[at], &held[at]) == STM_OK);
            fill(shared_store, held[at], bytes[at]);
        }
        if (held[at] != 0 && bytes[at] == 48)
            held[at] = atomic_exchange_explicit(&exchange[draw_below(&state, 64)], held[at],
                                                memory_order_acq_rel);
    }
    for (unsigned at = 0; at < HELD; at++) {
        if (held[at] != 0)
            arena_free(shared_store, seat.slot, held[at], bytes[at]);
    }
    leave_seat(&seat);
    return NULL;
}

static void test_threads(void)
{
    pthread_t threads[THREADS];
    shared_store = new_test_store((uint64_t)64 << 20, 1 << 20);
    struct seat seat = take_seat(shared_store);
    uint64_t start = arena_used(shared_store);
    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, churn, (void *)i) == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    for (int i = 0; i < 64; i++) {
        if (exchange[i] != 0)
            arena_free(shared_store, seat.slot, exchange[i], 48);
    }
    CHECK(arena_used(shared_store) == start);
    leave_seat(&seat);
    store_release(shared_store);
}

int main(void)
{
    test_begin();
    test_classes();
    test_accounting();
    test_full_and_split();
    test_store_full();
    test_threads();
    return 0;
}
