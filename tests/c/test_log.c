/* test_log.c - followers of the log meet every commit once, in order, with its writes.
 */
#include "core.h"
#include "log.h"

#include <pthread.h>

#define KEYS 64u
#define WRITERS 2
#define BLOCKS REPEAT(20000)

static struct store *store;
static shared_u32 writers_left;

static struct follower *follow(struct seat *seat, enum log_kind kind)
{
    struct follower *follower;
    enum stm_status status;
    do
        status = log_follow(store, seat->slot, kind, NO_DEADLINE, &follower);
    while (status == STM_INTERRUPTED);
    CHECK(status == STM_OK);
    return follower;
}

static void unfollow(struct seat *seat, struct follower *follower)
{
    enum stm_status status;
    do
        status = log_unfollow(store, seat->slot, follower, NO_DEADLINE);
    while (status == STM_INTERRUPTED);
    CHECK(status == STM_OK);
}

/* What a follower knows: the values that the commits so far have left. */
struct replica {
    uint64_t ts;
    uint64_t contents[KEYS];
};

static void apply(struct replica *replica, const struct log_part *part)
{
    const struct log_write *write = log_first_write(part);
    for (uint32_t i = 0; i < part->count; i++, write = log_next_write(write)) {
        uint64_t number, content = ABSENT;
        CHECK(write->key_length == sizeof number);
        memcpy(&number, write->bytes, sizeof number);
        if (!(write->shape & VERSION_TOMBSTONE))
            memcpy(&content, write->bytes + sizeof number, sizeof content);
        replica->contents[number] = content;
    }
}

/* Reads what is there, up to `limit` parts; false when there is nothing. */
static bool read_some(struct seat *seat, struct follower *follower, struct replica *replica,
                      unsigned limit)
{
    const struct log_part *part, *last = NULL;
    if (log_read_begin(store, follower, &part) != STM_OK)
        return false;
    bool begins = true;
    for (; part != NULL && limit-- > 0; part = log_after(store, part)) {
        uint64_t ts = load_relaxed(&part->ts);
        CHECK(ts == replica->ts + begins);
        begins = !load_relaxed(&part->more);
        replica->ts = ts;
        apply(replica, part);
        last = part;
    }
    log_read_end(follower);
    if (last == NULL)
        return false;
    CHECK(begins);
    enum stm_status status;
    do
        status = log_pass(store, seat->slot, follower, last, NO_DEADLINE);
    while (status == STM_INTERRUPTED);
    CHECK(status == STM_OK || status == STM_TOO_OLD);
    return status == STM_OK;
}

/* Two keys whose sum stays 0, at random. */
static void *write_blocks(void *argument)
{
    uint64_t state = test_seed + (uint64_t)(uintptr_t)argument;
    struct seat seat = take_seat(store);
    for (int i = 0; i < BLOCKS; i++) {
        uint64_t a = draw_below(&state, KEYS), b = draw_below(&state, KEYS), x, y;
        enum stm_status status;
        do {
            begin(&seat, 0);
            status = get(&seat, a, &x);
            if (status == STM_OK)
                status = get(&seat, b, &y);
            if (status == STM_OK && a != b)
                status = put(&seat, a, x - 1);
            if (status == STM_OK && a != b)
                status = put(&seat, b, y + 1);
            if (status == STM_OK)
                status = commit_patiently(&seat.txn);
            txn_end(&seat.txn);
        } while (status == STM_CONFLICT);
        CHECK(status == STM_OK);
    }
    leave_seat(&seat);
    add_relaxed(&writers_left, (uint32_t)-1); /* after the lock's release: in order */
    return NULL;
}

static void check_replica(struct seat *seat, const struct replica *replica)
{
    begin(seat, TXN_READ_ONLY);
    CHECK(seat->txn.snapshot == replica->ts);
    for (uint64_t i = 0; i < KEYS; i++)
        CHECK(read_key(seat, i) == replica->contents[i]);
    txn_end(&seat->txn);
}

/* The keeper ends with a copy of the store; sums are 0 after every group it reads. */
static void *keep(void *argument)
{
    struct seat seat = take_seat(store);
    struct follower *follower = argument;
    struct replica replica = {.ts = follower->passed};
    for (;;) {
        /* Acquire: their last commits come before.  Pairs with the end of write_blocks. */
        bool last = load_acquire(&writers_left) == 0;
        if (read_some(&seat, follower, &replica, UINT32_MAX)) {
            uint64_t sum = 0;
            for (unsigned i = 0; i < KEYS; i++)
                sum += replica.contents[i];
            CHECK(sum == 0);
        } else if (last) {
            break;
        } else {
            log_sleep(store, seat.slot, follower, platform_now_ns() + 1000000);
        }
    }
    check_replica(&seat, &replica);
    unfollow(&seat, follower);
    leave_seat(&seat);
    return NULL;
}

/* With little room, so that writers wait for the keeper all the time. */
static void test_threads(uint64_t history_bytes)
{
    pthread_t threads[WRITERS + 1];
    store = new_test_store((uint64_t)32 << 20, history_bytes);
    struct seat seat = take_seat(store);
    struct follower *keeper = follow(&seat, LOG_KEEPER), *watcher = follow(&seat, LOG_WATCH);
    for (uint64_t i = 0; i < KEYS; i++)
        set_alone(&seat, i, 0);
    put_release(&writers_left, WRITERS); /* Pairs with keep. */
    CHECK(pthread_create(&threads[0], NULL, keep, keeper) == 0);
    for (uintptr_t i = 1; i <= WRITERS; i++)
        CHECK(pthread_create(&threads[i], NULL, write_blocks, (void *)i) == 0);
    struct replica replica = {.ts = watcher->passed};
    while (load_acquire(&writers_left) != 0 && !load_acquire(&watcher->lost))
        read_some(&seat, watcher, &replica, UINT32_MAX);
    for (int i = 0; i <= WRITERS; i++)
        pthread_join(threads[i], NULL);
    while (read_some(&seat, watcher, &replica, 7))
        ;
    if (!load_acquire(&watcher->lost))
        check_replica(&seat, &replica);
    unfollow(&seat, watcher);
    CHECK(load_relaxed(&store->region->log.first) == 0);
    CHECK(!log_followed(store) && !log_crowded(store));
    leave_seat(&seat);
    store_release(store);
}

/* A block larger than a part is read as one commit; one that nobody follows leaves nothing. */
static void test_large(void)
{
    store = new_test_store((uint64_t)64 << 20, (uint64_t)32 << 20);
    struct seat seat = take_seat(store);
    static uint8_t large[3 << 20];
    struct follower *follower = follow(&seat, LOG_KEEPER);
    begin(&seat, 0);
    for (uint64_t i = 0; i < 5; i++) {
        struct key key = number_key(&seat, &i);
        struct txn_value value;
        CHECK(txn_lookup(&seat.txn, &key, false, &value) == STM_OK);
        txn_read_done(&seat.txn);
        memset(large, (int)i + 1, sizeof large);
        CHECK(txn_put(&seat.txn, value.entry, large, i % 2 ? sizeof large : 9, 0) == STM_OK);
    }
    CHECK(finish(&seat) == STM_OK);
    const struct log_part *part;
    unsigned writes = 0, parts = 0;
    CHECK(log_read_begin(store, follower, &part) == STM_OK);
    for (; part != NULL; part = log_after(store, part), parts++) {
        const struct log_write *write = log_first_write(part);
        CHECK((load_relaxed(&part->more) != 0) == (log_after(store, part) != NULL));
        for (uint32_t i = 0; i < part->count; i++, write = log_next_write(write), writes++) {
            CHECK(log_value_length(write) == (writes % 2 ? sizeof large : 9));
            CHECK(write->bytes[write->key_length] == writes + 1);
            CHECK(write->bytes[write->key_length + log_value_length(write) - 1] == writes + 1);
        }
    }
    log_read_end(follower);
    CHECK(writes == 5 && parts > 1);
    unfollow(&seat, follower);
    uint64_t used = arena_used(store);
    set_alone(&seat, 9, 1);
    set_alone(&seat, 9, ABSENT);
    sweep_everything(&seat);
    CHECK(load_relaxed(&store->region->log.first) == 0 && arena_used(store) <= used);
    leave_seat(&seat);
    store_release(store);
}

/* A watcher that does not read is given up, and told so; a second keeper is refused. */
static void test_given_up(void)
{
    store = new_test_store((uint64_t)4 << 20, 4096);
    struct seat seat = take_seat(store);
    struct follower *watcher = follow(&seat, LOG_WATCH), *keeper = follow(&seat, LOG_KEEPER), *no;
    CHECK(log_follow(store, seat.slot, LOG_KEEPER, NO_DEADLINE, &no) == STM_NO_SLOT);
    struct replica replica = {.ts = keeper->passed};
    for (uint64_t i = 0; i < 100; i++) {
        set_alone(&seat, 1, i);
        CHECK(read_some(&seat, keeper, &replica, UINT32_MAX));
    }
    const struct log_part *part;
    CHECK(log_read_begin(store, watcher, &part) == STM_TOO_OLD);
    unfollow(&seat, watcher);
    unfollow(&seat, keeper);
    CHECK(load_relaxed(&store->region->log.first) == 0);
    leave_seat(&seat);
    store_release(store);
}

/* Who follows a store that is closed does not sleep on, nor fall asleep. */
static void test_closed(void)
{
    store = new_test_store((uint64_t)4 << 20, 4096);
    struct seat seat = take_seat(store);
    struct follower *watcher = follow(&seat, LOG_WATCH), *keeper = follow(&seat, LOG_KEEPER);
    CHECK(load_acquire(&watcher->wake) == 0 && load_acquire(&keeper->wake) == 0);
    store_close(store);
    CHECK(load_acquire(&watcher->wake) != 0 && load_acquire(&keeper->wake) != 0);
    CHECK(log_sleep(store, seat.slot, keeper, NO_DEADLINE) == STM_OK);
    unfollow(&seat, watcher);
    unfollow(&seat, keeper);
    leave_seat(&seat);
    store_release(store);
}

int main(void)
{
    test_begin();
    test_large();
    test_given_up();
    test_closed();
    test_threads((uint64_t)16 << 20);
    test_threads(8192);
    return 0;
}
