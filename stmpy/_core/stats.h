/* stats.h - counters of what transactions did, in the slot of the thread that did it.
 *
 * One thread writes, anyone reads at any time, without a lock: what is read is a little old
 * at worst.  Conflicts are counted by key with the space-saving algorithm (Metwally,
 * Agrawal and El Abbadi, 2005), so that the hottest keys are found in fixed room.
 */
#ifndef STMPY_STATS_H
#define STMPY_STATS_H

#include "txn.h"

/* A transaction was committed that wrote this many keys. */
void stats_count_commit(struct txn *txn, uint32_t written);

/* The transaction's conflict cost the block an attempt. */
void stats_count_conflict(struct txn *txn);

/* A block has committed in this many attempts. */
void stats_count_attempts(struct slot *slot, uint32_t attempts);

/* The counters of all threads added up, and the state of the region. */
struct stats_sum {
    uint64_t commits, read_only_commits, aborts, serial;
    uint64_t conflicts[STAT_REASONS];
    uint64_t attempts[HISTOGRAM_BUCKETS];
    uint64_t read_set[HISTOGRAM_BUCKETS];
    uint64_t write_set[HISTOGRAM_BUCKETS];
    uint64_t clock, oldest_snapshot; /* commit numbers */
    uint64_t used_bytes, max_bytes, history_bytes, history_limit;
    uint32_t threads;                /* slots claimed now */
};
void stats_add_up(struct store *store, struct stats_sum *out);

/* A consistent copy of one heat entry of a slot; false if it is unused or being changed. */
struct stats_heat {
    region_ref variable;
    uint64_t count;
    uint32_t length;                     /* bytes of the whole key */
    uint8_t key[HEAT_KEY_WORDS * 8];
};
bool stats_read_heat(struct store *store, uint32_t slot, uint32_t entry, struct stats_heat *out);

#endif
