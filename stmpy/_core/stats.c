/* stats.c - counting.
 *
 * Invariant: each counter has one writer, the thread of the slot; a slot that is given
 * back keeps its counters, and the next owner counts on.  An entry of a table of conflicts
 * has a turn number that is odd while it changes, so a reader sees a whole entry or none;
 * one whose writer has died in the middle stays odd until it is replaced.
 */
#include "stats.h"

#include <string.h>

static unsigned bucket_of(uint64_t value, unsigned buckets)
{
    unsigned bucket = value == 0 ? 0 : 64u - (unsigned)__builtin_clzll(value);
    return bucket < buckets ? bucket : buckets - 1;
}

/* Nanoseconds since `began`; 0 where the clocks of two processors disagree. */
static uint64_t ns_since(const struct store *store, uint64_t began, uint64_t now)
{
    if (began == 0 || now <= began)
        return 0;
    return (uint64_t)((unsigned __int128)(now - began) * store->region->tick_scale >> 32);
}

/* ---- blocks ------------------------------------------------------------------------------- */

__attribute__((noinline)) struct site_stats *stats_find_site(struct slot *slot, uint32_t site)
{
    for (uint32_t i = 0; i < SLOT_SITES && site != 0; i++) {
        struct site_stats *stats = &slot->sites[(site + i) % SLOT_SITES];
        uint32_t found = load_relaxed(&stats->site);
        if (found == 0)
            show_relaxed(&stats->site, site);
        if (found == 0 || found == site)
            return stats;
    }
    return &slot->sites[SLOT_SITES];
}

void stats_count_commit(struct txn *txn, uint32_t written)
{
    struct site_stats *counters = txn->counters;
    bump_relaxed(written > 0 ? &counters->commits : &counters->read_only_commits, 1);
    bump_relaxed(&txn->slot->stats.read_set[bucket_of(txn->count, HISTOGRAM_BUCKETS)], 1);
    bump_relaxed(&txn->slot->stats.write_set[bucket_of(written, HISTOGRAM_BUCKETS)], 1);
}

uint64_t stats_time_commit(const struct txn *txn)
{
    struct site_stats *counters = txn->counters;
    uint64_t count = load_relaxed(&counters->commits) + load_relaxed(&counters->read_only_commits);
    return count % STATS_TIMED == 0 && txn->store->counted ? platform_ticks() : 0;
}

void stats_count_block(const struct txn *txn, uint32_t attempts, uint64_t began)
{
    struct site_stats *counters = txn->counters;
    if (attempts > 1)
        bump_relaxed(&counters->attempts[bucket_of(attempts, HISTOGRAM_BUCKETS)], 1);
    if (began == 0)
        return;
    uint64_t now = platform_ticks();
    uint64_t commit = ns_since(txn->store, began, now);
    uint64_t block = ns_since(txn->store, load_relaxed(&txn->slot->started), now);
    bump_relaxed(&counters->commit_ns_sum, commit);
    bump_relaxed(&counters->block_ns_sum, block);
    bump_relaxed(&counters->commit_ns[bucket_of(commit, TIME_BUCKETS)], 1);
    bump_relaxed(&counters->block_ns[bucket_of(block, TIME_BUCKETS)], 1);
}

/* ---- conflicts ---------------------------------------------------------------------------- */

/* What an entry of a table of conflicts stands for. */
struct lost {
    uint32_t winner, loser, variable, length;
    uint64_t words[KEY_WORDS];
};

static struct lost name_of(const struct txn *txn, const struct txn_entry *entry)
{
    struct lost lost = {.variable = entry->variable, .length = entry->key_length};
    size_t most = sizeof lost.words;
    memcpy(lost.words, txn_entry_key(txn, entry), lost.length < most ? lost.length : most);
    return lost;
}

static bool stands_for(const struct heat *heat, const struct lost *lost)
{
    const struct key_name *key = &heat->key;
    bool same = load_relaxed(&key->variable) == lost->variable &&
                load_relaxed(&key->length) == lost->length &&
                load_relaxed(&heat->winner) == lost->winner &&
                load_relaxed(&heat->loser) == lost->loser && load_relaxed(&heat->turn) % 2 == 0;
    for (unsigned i = 0; same && i < KEY_WORDS; i++)
        same = load_relaxed(&key->words[i]) == lost->words[i];
    return same;
}

static void show_key(struct key_name *key, const struct lost *lost)
{
    /* Release: who sees a new field sees the odd turn too. */
    put_release(&key->variable, lost->variable);
    put_release(&key->length, lost->length);
    for (unsigned i = 0; i < KEY_WORDS; i++)
        put_release(&key->words[i], lost->words[i]);
}

static void replace(struct heat *heat, const struct lost *lost)
{
    uint32_t turn = load_relaxed(&heat->turn) | 1; /* odd already if a death left it so */
    /* The releases pair with the second look that a reader takes at the turn. */
    put_relaxed(&heat->turn, turn);
    put_release(&heat->winner, lost->winner);
    put_release(&heat->loser, lost->loser);
    show_key(&heat->key, lost);
    put_release(&heat->turn, turn + 1);
}

static void note(struct heat table[HEAT_ENTRIES], const struct lost *lost, uint64_t cost_ns)
{
    struct heat *coldest = &table[0], *heat = NULL;
    for (unsigned i = 0; i < HEAT_ENTRIES && heat == NULL; i++) {
        if (stands_for(&table[i], lost))
            heat = &table[i];
        else if (load_relaxed(&table[i].count) < load_relaxed(&coldest->count))
            coldest = &table[i];
    }
    if (heat == NULL) {
        replace(coldest, lost);
        heat = coldest;
    }
    bump_relaxed(&heat->count, 1);
    bump_relaxed(&heat->cost_ns, cost_ns);
}

void stats_count_conflict(struct txn *txn)
{
    struct slot *slot = txn->slot;
    uint64_t cost = ns_since(txn->store, txn->began, platform_ticks());
    bump_relaxed(&txn->counters->conflicts[txn->conflict.reason], 1);
    bump_relaxed(&txn->counters->wasted_ns, cost);
    if (txn->conflict.entry >= txn->count)
        return;
    struct lost lost = name_of(txn, &txn->entries[txn->conflict.entry]);
    note(slot->keys, &lost, cost);
    /* A version in limbo has another use for its site: no block of the arena is so low. */
    lost.winner = txn->conflict.site < REGION_SITES ? txn->conflict.site : 0;
    lost.loser = txn->site;
    note(slot->pairs, &lost, cost);
}

/* ---- waiting ------------------------------------------------------------------------------ */

void stats_show_wait(struct txn *txn)
{
    struct lost first = {0};
    uint32_t keys = 0;
    for (uint32_t i = 0; i < txn->count; i++) {
        if (txn->entries[i].flags & ENTRY_READ && keys++ == 0)
            first = name_of(txn, &txn->entries[i]);
    }
    bump_relaxed(&txn->counters->waits, 1);
    show_key(&txn->slot->waits_for, &(struct lost){0}); /* no key with another's variable */
    show_key(&txn->slot->waits_for, &first);
    show_relaxed(&txn->slot->waits_for_keys, keys);
}
