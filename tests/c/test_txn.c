/* test_txn.c - what one transaction sees and does, next to another one step by step. */
#include "core.h"

static struct store *store;
static struct seat a, b;

static void open_seats(void)
{
    store = new_test_store((uint64_t)16 << 20, 1 << 20);
    a = take_seat(store);
    b = take_seat(store);
}

static void close_seats(void)
{
    leave_seat(&a);
    leave_seat(&b);
    store_release(store);
}

static uint64_t now_at(uint64_t number)
{
    begin(&b, TXN_READ_ONLY);
    uint64_t content = read_key(&b, number);
    txn_end(&b.txn);
    return content;
}

static void test_own_writes(void)
{
    begin(&a, 0);
    CHECK(read_key(&a, 1) == ABSENT && size_of(&a) == 0);
    CHECK(put(&a, 1, 10) == STM_OK && read_key(&a, 1) == 10 && size_of(&a) == 1);
    CHECK(put(&a, 1, 11) == STM_OK && read_key(&a, 1) == 11 && size_of(&a) == 1);
    CHECK(now_at(1) == ABSENT);
    CHECK(del(&a, 1) == STM_OK && read_key(&a, 1) == ABSENT && size_of(&a) == 0);
    CHECK(put(&a, 1, 12) == STM_OK && read_key(&a, 1) == 12);
    CHECK(finish(&a) == STM_OK && a.txn.committed == 2);
    CHECK(now_at(1) == 12);
    begin(&a, 0);
    CHECK(del(&a, 1) == STM_OK && put(&a, 2, 20) == STM_OK && size_of(&a) == 1);
    txn_end(&a.txn);
    CHECK(now_at(1) == 12 && now_at(2) == ABSENT);
    set_alone(&a, 1, ABSENT);
    CHECK(now_at(1) == ABSENT);
    set_alone(&a, 1, 13); /* onto the tombstone */
    CHECK(now_at(1) == 13);
    /* Inserted and deleted by one transaction: nothing stays of it. */
    begin(&a, 0);
    CHECK(put(&a, 3, 1) == STM_OK && del(&a, 3) == STM_OK && finish(&a) == STM_OK);
    CHECK(now_at(3) == ABSENT);
}

static void test_conflicts(void)
{
    set_alone(&a, 1, 10);
    begin(&a, 0);
    CHECK(read_key(&a, 1) == 10);
    set_alone(&b, 1, 20);
    CHECK(read_key(&a, 1) == 10); /* one snapshot, whatever happens */
    CHECK(put(&a, 2, 1) == STM_OK || a.txn.conflict.reason == CONFLICT_EARLY);
    CHECK(txn_commit(&a.txn, true, NO_DEADLINE) == STM_CONFLICT);
    CHECK(a.txn.conflict.reason == CONFLICT_READ && a.txn.conflict.entry == 0);
    txn_end(&a.txn);
    /* Writing without reading conflicts with nobody who only changes values. */
    begin(&a, 0);
    CHECK(put(&a, 1, 30) == STM_OK);
    set_alone(&b, 1, 25);
    CHECK(finish(&a) == STM_OK && now_at(1) == 30);
    /* Absence is read too. */
    begin(&a, 0);
    CHECK(read_key(&a, 77) == ABSENT && put(&a, 1, 31) == STM_OK);
    set_alone(&b, 77, 1);
    CHECK(finish(&a) == STM_CONFLICT);
    /* An insertion of the same key by two: the second runs again. */
    begin(&a, 0);
    CHECK(put(&a, 78, 1) == STM_OK);
    set_alone(&b, 78, 2);
    CHECK(finish(&a) == STM_CONFLICT && now_at(78) == 2);
    /* A block that only read commits on its snapshot. */
    begin(&a, 0);
    CHECK(read_key(&a, 1) == 30);
    set_alone(&b, 1, 40);
    set_alone(&b, 2, 41);
    CHECK(read_key(&a, 2) != 41 && finish(&a) == STM_OK);
}

static void test_same_value(void)
{
    set_alone(&a, 1, 10);
    uint64_t clock = load_relaxed(&store->region->clock);
    set_alone(&a, 1, 10);
    CHECK(load_relaxed(&store->region->clock) == clock);
    begin(&a, 0);
    CHECK(put(&a, 1, 10) == STM_OK && put(&a, 2, clock) == STM_OK); /* the first is a read */
    set_alone(&b, 1, 11);
    CHECK(finish(&a) == STM_CONFLICT && now_at(1) == 11);
}

static void test_extension(void)
{
    set_alone(&a, 1, 10);
    set_alone(&a, 2, 10);
    begin(&a, 0);
    CHECK(put(&a, 3, 1) == STM_OK && read_key(&a, 1) == 10);
    set_alone(&b, 2, 20);
    CHECK(read_key(&a, 2) == 20); /* what was read is unchanged: the snapshot moves */
    CHECK(finish(&a) == STM_OK && now_at(3) == 1);
    begin(&a, 0);
    CHECK(put(&a, 3, 2) == STM_OK && read_key(&a, 1) == 10);
    set_alone(&b, 1, 30);
    set_alone(&b, 2, 30);
    uint64_t none;
    CHECK(get(&a, 2, &none) == STM_CONFLICT && a.txn.conflict.reason == CONFLICT_EARLY);
    txn_end(&a.txn);
    /* A key that was looked up and not read is looked up again at the new snapshot. */
    begin(&a, 0);
    struct txn_savepoint savepoint = txn_save(&a.txn);
    CHECK(put(&a, 1, 99) == STM_OK);
    txn_rollback(&a.txn, savepoint);
    CHECK(put(&a, 3, 3) == STM_OK);
    set_alone(&b, 1, 50);
    set_alone(&b, 2, 50);
    CHECK(read_key(&a, 2) == 50 && read_key(&a, 1) == 50);
    CHECK(finish(&a) == STM_OK);
    /* Writing what was there at the snapshot and is not any more is no write left out. */
    begin(&a, 0);
    CHECK(read_key(&a, 7) == ABSENT);
    set_alone(&b, 1, 60);
    CHECK(put(&a, 1, 50) == STM_OK && put(&a, 3, 4) == STM_CONFLICT);
    txn_end(&a.txn);
}

/* A deletion that has to move the snapshot finds that another one was faster. */
static void test_delete_after_delete(void)
{
    set_alone(&a, 1, 10);
    begin(&a, 0);
    CHECK(read_key(&a, 2) == ABSENT);
    set_alone(&b, 1, 20);
    set_alone(&b, 1, ABSENT);
    CHECK(del(&a, 1) == STM_OK);
    CHECK(load_relaxed(&a.slot->pending_count) == 0);
    CHECK(read_key(&a, 1) == ABSENT);
    uint64_t clock = load_relaxed(&store->region->clock);
    CHECK(finish(&a) == STM_OK && load_relaxed(&store->region->clock) == clock);
}

/* A write to a key that was absent at first, there when the snapshot moved, and is gone with its
 * cell since that was given up: the number of keys changes by what is so now. */
static void test_put_after_burial(void)
{
    set_alone(&a, 1, 10);
    begin(&a, 0);
    CHECK(put(&a, 2, 5) == STM_OK);
    set_alone(&b, 2, 20);
    set_alone(&b, 1, 11);
    CHECK(read_key(&a, 1) == 11); /* has moved the snapshot */
    set_alone(&b, 2, ABSENT);
    evict_oldest(&b);
    CHECK(finish(&a) == STM_CONFLICT);
    set_alone(&a, 2, 5);
    begin(&b, 0);
    CHECK(size_of(&b) == 2);
    txn_end(&b.txn);
}

static void test_snapshot_isolation(void)
{
    set_alone(&a, 1, 10);
    set_alone(&a, 2, 10);
    begin(&a, TXN_SNAPSHOT);
    begin(&b, TXN_SNAPSHOT);
    CHECK(read_key(&a, 1) == 10 && read_key(&b, 2) == 10);
    CHECK(put(&a, 2, 11) == STM_OK && put(&b, 1, 11) == STM_OK);
    CHECK(finish(&a) == STM_OK && finish(&b) == STM_OK); /* write skew is let through */
    begin(&a, TXN_SNAPSHOT);
    CHECK(read_key(&a, 1) == 11 && put(&a, 1, 12) == STM_OK);
    set_alone(&b, 1, 13);
    CHECK(finish(&a) == STM_CONFLICT && a.txn.conflict.reason == CONFLICT_WRITE);
    CHECK(now_at(1) == 13); /* no update is lost */
}

static void test_serial(void)
{
    set_alone(&a, 1, 10);
    begin(&a, TXN_SERIAL);
    CHECK(read_key(&a, 1) == 10 && lock_owned_by(store, a.slot));
    begin(&b, 0);
    CHECK(put(&b, 1, 11) == STM_OK);
    CHECK(txn_commit(&b.txn, false, 0) == STM_BUSY);
    CHECK(txn_commit(&b.txn, true, platform_now_ns() + 1000000) == STM_TIMED_OUT);
    CHECK(put(&a, 1, 12) == STM_OK && finish(&a) == STM_OK);
    CHECK(!lock_owned_by(store, a.slot));
    CHECK(finish(&b) == STM_OK && now_at(1) == 11);
    begin(&a, TXN_SERIAL);
    txn_end(&a.txn); /* gives the lock back without a commit */
    CHECK(!lock_owned_by(store, a.slot));
}

/* ---- whole variables ------------------------------------------------------------------ */

struct collected {
    uint64_t count, keys[32], contents[32];
};

static bool collect(void *context, const uint8_t *key, uint32_t length,
                    const struct version *version)
{
    struct collected *all = context;
    CHECK(length == 8 && all->count < 32);
    memcpy(&all->keys[all->count], key, 8);
    memcpy(&all->contents[all->count++], version->payload, 8);
    return true;
}

static struct collected walk(struct seat *seat, bool values)
{
    struct collected all = {0};
    CHECK(txn_walk(&seat->txn, seat->variable, values, collect, &all) == STM_OK);
    return all;
}

static void test_walk(void)
{
    for (uint64_t i = 1; i <= 4; i++)
        set_alone(&a, i, i * 10);
    set_alone(&a, 2, ABSENT);
    begin(&a, 0);
    CHECK(put(&a, 9, 90) == STM_OK && put(&a, 3, 31) == STM_OK && del(&a, 4) == STM_OK);
    set_alone(&b, 1, 11); /* newer than the snapshot */
    struct collected all = walk(&a, true);
    CHECK(all.count == 3 && size_of(&a) == 3);
    CHECK(all.keys[0] == 1 && all.contents[0] == 10);
    CHECK(all.keys[1] == 3 && all.contents[1] == 31);
    CHECK(all.keys[2] == 9 && all.contents[2] == 90);
    CHECK(finish(&a) == STM_CONFLICT); /* a value that was walked over has changed */
    /* Keys alone: values may change, keys may not come or go. */
    begin(&a, 0);
    CHECK(walk(&a, false).count == 3 && put(&a, 50, 1) == STM_OK);
    set_alone(&b, 1, 12);
    CHECK(finish(&a) == STM_OK);
    begin(&a, 0);
    CHECK(size_of(&a) == 4 && put(&a, 1, 1) == STM_OK);
    set_alone(&b, 60, 1);
    CHECK(finish(&a) == STM_CONFLICT && a.txn.conflict.reason == CONFLICT_STRUCTURE);
    /* Insertions of different keys do not conflict; the count is right after both. */
    begin(&a, 0);
    CHECK(put(&a, 61, 1) == STM_OK);
    set_alone(&b, 62, 1);
    CHECK(finish(&a) == STM_OK);
    begin(&a, TXN_READ_ONLY);
    CHECK(size_of(&a) == 7 && walk(&a, true).count == 7);
    txn_end(&a.txn);
}

/* After a full store, or a lock that was held, the commit may be tried again. */
static void test_commit_again(void)
{
    begin(&a, 0);
    CHECK(put(&a, 1, 1) == STM_OK && put(&a, 2, 1) == STM_OK);
    CHECK(lock_acquire(store, b.slot, NO_DEADLINE) == STM_OK);
    CHECK(txn_commit(&a.txn, false, 0) == STM_BUSY);
    CHECK(txn_commit(&a.txn, false, 0) == STM_BUSY);
    lock_release(store);
    CHECK(finish(&a) == STM_OK);
    begin(&a, TXN_READ_ONLY);
    CHECK(size_of(&a) == 2);
    txn_end(&a.txn);
}

static void test_large_sets(void)
{
    enum { MANY = 5000 };
    begin(&a, 0);
    for (uint64_t i = 0; i < MANY; i++)
        CHECK(put(&a, i, i) == STM_OK);
    for (uint64_t i = 0; i < MANY; i++)
        CHECK(read_key(&a, i) == i);
    CHECK(finish(&a) == STM_OK);
    begin(&a, 0);
    for (uint64_t i = 0; i < MANY; i++)
        CHECK(read_key(&a, i) == i);
    CHECK(put(&a, MANY, 1) == STM_OK);
    set_alone(&b, MANY + 1, 1);
    CHECK(finish(&a) == STM_OK);
    begin(&a, 0);
    for (uint64_t i = 0; i < MANY; i++)
        CHECK(read_key(&a, i) == i);
    CHECK(put(&a, MANY, 2) == STM_OK);
    set_alone(&b, MANY / 2, 1);
    CHECK(finish(&a) == STM_CONFLICT);
}

/* Which cells were committed is written down from the first check outside the lock on. */
static void test_recent_is_asked_for(void)
{
    enum { MANY = 20, OTHER = 100 };
    struct region *region = store->region;
    set_alone(&b, OTHER, 1);
    CHECK(load_relaxed(&region->recent_blank) == load_relaxed(&region->recent_count));
    begin(&a, 0);
    for (uint64_t i = 0; i < MANY; i++)
        CHECK(read_key(&a, i) == ABSENT);
    CHECK(put(&a, OTHER, 2) == STM_OK);
    set_alone(&b, OTHER, 3);
    uint64_t count = load_relaxed(&region->recent_count);
    CHECK(finish(&a) == STM_OK);
    set_alone(&b, OTHER, 4);
    CHECK(load_relaxed(&region->recent_blank) == count);
    CHECK(load_relaxed(&region->recent_count) == count + 2);
    for (uint64_t i = 0; i < RECENT_CELLS; i++)
        set_alone(&b, OTHER, i);
    CHECK(load_relaxed(&region->recent_blank) == load_relaxed(&region->recent_count));
}

/* Blocks of many sizes in turn: what a table was left with would turn up in the next one. */
static void test_tables_are_cleared(void)
{
    static const uint64_t sizes[] = {1000, 17, 40, 130, 16, 2000, 100, 3, 60};
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        begin(&a, 0);
        for (uint64_t key = 0; key < sizes[i]; key++)
            CHECK(read_key(&a, 100000 * (i % 2) + key) == ABSENT);
        CHECK(a.txn.count == sizes[i]);
        for (uint64_t key = 0; key < sizes[i]; key++)
            CHECK(read_key(&a, 100000 * (i % 2) + key) == ABSENT);
        CHECK(a.txn.count == sizes[i]); /* each was found again */
        txn_end(&a.txn);
        for (uint32_t at = 0; at < a.txn.table_size; at++)
            CHECK(a.txn.table[at] == 0);
    }
}

/* One value of the limit is too much for 64 MiB in all; the transaction goes on. */
static void test_limit(void)
{
    size_t bytes = (size_t)16 << 20;
    uint8_t *content = calloc(1, bytes);
    struct store *large = new_test_store((uint64_t)1 << 30, 1 << 20);
    struct seat seat = take_seat(large);
    CHECK(content != NULL);
    begin(&seat, 0);
    for (uint64_t i = 0; i < 5; i++) {
        struct key key = number_key(&seat, &i);
        struct txn_value value;
        CHECK(txn_lookup(&seat.txn, &key, false, &value) == STM_OK);
        txn_read_done(&seat.txn);
        CHECK(txn_put(&seat.txn, value.entry, content, bytes, 0) ==
              (i < 4 ? STM_OK : STM_TOO_LARGE));
    }
    CHECK(finish(&seat) == STM_OK);
    begin(&seat, TXN_READ_ONLY);
    CHECK(size_of(&seat) == 4);
    txn_end(&seat.txn);
    /* What is written over or undone does not count. */
    begin(&seat, 0);
    for (uint64_t i = 0; i < 10; i++) {
        uint64_t number = i % 2;
        struct key key = number_key(&seat, &number);
        struct txn_value value;
        struct txn_savepoint savepoint = {0};
        if (i >= 5)
            savepoint = txn_save(&seat.txn);
        content[0] = (uint8_t)i + 1;
        CHECK(txn_lookup(&seat.txn, &key, false, &value) == STM_OK);
        txn_read_done(&seat.txn);
        CHECK(txn_put(&seat.txn, value.entry, content, bytes, 0) == STM_OK);
        if (i >= 5)
            txn_rollback(&seat.txn, savepoint);
    }
    txn_end(&seat.txn);
    leave_seat(&seat);
    store_release(large);
    free(content);
}

int main(void)
{
    static void (*const tests[])(void) = {
        test_own_writes, test_conflicts, test_same_value,   test_extension,  test_snapshot_isolation,
        test_serial,     test_walk,      test_commit_again, test_large_sets,
        test_delete_after_delete, test_put_after_burial, test_recent_is_asked_for,
        test_tables_are_cleared,
    };
    test_begin();
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        open_seats();
        tests[i]();
        close_seats();
    }
    test_limit();
    return 0;
}
