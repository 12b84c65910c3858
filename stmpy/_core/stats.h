/* stats.h - counters of what blocks did, in the slot of the thread that ran them.
 *
 * One thread writes, anyone reads at any time, without a lock, also from another process
 * (stmpy/statistics): what is read is a little old at worst.  Counters are apart for each
 * block of code, which site.h gives a number.  Conflicts are counted by key, and by who
 * lost it to whom, with the space-saving algorithm (Metwally, Agrawal and El Abbadi, 2005),
 * so that the hottest are found in fixed room.
 *   Every block pays for one look at the processor's clock when it begins, and for about
 * ten stores.  Its time is taken in one block of STATS_TIMED and in every attempt that is lost.
 */
#ifndef STMPY_STATS_H
#define STMPY_STATS_H

#include "txn.h"

#define STATS_TIMED 16u /* a power of two */

/* The slow half of stats_of_site. */
struct site_stats *stats_find_site(struct slot *slot, uint32_t site);

/* The entry of a site in a slot, made when it is first met; that of all others for site 0,
 * and if the slot has no room left. */
static inline struct site_stats *stats_of_site(struct slot *slot, uint32_t site)
{
    struct site_stats *stats = &slot->sites[site % SLOT_SITES];
    bool found = load_relaxed(&stats->site) == site && site != 0;
    return __builtin_expect(found, 1) ? stats : stats_find_site(slot, site);
}

/* An attempt of a block begins, the first or a further one: others see it from here on. */
static inline void stats_begin(struct txn *txn, const struct store *store, struct slot *slot,
                               uint32_t attempt)
{
    txn->began = store->counted ? platform_ticks() : 0;
    if ((attempt & ~ATTEMPT_SERIAL) == 1)
        show_relaxed(&slot->started, txn->began);
    show_relaxed(&slot->site, txn->site);
    show_relaxed(&slot->attempt, attempt);
}

/* The thread is in no block any more. */
static inline void stats_leave(struct slot *slot)
{
    show_relaxed(&slot->attempt, 0);
}

/* A transaction was committed that wrote this many keys. */
void stats_count_commit(struct txn *txn, uint32_t written);

/* The transaction's conflict cost the block an attempt. */
void stats_count_conflict(struct txn *txn);

/* The moment at which a commit begins, if it is one of those that are timed, else 0. */
uint64_t stats_time_commit(const struct txn *txn);

/* A block has committed in this many attempts; `began` is what stats_time_commit gave. */
void stats_count_block(const struct txn *txn, uint32_t attempts, uint64_t began);

/* The transaction's thread is going to sleep until what it has read changes. */
void stats_show_wait(struct txn *txn);

#endif
