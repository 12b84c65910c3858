/* test_stats.c - every counter counts what it says, and the hottest keys are found. */
#include "core.h"

static struct store *store;
static struct seat a, b;

static struct stats_sum sum(void)
{
    struct stats_sum all;
    stats_add_up(store, &all);
    return all;
}

static void test_counters(void)
{
    struct stats_sum before = sum();
    CHECK(before.threads == 2 && before.clock == 1 && before.oldest_snapshot == 1);
    for (uint64_t i = 0; i < 5; i++)
        set_alone(&a, i, i);
    begin(&a, TXN_READ_ONLY);
    CHECK(sum().oldest_snapshot == 6);
    set_alone(&b, 1, 100);
    CHECK(sum().oldest_snapshot == 6 && sum().clock == 7 && sum().history_bytes > 0);
    CHECK(finish(&a) == STM_OK);
    begin(&a, 0);
    for (uint64_t i = 0; i < 3; i++)
        CHECK(put(&a, i, 1000 + i) == STM_OK);
    CHECK(finish(&a) == STM_OK);
    stats_count_attempts(a.slot, 1);
    stats_count_attempts(a.slot, 5);
    struct stats_sum after = sum();
    CHECK(after.commits == 7 && after.read_only_commits == 1 && after.aborts == 0);
    CHECK(after.write_set[0] == 1 && after.write_set[2] == 6 && after.write_set[1] == 1 - 1 + 1);
    CHECK(after.attempts[1] == 1 && after.attempts[3] == 1);
    CHECK(after.oldest_snapshot == after.clock && after.used_bytes == arena_used(store));
    CHECK(after.max_bytes == store_arena_bytes(store) && after.history_limit == 1 << 20);
}

/* Key 7 loses most; it must come out on top with at least its own count. */
static void test_heat(void)
{
    uint64_t state = test_seed, lost = 0;
    for (int i = 0; i < 600; i++) {
        uint64_t number = i % 3 ? draw_below(&state, 100) + 100 : 7;
        begin(&a, 0);
        (void)read_key(&a, number);
        CHECK(put(&a, 5, draw(&state)) == STM_OK);
        set_alone(&b, number, draw(&state));
        CHECK(txn_commit(&a.txn, true, NO_DEADLINE) == STM_CONFLICT);
        stats_count_conflict(&a.txn);
        txn_end(&a.txn);
        lost += number == 7;
    }
    CHECK(sum().conflicts[CONFLICT_READ] == 600);
    struct stats_heat heat, hottest = {0};
    uint64_t total = 0;
    for (uint32_t entry = 0; entry < HEAT_ENTRIES; entry++) {
        if (!stats_read_heat(store, slot_number(store, a.slot), entry, &heat))
            continue;
        CHECK(heat.variable == a.variable && heat.length == 8);
        total += heat.count;
        if (heat.count > hottest.count)
            hottest = heat;
    }
    uint64_t number = 7;
    CHECK(memcmp(hottest.key, &number, 8) == 0 && hottest.count >= lost);
    CHECK(total == 600); /* space-saving gives each conflict to exactly one entry */
}

int main(void)
{
    test_begin();
    store = new_test_store((uint64_t)16 << 20, 1 << 20);
    a = take_seat(store);
    b = take_seat(store);
    test_counters();
    test_heat();
    uint64_t commits = sum().commits;
    leave_seat(&a);
    leave_seat(&b);
    CHECK(sum().threads == 0 && sum().commits == commits); /* kept for the next owner */
    store_release(store);
    return 0;
}
