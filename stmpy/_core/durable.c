/* durable.c - waiting for the keeper's word, and giving it.
 *
 * Invariant: `version` only grows, and only after the disk has confirmed what lies below.
 * Whoever waits reads the tick before it looks at version and state, and the keeper moves
 * the tick after both, so the futex call does not sleep through a change.
 */
#include "durable.h"

#include "lock.h"

#include <string.h>

#define HEARTBEAT_NS 100000000u /* how often who waits looks whether the keeper lives */

static void move_tick(struct durable *durable)
{
    /* One writer: the keeper.  Release: version and state come before.  Pairs with
     * durable_wait. */
    put_release(&durable->tick, load_relaxed(&durable->tick) + 1);
    platform_futex_wake(&durable->tick, INT32_MAX);
}

enum stm_status durable_wait(struct store *store, uint64_t ts, uint64_t deadline_ns)
{
    struct durable *durable = &store->region->durable;
    for (;;) {
        uint32_t tick = load_acquire(&durable->tick); /* Pairs with move_tick. */
        enum durable_state state = durable_state(store);
        /* Pairs with durable_publish. */
        if (state != DURABLE_OPENING && load_acquire(&durable->version) >= ts)
            return STM_OK;
        if (state >= DURABLE_FULL)
            return STM_UNKNOWN;
        uint64_t now = platform_now_ns();
        if (now >= deadline_ns)
            return STM_TIMED_OUT;
        uint64_t left = deadline_ns - now;
        if (platform_futex_wait(&durable->tick, tick, left < HEARTBEAT_NS ? left : HEARTBEAT_NS) !=
            PLATFORM_WOKEN)
            return STM_INTERRUPTED;
    }
}

/* ---- the keeper's process ------------------------------------------------------------------- */

static uint64_t process_name(uint32_t pid)
{
    return (uint64_t)pid << 32 | platform_process_start(pid);
}

static bool alive(uint64_t process)
{
    return platform_process_alive((uint32_t)(process >> 32), (uint32_t)process);
}

bool durable_open(struct store *store, const char *path, bool relaxed)
{
    struct durable *durable = &store->region->durable;
    uint64_t nobody = 0;
    /* Pairs with itself: one opens.  It stands in for the keeper until that one runs. */
    if (!cas_acq_rel(&durable->keeper, &nobody, process_name(platform_process_id())))
        return false;
    strncpy(durable->path, path, sizeof durable->path - 1);
    durable->relaxed = relaxed;
    durable->opener = platform_process_id();
    put_release(&durable->state, DURABLE_OPENING); /* Pairs with durable_state. */
    return true;
}

bool durable_orphaned(const struct store *store)
{
    /* Pairs with durable_adopt and the two that name a process. */
    uint64_t keeper = load_acquire(&store->region->durable.keeper);
    return keeper != 0 && durable_state(store) != DURABLE_CLOSED && !alive(keeper);
}

bool durable_adopt(struct store *store)
{
    shared_u64 *keeper = &store->region->durable.keeper;
    uint64_t dead = load_acquire(keeper); /* Pairs with durable_name_guard and _keeper. */
    uint64_t guard = load_acquire(&store->region->durable.guard);
    uint64_t self = process_name(platform_process_id());
    enum durable_state state = durable_state(store);
    return (state == DURABLE_RUNNING || state == DURABLE_FULL) && !alive(dead) &&
           (guard == self || !alive(guard)) && cas_acq_rel(keeper, &dead, self);
}

void durable_name_guard(struct store *store, uint32_t pid)
{
    struct durable *durable = &store->region->durable;
    uint64_t starter = process_name(platform_process_id());
    put_release(&durable->guard, process_name(pid)); /* Pairs with durable_adopt. */
    /* Pairs with durable_adopt.  The keeper may have named itself already. */
    cas_acq_rel(&durable->keeper, &starter, process_name(pid));
}

void durable_name_keeper(struct store *store)
{
    /* Pairs with durable_adopt. */
    put_release(&store->region->durable.keeper, process_name(platform_process_id()));
}

/* ---- the keeper's word ------------------------------------------------------------------------- */

void durable_publish(struct store *store, uint64_t ts)
{
    put_release(&store->region->durable.version, ts); /* Pairs with durable_wait. */
    move_tick(&store->region->durable);
}

void durable_tell(struct store *store, enum durable_state state, const char *message)
{
    struct durable *durable = &store->region->durable;
    size_t length = strlen(message);
    if (length >= sizeof durable->message)
        length = sizeof durable->message - 1;
    memcpy(durable->message, message, length);
    durable->message[length] = 0;
    put_release(&durable->state, state); /* Pairs with durable_state: the message is there. */
    move_tick(durable);
}

static unsigned bucket(uint64_t value)
{
    unsigned bits = value == 0 ? 0 : 64u - (unsigned)__builtin_clzll(value);
    return bits < DURABLE_BUCKETS ? bits : DURABLE_BUCKETS - 1;
}

void durable_count(struct store *store, uint64_t commits, uint64_t micros)
{
    struct durable *durable = &store->region->durable;
    bump_relaxed(&durable->groups, 1);
    bump_relaxed(&durable->sizes[bucket(commits)], 1);
    bump_relaxed(&durable->micros[bucket(micros)], 1);
}

enum stm_status durable_restore(struct store *store, struct slot *slot, uint64_t ts)
{
    enum stm_status status = lock_acquire(store, slot, NO_DEADLINE);
    if (status != STM_OK)
        return status;
    if (load_relaxed(&store->region->clock) < ts)
        put_release(&store->region->clock, ts); /* Pairs with slot_register. */
    lock_release(store);
    return STM_OK;
}
