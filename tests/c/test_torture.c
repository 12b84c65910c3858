/* test_torture.c - threads that move money, flip pairs of keys and audit the whole. */
#include "bank.h"

#include <pthread.h>

#define THREADS 4
#define BLOCKS REPEAT(60000)

static struct store *store;

static void *work(void *argument)
{
    uint64_t worker = (uintptr_t)argument, state = test_seed * 31 + worker;
    struct seat seat = take_seat(store);
    for (int i = 0; i < BLOCKS; i++)
        run_block(&seat, worker, &state);
    leave_seat(&seat);
    return NULL;
}

static void test_threads(uint64_t history_bytes)
{
    pthread_t threads[THREADS];
    store = new_test_store((uint64_t)32 << 20, history_bytes);
    struct seat seat = take_seat(store);
    uint64_t start = arena_used(store);
    fill_bank(&seat);
    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, work, (void *)i) == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    begin(&seat, TXN_READ_ONLY);
    CHECK(audit(&seat) == STM_OK);
    uint64_t blocks = 0;
    for (uint64_t i = 0; i < THREADS; i++)
        blocks += read_key(&seat, COUNTER_KEY(i));
    txn_end(&seat.txn);
    CHECK(blocks > THREADS * BLOCKS * 4 / 5 && blocks <= (uint64_t)THREADS * BLOCKS);
    for (uint64_t i = 0; i < COUNTER_KEY(THREADS); i++)
        set_alone(&seat, i, ABSENT);
    sweep_everything(&seat);
    CHECK(load_relaxed(&store->region->history_bytes) == 0);
    leave_seat(&seat);
    CHECK(arena_used(store) == start);
    store_release(store);
}

int main(void)
{
    test_begin();
    test_threads(1 << 20);
    test_threads(2000); /* so little that audits are given up now and then */
    return 0;
}
