/* follow.c - the places of followers: taken, given back, read from and moved on.
 *
 * Invariant: what lies at and after a follower's position stays in memory until it passes,
 * or until it was given up and is not reading.  Safe because positions move under the
 * commit lock only, where also the freeing looks at them; and because a reader says first
 * that it reads and looks second whether it was given up, the freeing one the other way
 * round, all sequentially consistent, so that at least one sees the other.
 */
#include "lock.h"
#include "log.h"

#define HEARTBEAT_NS 100000000u /* how often a sleeper looks whether its waker has died */

static bool follower_dead(const struct follower *follower)
{
    uint64_t owner = load_relaxed(&follower->owner);
    return !platform_process_alive((uint32_t)(owner >> 32), (uint32_t)owner);
}

static struct follower *free_place(struct log *log)
{
    uint64_t taken = load_relaxed(&log->followed);
    return ~taken == 0 ? NULL : &log->followers[__builtin_ctzll(~taken)];
}

static uint64_t place_bit(const struct log *log, const struct follower *follower)
{
    return (uint64_t)1 << (follower - log->followers);
}

static void take_place(struct store *store, struct slot *slot, struct follower *follower,
                       enum log_kind kind)
{
    struct log *log = &store->region->log;
    put_relaxed(&follower->owner, load_relaxed(&slot->owner));
    put_relaxed(&follower->at, 0);
    put_relaxed(&follower->wake, 0);
    put_relaxed(&follower->lost, 0);
    put_relaxed(&follower->reading, 0);
    follower->kind = kind;
    follower->passed = load_relaxed(&store->region->clock);
    if (kind == LOG_KEEPER) {
        log_keep_up(log, load_relaxed(&log->end));
        log->keeper = (uint32_t)(follower - log->followers) + 1;
    }
    /* Release: complete before it counts, for who finds us dead. */
    put_release(&log->followed, load_relaxed(&log->followed) | place_bit(log, follower));
}

/* The place that a keeper has died in, or a new one; NULL while one lives in it. */
static struct follower *keeper_place(struct store *store, struct slot *slot)
{
    struct log *log = &store->region->log;
    struct follower *place = log->keeper == 0 ? NULL : &log->followers[log->keeper - 1];
    if (place != NULL && place->kind == LOG_KEEPER &&
        load_relaxed(&log->followed) & place_bit(log, place)) {
        if (!follower_dead(place))
            return NULL;
        put_relaxed(&place->reading, 0);
        put_relaxed(&place->owner, load_relaxed(&slot->owner));
        /* It may have died between the two halves of its position; this one decides. */
        region_ref at = load_relaxed(&place->at);
        if (at != 0 && !PLANTED(PASSED_KEPT))
            place->passed = load_relaxed(&log_part_at(store, at)->ts) - 1;
        return place;
    }
    place = free_place(log);
    if (place != NULL)
        take_place(store, slot, place, LOG_KEEPER);
    return place;
}

enum stm_status log_follow(struct store *store, struct slot *slot, enum log_kind kind,
                           uint64_t deadline_ns, struct follower **out)
{
    enum stm_status status = lock_acquire(store, slot, deadline_ns);
    if (status != STM_OK)
        return status;
    struct follower *place;
    if (kind == LOG_KEEPER) {
        place = keeper_place(store, slot);
    } else {
        place = free_place(&store->region->log);
        if (place == NULL) {
            log_reap(store);
            place = free_place(&store->region->log);
        }
        if (place != NULL)
            take_place(store, slot, place, kind);
    }
    lock_release(store);
    if (place == NULL)
        return STM_NO_SLOT;
    *out = place;
    return STM_OK;
}

static void give_place(struct store *store, struct follower *follower)
{
    struct log *log = &store->region->log;
    put_release(&log->followed, load_relaxed(&log->followed) & ~place_bit(log, follower));
    if (follower->kind == LOG_KEEPER) {
        log->keeper = 0;
        log_keep_up(log, load_relaxed(&log->end));
    }
}

/* With the lock; releases it. */
static void trim_all(struct store *store, struct slot *slot)
{
    while (log_trim(store, slot)) {
        lock_release(store);
        while (lock_acquire(store, slot, NO_DEADLINE) != STM_OK) {
            /* A signal came; it is looked at after this, which takes no time. */
        }
    }
    lock_release(store);
}

enum stm_status log_unfollow(struct store *store, struct slot *slot, struct follower *follower,
                             uint64_t deadline_ns)
{
    enum stm_status status = lock_acquire(store, slot, deadline_ns);
    if (status != STM_OK)
        return status;
    put_relaxed(&follower->reading, 0);
    give_place(store, follower);
    trim_all(store, slot);
    return STM_OK;
}

void log_abandon(struct follower *follower)
{
    put_relaxed(&follower->owner, SLOT_NOBODY);
}

void log_reap(struct store *store)
{
    struct log *log = &store->region->log;
    for (uint64_t set = load_relaxed(&log->followed); set != 0; set &= set - 1) {
        struct follower *follower = &log->followers[__builtin_ctzll(set)];
        if (follower->kind == LOG_WATCH && follower_dead(follower) && !PLANTED(LOG_UNREAPED))
            give_place(store, follower);
    }
}

enum stm_status log_read_begin(struct store *store, struct follower *follower,
                               const struct log_part **out)
{
    if (PLANTED(LOG_READ_LATE))
        put_release(&follower->reading, 1);
    else
        put_seq_cst(&follower->reading, 1); /* Pairs with slowest. */
    if (load_seq_cst(&follower->lost)) {
        log_read_end(follower);
        return STM_TOO_OLD;
    }
    region_ref at = load_acquire(&follower->at); /* Pairs with hand_out. */
    *out = at == 0 ? NULL : log_part_at(store, at);
    return STM_OK;
}

void log_read_end(struct follower *follower)
{
    put_release(&follower->reading, 0); /* Pairs with slowest: the reads come before. */
}

const struct log_part *log_after(const struct store *store, const struct log_part *part)
{
    region_ref next = load_acquire(&part->next); /* Pairs with append. */
    return next == 0 ? NULL : log_part_at(store, next);
}

enum stm_status log_pass(struct store *store, struct slot *slot, struct follower *follower,
                         const struct log_part *part, uint64_t deadline_ns)
{
    struct log *log = &store->region->log;
    enum stm_status status = lock_acquire(store, slot, deadline_ns);
    if (status != STM_OK)
        return status;
    if (load_relaxed(&follower->lost)) {
        lock_release(store);
        return STM_TOO_OLD;
    }
    region_ref next = load_relaxed(&part->next);
    follower->passed = load_relaxed(&part->ts);
    put_relaxed(&follower->wake, next != 0);
    /* Release: what was passed is on record first.  Pairs with log_sleep and keeper_place. */
    put_release(&follower->at, next);
    if (follower->kind == LOG_KEEPER)
        log_keep_up(log, next == 0 ? load_relaxed(&log->end) : log_part_at(store, next)->offset);
    trim_all(store, slot);
    return STM_OK;
}

enum stm_status log_sleep(struct store *store, struct slot *slot, struct follower *follower,
                          uint64_t deadline_ns)
{
    static const shared_u32 never;
    return log_sleep_or_end(store, slot, follower, &never, deadline_ns);
}

void log_rouse(struct follower *follower)
{
    put_release(&follower->wake, 1);
    platform_futex_wake(&follower->wake, INT32_MAX);
}

void log_rouse_all(struct store *store)
{
    struct log *log = &store->region->log;
    uint64_t followers = load_acquire(&log->followed); /* Pairs with take_place. */
    for (; followers != 0; followers &= followers - 1)
        log_rouse(&log->followers[__builtin_ctzll(followers)]);
}

enum stm_status log_sleep_or_end(struct store *store, struct slot *slot,
                                 struct follower *follower, const shared_u32 *ending,
                                 uint64_t deadline_ns)
{
    /* Pairs with hand_out, and with whoever ends it before log_rouse. */
    while (load_acquire(&follower->at) == 0 && !load_acquire(&store->region->closed) &&
           !load_acquire(ending)) {
        uint64_t now = platform_now_ns();
        if (now >= deadline_ns)
            return STM_TIMED_OUT;
        uint64_t left = deadline_ns - now;
        enum platform_wait woken = platform_futex_wait(
            &follower->wake, 0, left < HEARTBEAT_NS ? left : HEARTBEAT_NS);
        if (woken == PLATFORM_TIMED_OUT)
            lock_help(store, slot);
        if (woken != PLATFORM_WOKEN)
            return STM_INTERRUPTED;
    }
    return STM_OK;
}
