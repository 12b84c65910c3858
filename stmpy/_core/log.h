/* log.h - the commits in their order, for those who follow them.
 *
 * While somebody follows, every commit leaves a record: what it wrote, as copies.  It is
 * made before the commit lock is taken, and joins the end of a list in the arena right
 * after the commit point: followers never see what did not commit.  A large commit is
 * several parts in a row.  Each follower has a position; parts that all have passed are
 * freed.  (The shape of a replication log with slots, as in PostgreSQL's WAL.)
 *
 * A follower lives like this:
 *
 *     log_follow
 *     log_read_begin -> log_after ... -> log_read_end -> log_pass   again and again
 *     log_sleep                                                     when there is nothing
 *     log_unfollow
 */
#ifndef STMPY_LOG_H
#define STMPY_LOG_H

#include "slot.h"

enum log_kind {
    LOG_WATCH = 1, /* gives its position up when it is too far behind */
    LOG_KEEPER = 2, /* commits wait for it, and a successor goes on where it has died */
};

/* True if commits are logged.  Certain under the commit lock, else a hint. */
static inline bool log_followed(const struct store *store)
{
    return load_relaxed(&store->region->log.followed) != 0;
}

/* ---- following ------------------------------------------------------------------------- */

/* Follows all commits after `out->passed`.  For LOG_KEEPER that is where one that died has
 * got to, if there was one; STM_NO_SLOT if the living one is there already, or no place is
 * left.  This and what takes the lock below: not while attached to an interpreter;
 * STM_INTERRUPTED as lock_acquire. */
enum stm_status log_follow(struct store *store, struct slot *slot, enum log_kind kind,
                           uint64_t deadline_ns, struct follower **out);

/* Gives the place back.  Takes the commit lock. */
enum stm_status log_unfollow(struct store *store, struct slot *slot, struct follower *follower,
                             uint64_t deadline_ns);

/* Leaves the place to whoever looks for those of dead processes. */
void log_abandon(struct follower *follower);

/* Begins to look at what was not passed: the first part, or NULL if there is none.  Until
 * log_read_end the parts stay where they are: copy, and end soon.  STM_TOO_OLD if the
 * position was given up: commits were missed, and only log_unfollow can follow. */
enum stm_status log_read_begin(struct store *store, struct follower *follower,
                               const struct log_part **out);
void log_read_end(struct follower *follower);

/* The part after this one, or NULL.  A commit is there with all its parts. */
const struct log_part *log_after(const struct store *store, const struct log_part *part);

/* Passes this part, which log_read_begin or log_after gave since the last pass, and all
 * before it, and frees what everybody has passed.  Takes the commit lock. */
enum stm_status log_pass(struct store *store, struct slot *slot, struct follower *follower,
                         const struct log_part *part, uint64_t deadline_ns);

/* Sleeps until there is something to read, the store is closed, or the deadline: STM_OK,
 * STM_OK, STM_TIMED_OUT; STM_INTERRUPTED as wait_sleep. */
enum stm_status log_sleep(struct store *store, struct slot *slot, struct follower *follower,
                          uint64_t deadline_ns);

/* The same until *ending is set as well: then log_rouse lets sleepers see it, and the place
 * is given back when they have. */
enum stm_status log_sleep_or_end(struct store *store, struct slot *slot,
                                 struct follower *follower, const shared_u32 *ending,
                                 uint64_t deadline_ns);
void log_rouse(struct follower *follower);

/* The store was closed: all sleepers look. */
void log_rouse_all(struct store *store);

/* Gives back the places of watchers whose process has ended.  Needs the commit lock. */
void log_reap(struct store *store);

/* ---- what is in a part -------------------------------------------------------------------- */

static inline size_t log_write_bytes(size_t key_length, size_t value_length)
{
    return (offsetof(struct log_write, bytes) + key_length + value_length + 7) & ~(size_t)7;
}

static inline const struct log_write *log_first_write(const struct log_part *part)
{
    return (const struct log_write *)(part + 1);
}

static inline uint32_t log_value_length(const struct log_write *write)
{
    return write->shape >> VERSION_FLAG_BITS;
}

/* The write behind this one; only part->count says whether there is one. */
static inline const struct log_write *log_next_write(const struct log_write *write)
{
    size_t bytes = log_write_bytes(write->key_length, log_value_length(write) + write->spare);
    return (const struct log_write *)((const uint8_t *)write + bytes);
}

/* ---- for commits ------------------------------------------------------------------------------ */

/* Makes the record of the slot's pending versions.  Without the lock, or in serial mode. */
enum stm_status log_prepare(struct store *store, struct slot *slot);

/* Frees a record that will not be published. */
void log_discard(struct store *store, struct slot *slot);

/* True if a commit must wait until the keeper has got on. */
bool log_crowded(const struct store *store);

/* Sleeps while it is so.  STM_INTERRUPTED now and then and after a signal. */
enum stm_status log_wait_for_room(struct store *store, struct slot *slot, uint64_t deadline_ns);

/* Writes the commit number into the record, before the clock shows it.  Needs the lock. */
void log_stamp(struct store *store, struct slot *slot, uint64_t ts);

/* Brings the record in line with the versions, which have their final values now.  Needs the
 * lock, and comes before the clock shows the commit. */
void log_settle(struct store *store, struct slot *slot);

/* Puts the record at the end of the log, after the clock was stored; the set of followers
 * to wake when the lock is released.  Needs the lock. */
uint64_t log_append(struct store *store, struct slot *slot);
void log_wake(struct store *store, uint64_t followers);

/* Appends the record of a dead owner whose commit is published.  Needs the lock. */
void log_recover(struct store *store, struct slot *dead);

/* ---- between log.c and follow.c ---------------------------------------------------------------- */

static inline struct log_part *log_part_at(const struct store *store, region_ref ref)
{
    return store_at(store, ref);
}

/* Frees some of what everybody has passed; false when nothing is left to free.  Needs the
 * lock. */
bool log_trim(struct store *store, struct slot *slot);

/* The keeper has got to this offset: who waits for room looks again.  Needs the lock. */
void log_keep_up(struct log *log, uint64_t offset);

#endif
