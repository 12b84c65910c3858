/* core.h - what the C tests of the core share: checks, seeds, a seat at a store.
 *
 * Keys and values are numbers here: eight bytes each, which the core takes as they are.
 */
#ifndef TEST_CORE_H
#define TEST_CORE_H

#include "history.h"
#include "lock.h"
#include "stats.h"
#include "txn.h"
#include "variable.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Commits as a program does that looks at signals now and then: it calls again. */
static inline enum stm_status commit_patiently(struct txn *txn)
{
    enum stm_status status;
    do
        status = txn_commit(txn, true, NO_DEADLINE);
    while (status == STM_INTERRUPTED);
    return status;
}

static inline enum stm_status lock_patiently(struct store *store, struct slot *slot)
{
    enum stm_status status;
    do
        status = lock_acquire(store, slot, NO_DEADLINE);
    while (status == STM_INTERRUPTED);
    return status;
}

/* Sanitizers make everything slow: tests that repeat do it less often under them. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define REPEAT(n) ((n) / 20)
#else
#define REPEAT(n) (n)
#endif

static uint64_t test_seed;

#define CHECK(condition)                                                                     \
    do {                                                                                     \
        if (!(condition)) {                                                                  \
            fprintf(stderr, "%s:%d: %s: not true: %s (STMPY_SEED=%llu)\n", __FILE__, __LINE__, \
                    __func__, #condition, (unsigned long long)test_seed);                    \
            abort();                                                                         \
        }                                                                                    \
    } while (0)

/* The seed of this run: a new one each time, or STMPY_SEED. */
static inline void test_begin(void)
{
    const char *given = getenv("STMPY_SEED");
    test_seed = given != NULL ? strtoull(given, NULL, 10) : platform_now_ns() % 1000000007u;
}

/* Steele, Lea and Flood's SplitMix64. */
static inline uint64_t draw(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static inline uint64_t draw_below(uint64_t *state, uint64_t bound)
{
    return draw(state) % bound;
}

static inline struct store *new_test_store(uint64_t max_bytes, uint64_t history_bytes)
{
    struct store *store;
    CHECK(store_open("", max_bytes, history_bytes, &store) == STM_OK);
    return store;
}

/* One thread's place at a store, with a variable that all seats share. */
struct seat {
    struct store *store; /* Borrowed */
    struct slot *slot;   /* Owned */
    region_ref variable;
    struct txn txn;      /* Owned */
};

static inline struct seat take_seat(struct store *store)
{
    struct seat seat = {.store = store};
    CHECK(slot_claim(store, 0, &seat.slot) == STM_OK);
    CHECK(variable_open(store, seat.slot, "x", 1, 0, true, &seat.variable) == STM_OK);
    return seat;
}

static inline void leave_seat(struct seat *seat)
{
    txn_free(&seat->txn);
    slot_release(seat->store, seat->slot);
}

static inline uint32_t count_claimed(const struct store *store)
{
    uint32_t claimed = 0;
    for (uint32_t i = 0; i < load_relaxed(&store->region->slots_used); i++)
        claimed += load_relaxed(&store_slots(store)[i].owner) != 0;
    return claimed;
}

static inline void begin(struct seat *seat, uint32_t flags)
{
    enum stm_status status = STM_OK;
    if (flags & TXN_SERIAL) {
        do
            status = lock_acquire_urgently(seat->store, seat->slot, NO_DEADLINE);
        while (status == STM_INTERRUPTED); /* it looked for a dead owner */
    }
    CHECK(status == STM_OK);
    txn_begin(&seat->txn, seat->store, seat->slot, flags);
}

/* Commits and ends the transaction. */
static inline enum stm_status finish(struct seat *seat)
{
    enum stm_status status = commit_patiently(&seat->txn);
    txn_end(&seat->txn);
    return status;
}

static inline struct key number_key(const struct seat *seat, const uint64_t *number)
{
    return index_key(seat->store, seat->variable, (const uint8_t *)number, sizeof *number);
}

#define ABSENT UINT64_MAX

/* Reads a key: its value or ABSENT. */
static inline enum stm_status get(struct seat *seat, uint64_t number, uint64_t *out)
{
    struct key key = number_key(seat, &number);
    struct txn_value value;
    enum stm_status status = txn_lookup(&seat->txn, &key, true, &value);
    if (status != STM_OK)
        return status;
    *out = ABSENT;
    if (value.version != NULL)
        memcpy(out, value.version->payload, sizeof *out);
    txn_read_done(&seat->txn);
    return STM_OK;
}

/* Writes without reading. */
static inline enum stm_status put(struct seat *seat, uint64_t number, uint64_t content)
{
    struct key key = number_key(seat, &number);
    struct txn_value value;
    enum stm_status status = txn_lookup(&seat->txn, &key, false, &value);
    if (status != STM_OK)
        return status;
    txn_read_done(&seat->txn);
    return txn_put(&seat->txn, value.entry, (const uint8_t *)&content, sizeof content, 0);
}

static inline enum stm_status del(struct seat *seat, uint64_t number)
{
    struct key key = number_key(seat, &number);
    struct txn_value value;
    enum stm_status status = txn_lookup(&seat->txn, &key, false, &value);
    if (status != STM_OK)
        return status;
    txn_read_done(&seat->txn);
    return txn_delete(&seat->txn, value.entry);
}

/* The value a transaction must be able to read. */
static inline uint64_t read_key(struct seat *seat, uint64_t number)
{
    uint64_t content;
    CHECK(get(seat, number, &content) == STM_OK);
    return content;
}

static inline uint64_t size_of(struct seat *seat)
{
    uint64_t count;
    CHECK(txn_size(&seat->txn, seat->variable, &count) == STM_OK);
    return count;
}

/* One write in a transaction of its own; ABSENT deletes. */
static inline void set_alone(struct seat *seat, uint64_t number, uint64_t content)
{
    enum stm_status status;
    do {
        begin(seat, 0);
        status = content == ABSENT ? del(seat, number) : put(seat, number, content);
        if (status == STM_OK)
            status = commit_patiently(&seat->txn);
        txn_end(&seat->txn);
    } while (status == STM_CONFLICT);
    CHECK(status == STM_OK);
}

/* Gives the oldest snapshot up, and prunes what nobody else needs. */
static inline void evict_oldest(struct seat *seat)
{
    CHECK(lock_patiently(seat->store, seat->slot) == STM_OK);
    history_sweep_all(seat->store, seat->slot, true);
    lock_release(seat->store);
}

/* Prunes all that can be pruned, and empties limbo as far as possible. */
static inline void sweep_everything(struct seat *seat)
{
    CHECK(lock_patiently(seat->store, seat->slot) == STM_OK);
    for (int round = 0; round < 3; round++)
        history_sweep_all(seat->store, seat->slot, false);
    lock_release(seat->store);
}

#endif
