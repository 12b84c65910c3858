/* test_stats.c - every counter counts what it says, and the hottest keys are found. */
#include "core.h"
#include "site.h"

static struct store *store;
static struct seat a, b;

static uint64_t total(const shared_u64 *counts, unsigned buckets)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < buckets; i++)
        sum += load_relaxed(&counts[i]);
    return sum;
}

static void test_names(void)
{
    char name[] = "name 0000", many[300];
    uint32_t first = site_number(store, "first", 5), zero = 0;
    CHECK(first != 0 && site_number(store, "first", 5) == first);
    CHECK(site_number(store, "firs", 4) != first);
    memset(many, 'x', sizeof many);
    CHECK(site_number(store, many, 300) != 0); /* is cut */
    CHECK(site_number(store, many, 300) == site_number(store, many, 300));
    for (uint32_t i = 0; i < REGION_SITES; i++) {
        snprintf(name, sizeof name, "name %04u", i % 10000);
        zero += site_number(store, name, 9) == 0;
    }
    CHECK(zero == 4); /* three names were there, and number 0 is nobody's */
    CHECK(site_number(store, "first", 5) == first);
}

static void test_entries(void)
{
    struct slot *slot;
    CHECK(slot_claim(store, 0, &slot) == STM_OK);
    struct site_stats *seen[SLOT_SITES + 1], *others = &slot->sites[SLOT_SITES];
    for (uint32_t site = 1; site <= SLOT_SITES; site++) {
        seen[site] = stats_of_site(slot, site * 100);
        CHECK(seen[site] != others && load_relaxed(&seen[site]->site) == site * 100);
    }
    for (uint32_t site = 1; site <= SLOT_SITES; site++)
        CHECK(stats_of_site(slot, site * 100) == seen[site]);
    CHECK(stats_of_site(slot, 99) == others); /* no room */
    CHECK(stats_of_site(slot, 0) == others);
    slot_release(store, slot);
}

static void test_counters(void)
{
    for (uint64_t i = 0; i < 5; i++)
        set_alone(&a, i, i);
    begin(&a, TXN_READ_ONLY);
    CHECK(finish(&a) == STM_OK);
    begin(&a, 0);
    for (uint64_t i = 0; i < 3; i++)
        CHECK(put(&a, i, 1000 + i) == STM_OK);
    CHECK(finish(&a) == STM_OK);
    const struct site_stats *all = &a.slot->sites[SLOT_SITES];
    const struct slot_stats *sets = &a.slot->stats;
    CHECK(load_relaxed(&all->commits) == 6 && load_relaxed(&all->read_only_commits) == 1);
    CHECK(load_relaxed(&sets->write_set[0]) == 1 && load_relaxed(&sets->write_set[2]) == 6);
    stats_count_block(&a.txn, 1, 0);
    stats_count_block(&a.txn, 5, 0);
    CHECK(load_relaxed(&all->attempts[3]) == 1 && total(&all->attempts[0], HISTOGRAM_BUCKETS) == 1);
    CHECK(total(&all->block_ns[0], TIME_BUCKETS) == 0); /* neither was timed */
}

/* Of each block of code the first commit is timed, and then one in STATS_TIMED. */
static void test_times(void)
{
    const struct site_stats *counters = NULL;
    a.txn.site = 7;
    for (unsigned i = 0; i < 2 * STATS_TIMED + 1; i++) {
        stats_begin(&a.txn, store, a.slot, 1);
        begin(&a, 0);
        counters = a.txn.counters;
        CHECK(load_relaxed(&a.slot->attempt) == 1 && load_relaxed(&a.slot->site) == 7);
        CHECK(put(&a, 1, 5000 + i) == STM_OK);
        uint64_t began = stats_time_commit(&a.txn);
        CHECK(commit_patiently(&a.txn) == STM_OK);
        stats_count_block(&a.txn, 1, began);
        txn_end(&a.txn);
        stats_leave(a.slot);
    }
    a.txn.site = 0;
    CHECK(load_relaxed(&counters->commits) == 2 * STATS_TIMED + 1);
    CHECK(total(&counters->commit_ns[0], TIME_BUCKETS) == 3);
    CHECK(total(&counters->block_ns[0], TIME_BUCKETS) == 3);
    CHECK(load_relaxed(&counters->block_ns_sum) >= load_relaxed(&counters->commit_ns_sum));
    CHECK(load_relaxed(&a.slot->attempt) == 0);
}

static uint64_t first_word(const struct heat *heat)
{
    return load_relaxed(&heat->key.words[0]);
}

/* Key 7 loses most; it must come out on top with at least its own count. */
static void test_heat(void)
{
    uint64_t state = test_seed, lost = 0, sum = 0;
    const struct site_stats *counters = &a.slot->sites[SLOT_SITES];
    const struct heat *hottest = &a.slot->keys[0];
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
    CHECK(load_relaxed(&counters->conflicts[CONFLICT_READ]) == 600);
    for (uint32_t entry = 0; entry < HEAT_ENTRIES; entry++) {
        const struct heat *heat = &a.slot->keys[entry];
        CHECK(load_relaxed(&heat->key.variable) == a.variable && load_relaxed(&heat->key.length) == 8);
        sum += load_relaxed(&heat->count);
        if (load_relaxed(&heat->count) > load_relaxed(&hottest->count))
            hottest = heat;
    }
    CHECK(first_word(hottest) == 7 && load_relaxed(&hottest->count) >= lost);
    CHECK(sum == 600); /* space-saving gives each conflict to exactly one entry */
}

/* Who beat whom is told by the version that won. */
static void test_pairs(void)
{
    const struct heat *found = NULL;
    for (int i = 0; i < 3; i++) {
        a.txn.site = 3;
        stats_begin(&a.txn, store, a.slot, 1);
        begin(&a, 0);
        (void)read_key(&a, 11);
        CHECK(put(&a, 5, 77 + (uint64_t)i) == STM_OK);
        b.txn.site = 4;
        set_alone(&b, 11, 88 + (uint64_t)i);
        CHECK(txn_commit(&a.txn, true, NO_DEADLINE) == STM_CONFLICT);
        stats_count_conflict(&a.txn);
        txn_end(&a.txn);
    }
    a.txn.site = b.txn.site = 0;
    for (uint32_t entry = 0; entry < HEAT_ENTRIES; entry++) {
        if (load_relaxed(&a.slot->pairs[entry].loser) == 3)
            found = &a.slot->pairs[entry];
    }
    CHECK(found != NULL && load_relaxed(&found->winner) == 4 && first_word(found) == 11);
    /* An entry that replaced another starts from the count that this one had. */
    CHECK(load_relaxed(&found->count) >= 3 && load_relaxed(&found->cost_ns) > 0);
}

/* An entry whose writer died in the middle stands for nothing, until it is replaced. */
static void test_death_within(void)
{
    struct heat *torn = &a.slot->keys[0];
    uint32_t turn = load_relaxed(&torn->turn) | 1;
    put_relaxed(&torn->turn, turn);
    put_relaxed(&torn->count, 0);
    begin(&a, 0);
    (void)read_key(&a, 999);
    CHECK(put(&a, 5, 1) == STM_OK);
    set_alone(&b, 999, 2);
    CHECK(txn_commit(&a.txn, true, NO_DEADLINE) == STM_CONFLICT);
    stats_count_conflict(&a.txn);
    txn_end(&a.txn);
    CHECK(load_relaxed(&torn->turn) == turn + 1 && first_word(torn) == 999);
}

int main(void)
{
    test_begin();
    store = new_test_store((uint64_t)16 << 20, 1 << 20);
    a = take_seat(store);
    b = take_seat(store);
    test_counters();
    test_times();
    test_heat();
    test_pairs();
    test_death_within();
    test_entries();
    test_names();
    uint64_t commits = load_relaxed(&a.slot->sites[SLOT_SITES].commits);
    struct slot *slot = a.slot;
    leave_seat(&a);
    leave_seat(&b);
    CHECK(load_relaxed(&slot->owner) == 0);
    CHECK(load_relaxed(&slot->sites[SLOT_SITES].commits) == commits); /* kept for the next owner */
    store_release(store);
    return 0;
}
