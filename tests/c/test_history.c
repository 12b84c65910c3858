/* test_history.c - what old versions stay, for how long, and that all memory comes back. */
#include "core.h"

static uint64_t history_of(const struct store *store)
{
    return load_relaxed(&store->region->history_bytes);
}

static unsigned chain_length(struct seat *seat, uint64_t number)
{
    struct key key = number_key(seat, &number);
    region_ref cell = index_find(seat->store, &key);
    unsigned count = 0;
    CHECK(cell != 0);
    for (region_ref ref = load_relaxed(&store_cell(seat->store, cell)->head); ref != 0;
         ref = load_relaxed(&store_version(seat->store, ref)->prev))
        count++;
    return count;
}

/* With readers at some moments, one version for each of them stays and the newest. */
static void test_gaps(void)
{
    struct store *store = new_test_store((uint64_t)16 << 20, 1 << 20);
    struct seat writer = take_seat(store), readers[3];
    for (int i = 0; i < 3; i++)
        readers[i] = take_seat(store);
    for (uint64_t i = 0; i < 400; i++) {
        set_alone(&writer, 1, i);
        if (i % 100 == 50 && i < 300)
            begin(&readers[i / 100], TXN_READ_ONLY);
    }
    sweep_everything(&writer);
    CHECK(chain_length(&writer, 1) == 4);
    CHECK(history_of(store) == 3 * arena_rounded(offsetof(struct version, payload) + 8));
    for (uint64_t i = 0; i < 3; i++)
        CHECK(read_key(&readers[i], 1) == i * 100 + 50);
    txn_end(&readers[1].txn);
    sweep_everything(&writer);
    CHECK(chain_length(&writer, 1) == 3);
    CHECK(read_key(&readers[0], 1) == 50 && read_key(&readers[2], 1) == 250);
    txn_end(&readers[0].txn);
    txn_end(&readers[2].txn);
    sweep_everything(&writer);
    CHECK(chain_length(&writer, 1) == 1 && history_of(store) == 0);
    for (int i = 0; i < 3; i++)
        leave_seat(&readers[i]);
    leave_seat(&writer);
    store_release(store);
}

/* A snapshot that is held costs one version per key, however many commits go by. */
static void test_long_reader(void)
{
    enum { KEYS = 300 };
    struct store *store = new_test_store((uint64_t)16 << 20, (uint64_t)4 << 20);
    struct seat writer = take_seat(store), reader = take_seat(store);
    for (uint64_t i = 0; i < KEYS; i++)
        set_alone(&writer, i, i);
    begin(&reader, TXN_READ_ONLY);
    uint64_t limit = 0, state = test_seed;
    for (long i = 0; i < REPEAT(1000000); i++) {
        set_alone(&writer, draw_below(&state, KEYS), draw(&state));
        if (history_of(store) > limit)
            limit = history_of(store);
    }
    uint64_t one = arena_rounded(offsetof(struct version, payload) + 8);
    CHECK(limit <= 2 * KEYS * one);
    for (uint64_t i = 0; i < KEYS; i++)
        CHECK(read_key(&reader, i) == i);
    txn_end(&reader.txn);
    sweep_everything(&writer);
    CHECK(history_of(store) == 0);
    leave_seat(&reader);
    leave_seat(&writer);
    store_release(store);
}

/* Large transactions do not outrun the pruning: each writes as many keys as it likes. */
static void test_bulk(void)
{
    enum { KEYS = 1000 };
    struct store *store = new_test_store((uint64_t)64 << 20, (uint64_t)2 << 20);
    struct seat writer = take_seat(store), reader = take_seat(store);
    uint64_t one = arena_rounded(offsetof(struct version, payload) + 8);
    for (uint64_t round = 0; round < 50; round++) {
        begin(&writer, 0);
        for (uint64_t i = 0; i < KEYS; i++)
            CHECK(put(&writer, i, round) == STM_OK);
        CHECK(finish(&writer) == STM_OK);
        if (round == 10)
            begin(&reader, TXN_READ_ONLY);
        CHECK(history_of(store) <= 3 * KEYS * one);
    }
    for (uint64_t i = 0; i < KEYS; i++)
        CHECK(read_key(&reader, i) == 10);
    txn_end(&reader.txn);
    leave_seat(&reader);
    leave_seat(&writer);
    store_release(store);
}

/* Past the limit the oldest snapshot is given up, by name, and nobody else. */
static void test_eviction(void)
{
    struct store *store = new_test_store((uint64_t)16 << 20, 4000);
    struct seat writer = take_seat(store), old = take_seat(store), young = take_seat(store);
    uint64_t content;
    for (uint64_t i = 0; i < 200; i++)
        set_alone(&writer, i, i);
    begin(&old, TXN_READ_ONLY);
    CHECK(read_key(&old, 1) == 1);
    for (uint64_t i = 0; i < 60; i++)
        set_alone(&writer, i, i + 1000);
    begin(&young, TXN_READ_ONLY);
    for (uint64_t i = 60; i < 200; i++)
        set_alone(&writer, i, i + 1000);
    for (uint64_t i = 0; get(&old, i % 200, &content) == STM_OK; i++) {
        CHECK(content == i % 200 && i < 10000);
        set_alone(&writer, i % 60, i);
    }
    CHECK(get(&old, 1, &content) == STM_TOO_OLD);
    txn_end(&old.txn);
    begin(&old, TXN_READ_ONLY);
    CHECK(get(&old, 1, &content) == STM_OK);
    txn_end(&old.txn);
    txn_end(&young.txn);
    leave_seat(&old);
    leave_seat(&young);
    leave_seat(&writer);
    store_release(store);
}

/* Keys that come and go for ever need the memory of those that are there at once. */
static void test_burial(void)
{
    enum { ALIVE = 50 };
    struct store *store = new_test_store((uint64_t)4 << 20, 1 << 20);
    struct seat seat = take_seat(store);
    uint64_t start = arena_used(store);
    for (uint64_t i = 0; i < (uint64_t)REPEAT(400000); i++) {
        set_alone(&seat, i, i);
        if (i >= ALIVE)
            set_alone(&seat, i - ALIVE, ABSENT);
    }
    CHECK(arena_used(store) < start + 100000);
    for (uint64_t i = (uint64_t)REPEAT(400000) - ALIVE; i < (uint64_t)REPEAT(400000); i++)
        set_alone(&seat, i, ABSENT);
    sweep_everything(&seat);
    CHECK(store->region->index.cells == 0 && store->region->left_over.count == 0);
    CHECK(load_relaxed(&store_variable(store, seat.variable)->first) == 0);
    CHECK(history_of(store) == 0);
    /* Insertions that take themselves back leave tombstones, which are swept as well. */
    for (uint64_t i = 0; i < (uint64_t)REPEAT(100000); i++) {
        begin(&seat, 0);
        CHECK(put(&seat, i, i) == STM_OK && del(&seat, i) == STM_OK && finish(&seat) == STM_OK);
    }
    CHECK(arena_used(store) < start + 100000);
    sweep_everything(&seat);
    leave_seat(&seat);
    CHECK(arena_used(store) == start);
    store_release(store);
}

/* A dead cell stays in memory while a transaction may still hold it. */
static void test_dead_cell_held(void)
{
    struct store *store = new_test_store((uint64_t)4 << 20, 1 << 20);
    struct seat seat = take_seat(store), other = take_seat(store);
    set_alone(&seat, 1, 10);
    set_alone(&seat, 1, ABSENT);
    begin(&other, 0);
    CHECK(read_key(&other, 1) == ABSENT && put(&other, 2, 1) == STM_OK);
    sweep_everything(&seat);
    CHECK(store->region->index.cells == 0);
    set_alone(&seat, 1, 11); /* a new cell: the other one has read an absence */
    CHECK(finish(&other) == STM_CONFLICT);
    begin(&other, 0);
    CHECK(put(&other, 1, 12) == STM_OK);
    set_alone(&seat, 1, ABSENT);
    sweep_everything(&seat);
    CHECK(finish(&other) == STM_CONFLICT);
    leave_seat(&other);
    leave_seat(&seat);
    store_release(store);
}

int main(void)
{
    test_begin();
    test_gaps();
    test_long_reader();
    test_bulk();
    test_eviction();
    test_burial();
    test_dead_cell_held();
    return 0;
}
