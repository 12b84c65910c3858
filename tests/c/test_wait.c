/* test_wait.c - waiters that outlive their transactions are marked before the commit can be
 * seen, and not without one.
 */
#include "core.h"
#include "wait.h"

#include <pthread.h>

#define KEYS 4u
#define WRITERS 2
#define OBSERVERS 2
#define BLOCKS REPEAT(60000)

static struct store *store;
static shared_u32 writers_left;

/* Increments keys at random. */
static void *write_blocks(void *argument)
{
    uint64_t state = test_seed + (uint64_t)(uintptr_t)argument;
    struct seat seat = take_seat(store);
    for (int i = 0; i < BLOCKS; i++) {
        uint64_t number = draw_below(&state, KEYS), content;
        enum stm_status status;
        do {
            begin(&seat, 0);
            status = get(&seat, number, &content);
            if (status == STM_OK)
                status = put(&seat, number, content + 1);
            if (status == STM_OK)
                status = commit_patiently(&seat.txn);
            txn_end(&seat.txn);
        } while (status == STM_CONFLICT);
        CHECK(status == STM_OK);
    }
    leave_seat(&seat);
    add_relaxed(&writers_left, (uint32_t)-1);
    return NULL;
}

static uint64_t look(struct seat *seat, uint64_t number)
{
    begin(seat, TXN_READ_ONLY);
    uint64_t content = read_key(seat, number);
    txn_end(&seat->txn);
    return content;
}

/* A waiter for one key of which `*content` was read; false if that has changed. */
static bool leave_waiter(struct seat *seat, struct slot *owner, uint64_t number,
                         uint64_t *content, region_ref *out)
{
    enum stm_status status;
    begin(seat, 0);
    CHECK(get(seat, number, content) == STM_OK);
    do
        status = wait_watch(&seat->txn, owner, NO_DEADLINE, out);
    while (status == STM_INTERRUPTED);
    txn_end(&seat->txn);
    CHECK(status == STM_OK || status == STM_CONFLICT);
    return status == STM_OK;
}

static void take_back(struct seat *seat, struct slot *owner, uint64_t number, uint64_t content,
                      region_ref waiter)
{
    CHECK(lock_patiently(store, seat->slot) == STM_OK);
    CHECK(wait_marked(store, waiter) == (look(seat, number) != content));
    wait_drop(store, owner, waiter);
    lock_release(store);
    wait_free_dropped(store, seat->slot, waiter);
}

/* Who sees a new value sees the mark; in the end the one is there exactly with the other. */
static void *observe(void *argument)
{
    uint64_t state = test_seed ^ (uint64_t)(uintptr_t)argument;
    struct seat seat = take_seat(store);
    struct slot *owner;
    CHECK(slot_claim(store, 0, &owner) == STM_OK);
    while (load_relaxed(&writers_left) > 0) {
        uint64_t number = draw_below(&state, KEYS), content;
        region_ref waiter;
        if (!leave_waiter(&seat, owner, number, &content, &waiter))
            continue;
        for (uint64_t looks = draw_below(&state, 100); looks > 0; looks--) {
            bool changed = look(&seat, number) != content;
            CHECK(!changed || wait_marked(store, waiter));
        }
        take_back(&seat, owner, number, content, waiter);
    }
    CHECK(load_relaxed(&owner->waits) == 0);
    slot_release(store, owner);
    leave_seat(&seat);
    return NULL;
}

static void test_threads(void)
{
    pthread_t threads[WRITERS + OBSERVERS];
    store = new_test_store((uint64_t)16 << 20, (uint64_t)1 << 20);
    struct seat seat = take_seat(store);
    for (uint64_t i = 0; i < KEYS; i++)
        set_alone(&seat, i, 0);
    put_relaxed(&writers_left, WRITERS);
    for (uintptr_t i = 0; i < WRITERS + OBSERVERS; i++)
        CHECK(pthread_create(&threads[i], NULL, i < WRITERS ? write_blocks : observe,
                             (void *)(i + 1)) == 0);
    for (int i = 0; i < WRITERS + OBSERVERS; i++)
        pthread_join(threads[i], NULL);
    CHECK(load_relaxed(&store->region->waiting) == 0);
    leave_seat(&seat);
    store_release(store);
}

/* A slot that is given up is taken back with all its waiters, by whoever looks for the dead. */
static void test_abandoned(void)
{
    store = new_test_store((uint64_t)4 << 20, (uint64_t)1 << 20);
    struct seat seat = take_seat(store);
    struct slot *owner;
    CHECK(slot_claim(store, 0, &owner) == STM_OK);
    for (uint64_t i = 0; i < 100; i++) {
        uint64_t content;
        region_ref waiter;
        CHECK(leave_waiter(&seat, owner, i % KEYS, &content, &waiter));
    }
    slot_abandon(owner);
    CHECK(slot_reap(store, NULL, false) == 0); /* needs the lock for the waiters */
    CHECK(lock_patiently(store, seat.slot) == STM_OK);
    CHECK(slot_reap(store, NULL, true) == 1);
    lock_release(store);
    CHECK(load_relaxed(&store->region->waiting) == 0);
    set_alone(&seat, 0, 1);
    leave_seat(&seat);
    store_release(store);
}

static void add(struct seat *seat, uint64_t number, int64_t n)
{
    struct key key = number_key(seat, &number);
    struct txn_value value;
    struct number more = {.integer = n};
    bool added;
    CHECK(txn_lookup(&seat->txn, &key, false, &value) == STM_OK);
    txn_read_done(&seat->txn);
    CHECK(txn_add(&seat->txn, value.entry, more, &added) == STM_OK && added);
}

static void add_alone(struct seat *seat, uint64_t number, int64_t n)
{
    begin(seat, 0);
    add(seat, number, n);
    CHECK(finish(seat) == STM_OK);
}

/* What was read as there, of a snapshot that was given up, and is gone with its cell: nobody
 * would wake who waits for it to go. */
static void test_gone_with_its_cell(void)
{
    store = new_test_store((uint64_t)4 << 20, (uint64_t)1 << 20);
    struct seat seat = take_seat(store), other = take_seat(store);
    region_ref waiter;
    begin(&other, 0);
    add(&other, 1, 5);
    add_alone(&seat, 1, 10);
    add_alone(&seat, 2, 20);
    read_key(&other, 2); /* moves the snapshot */
    read_key(&other, 1);
    set_alone(&seat, 1, ABSENT);
    evict_oldest(&seat);
    CHECK(wait_watch(&other.txn, other.slot, NO_DEADLINE, &waiter) == STM_CONFLICT);
    txn_end(&other.txn);
    leave_seat(&other);
    leave_seat(&seat);
    store_release(store);
}

int main(void)
{
    test_begin();
    test_abandoned();
    test_gone_with_its_cell();
    test_threads();
    return 0;
}
