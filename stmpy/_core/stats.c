/* stats.c - counting and adding up.
 *
 * Invariant: each counter has one writer, the thread of the slot; a slot that is given
 * back keeps its counters, and the next owner counts on.  An entry of the heat table has a
 * turn number that is odd while it changes, so a reader sees a whole entry or none.
 */
#include "stats.h"

#include <string.h>

static unsigned bucket_of(uint64_t value)
{
    unsigned bucket = value == 0 ? 0 : 64u - (unsigned)__builtin_clzll(value);
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

void stats_count_commit(struct txn *txn, uint32_t written)
{
    struct slot_stats *stats = &txn->slot->stats;
    bump_relaxed(written > 0 ? &stats->commits : &stats->read_only_commits, 1);
    bump_relaxed(&stats->read_set[bucket_of(txn->count)], 1);
    bump_relaxed(&stats->write_set[bucket_of(written)], 1);
}

void stats_count_attempts(struct slot *slot, uint32_t attempts)
{
    bump_relaxed(&slot->stats.attempts[bucket_of(attempts)], 1);
}

/* ---- heat --------------------------------------------------------------------------------- */

/* The first bytes of a key, in words that can be stored one by one. */
static void pack_key(const uint8_t *bytes, uint32_t length, uint64_t words[HEAT_KEY_WORDS])
{
    size_t most = HEAT_KEY_WORDS * sizeof *words;
    memset(words, 0, most);
    memcpy(words, bytes, length < most ? length : most);
}

static bool is_key(const struct heat *heat, region_ref variable, uint32_t length,
                   const uint64_t words[HEAT_KEY_WORDS])
{
    if (load_relaxed(&heat->variable) != variable || load_relaxed(&heat->length) != length)
        return false;
    for (unsigned i = 0; i < HEAT_KEY_WORDS; i++) {
        if (load_relaxed(&heat->key[i]) != words[i])
            return false;
    }
    return true;
}

static void replace(struct heat *heat, region_ref variable, uint32_t length,
                    const uint64_t words[HEAT_KEY_WORDS])
{
    uint32_t turn = load_relaxed(&heat->turn);
    /* Release on every field: who sees a new field sees the odd turn too.  Pairs with the
     * acquire loads in stats_read_heat. */
    put_relaxed(&heat->turn, turn + 1);
    put_release(&heat->variable, variable);
    put_release(&heat->length, length);
    for (unsigned i = 0; i < HEAT_KEY_WORDS; i++)
        put_release(&heat->key[i], words[i]);
    put_release(&heat->turn, turn + 2);
}

static void note_key(struct slot *slot, region_ref variable, const uint8_t *key, uint32_t length)
{
    uint64_t words[HEAT_KEY_WORDS];
    struct heat *coldest = &slot->heat[0];
    pack_key(key, length, words);
    for (unsigned i = 0; i < HEAT_ENTRIES; i++) {
        struct heat *heat = &slot->heat[i];
        if (is_key(heat, variable, length, words)) {
            bump_relaxed(&heat->count, 1);
            return;
        }
        if (load_relaxed(&heat->count) < load_relaxed(&coldest->count))
            coldest = heat;
    }
    replace(coldest, variable, length, words);
    bump_relaxed(&coldest->count, 1);
}

void stats_count_conflict(struct txn *txn)
{
    struct slot *slot = txn->slot;
    bump_relaxed(&slot->stats.conflicts[txn->conflict.reason], 1);
    if (txn->conflict.entry >= txn->count)
        return;
    const struct txn_entry *entry = &txn->entries[txn->conflict.entry];
    note_key(slot, entry->variable, txn_entry_key(txn, entry), entry->key_length);
}

bool stats_read_heat(struct store *store, uint32_t slot, uint32_t entry, struct stats_heat *out)
{
    struct heat *heat = &store_slots(store)[slot].heat[entry];
    uint64_t words[HEAT_KEY_WORDS];
    struct stats_heat copy;
    uint32_t turn = load_acquire(&heat->turn); /* Pairs with the last store in replace. */
    copy.variable = load_acquire(&heat->variable); /* These pair with the stores between. */
    copy.length = load_acquire(&heat->length);
    for (unsigned i = 0; i < HEAT_KEY_WORDS; i++)
        words[i] = load_acquire(&heat->key[i]);
    copy.count = load_acquire(&heat->count);
    if (turn & 1 || load_relaxed(&heat->turn) != turn || copy.variable == 0)
        return false;
    memcpy(copy.key, words, sizeof copy.key);
    *out = copy;
    return true;
}

/* ---- sums ----------------------------------------------------------------------------------- */

static void add_counters(shared_u64 *from, uint64_t *to, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        to[i] += load_relaxed(&from[i]);
}

static void add_slot(struct slot *slot, struct stats_sum *sum)
{
    struct slot_stats *stats = &slot->stats;
    sum->commits += load_relaxed(&stats->commits);
    sum->read_only_commits += load_relaxed(&stats->read_only_commits);
    sum->aborts += load_relaxed(&stats->aborts);
    sum->serial += load_relaxed(&stats->serial);
    add_counters(stats->conflicts, sum->conflicts, STAT_REASONS);
    add_counters(stats->attempts, sum->attempts, HISTOGRAM_BUCKETS);
    add_counters(stats->read_set, sum->read_set, HISTOGRAM_BUCKETS);
    add_counters(stats->write_set, sum->write_set, HISTOGRAM_BUCKETS);
    uint64_t snapshot = load_relaxed(&slot->snapshot);
    if (snapshot != NO_SNAPSHOT && snapshot < sum->oldest_snapshot)
        sum->oldest_snapshot = snapshot;
    sum->threads += load_relaxed(&slot->owner) != 0;
}

void stats_add_up(struct store *store, struct stats_sum *out)
{
    struct region *region = store->region;
    struct stats_sum sum = {.clock = load_acquire(&region->clock)}; /* Pairs with publish. */
    sum.oldest_snapshot = sum.clock;
    uint32_t count = load_acquire(&region->slots_used); /* Pairs with slot_claim. */
    for (uint32_t i = 0; i < count; i++)
        add_slot(&store_slots(store)[i], &sum);
    sum.used_bytes = arena_used(store);
    sum.max_bytes = store_arena_bytes(store);
    sum.history_bytes = load_relaxed(&region->history_bytes);
    sum.history_limit = region->history_limit;
    *out = sum;
}
