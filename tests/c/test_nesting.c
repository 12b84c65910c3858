/* test_nesting.c - random writes and savepoints, against a table that is copied. */
#include "core.h"

#define KEYS 12
#define DEPTH 5
#define BLOCKS REPEAT(20000)

/* What the transaction should see, one copy per level. */
static uint64_t expected[DEPTH + 1][KEYS];

static uint64_t live(const uint64_t *table)
{
    uint64_t count = 0;
    for (int i = 0; i < KEYS; i++)
        count += table[i] != ABSENT;
    return count;
}

static void check_all(struct seat *seat, const uint64_t *table)
{
    for (uint64_t i = 0; i < KEYS; i++)
        CHECK(read_key(seat, i) == table[i]);
    CHECK(size_of(seat) == live(table));
}

static void step(struct seat *seat, uint64_t *state, unsigned depth)
{
    uint64_t number = draw_below(state, KEYS), content = draw_below(state, 5);
    uint64_t *table = expected[depth];
    switch (draw_below(state, 4)) {
    case 0:
        CHECK(del(seat, number) == STM_OK);
        table[number] = ABSENT;
        break;
    case 1:
        CHECK(read_key(seat, number) == table[number]);
        break;
    default:
        CHECK(put(seat, number, content) == STM_OK);
        table[number] = content;
    }
}

static void run_level(struct seat *seat, uint64_t *state, unsigned depth)
{
    for (uint64_t i = draw_below(state, 6); i > 0; i--) {
        step(seat, state, depth);
        if (depth == DEPTH || draw_below(state, 3) > 0)
            continue;
        struct txn_savepoint savepoint = txn_save(&seat->txn);
        memcpy(expected[depth + 1], expected[depth], sizeof expected[depth]);
        run_level(seat, state, depth + 1);
        if (draw_below(state, 2)) {
            txn_rollback(&seat->txn, savepoint);
        } else {
            txn_merge(&seat->txn, savepoint);
            memcpy(expected[depth], expected[depth + 1], sizeof expected[depth]);
        }
        if (draw_below(state, 4) == 0)
            check_all(seat, expected[depth]);
    }
}

int main(void)
{
    test_begin();
    uint64_t state = test_seed, committed[KEYS];
    struct store *store = new_test_store((uint64_t)4 << 20, 1 << 18);
    struct seat seat = take_seat(store);
    uint64_t start = arena_used(store);
    for (int i = 0; i < KEYS; i++)
        committed[i] = ABSENT;
    for (int i = 0; i < BLOCKS; i++) {
        begin(&seat, draw_below(&state, 8) ? 0 : TXN_SERIAL);
        memcpy(expected[0], committed, sizeof committed);
        run_level(&seat, &state, 0);
        if (draw_below(&state, 3)) {
            CHECK(finish(&seat) == STM_OK);
            memcpy(committed, expected[0], sizeof committed);
        } else {
            txn_end(&seat.txn);
        }
        begin(&seat, TXN_READ_ONLY);
        check_all(&seat, committed);
        txn_end(&seat.txn);
    }
    for (uint64_t i = 0; i < KEYS; i++)
        set_alone(&seat, i, ABSENT);
    sweep_everything(&seat);
    uint64_t pending = arena_rounded(seat.slot->pending_room * sizeof(struct pending));
    CHECK(arena_used(store) == start + pending);
    leave_seat(&seat);
    CHECK(arena_used(store) == start);
    store_release(store);
    return 0;
}
