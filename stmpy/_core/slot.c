/* slot.c - claiming, registering, looking at and reaping slots.
 *
 * Invariant: whoever looks at the slots after moving the clock to c either sees the
 * snapshot of a reader, or that reader's snapshot is at least c.  Safe because a reader
 * stores its snapshot before it reads the clock again, the looker stores the clock before
 * it reads the snapshots, and all four accesses are sequentially consistent: at least one
 * of the two sees the other.
 */
#include "slot.h"

#include "lock.h"
#include "log.h"
#include "wait.h"

#include <stdlib.h>

/* This process as the owner of a slot: one word, so that no slot ever shows half an owner. */
static uint64_t own_name(void)
{
    uint32_t pid = platform_process_id();
    return (uint64_t)pid << 32 | platform_process_start(pid);
}

static bool try_claim(struct slot *slot, uint64_t name)
{
    uint64_t expected = 0;
    /* Pairs with the release in slot_release: the slot comes with its empty lists. */
    if (PLANTED(CLAIM_UNCOMPARED))
        return load_relaxed(&slot->owner) == 0 && (put_release(&slot->owner, name), true);
    return load_relaxed(&slot->owner) == 0 && cas_acq_rel(&slot->owner, &expected, name);
}

enum stm_status slot_claim(struct store *store, uint64_t interpreter, struct slot **out)
{
    shared_u32 *used = &store->region->slots_used;
    uint64_t name = own_name();
    for (uint32_t i = 0; i < REGION_SLOTS; i++) {
        uint32_t count = load_acquire(used);
        struct slot *slot = &store_slots(store)[i];
        if (i >= count)
            cas_acq_rel(used, &count, i + 1); /* or somebody else did; the count only grows */
        if (try_claim(slot, name)) {
            slot->interpreter = interpreter;
            slot->thread = platform_thread_id();
            slot->generation++;
            *out = slot;
            return STM_OK;
        }
    }
    return STM_NO_SLOT;
}

static void free_pending(struct store *store, struct slot *slot, struct pending pending)
{
    if (pending.version != 0)
        arena_free(store, slot, pending.version,
                   version_bytes(store_version(store, pending.version)));
    if (pending.cell != 0) {
        struct cell *cell = store_cell(store, pending.cell);
        if (load_relaxed(&cell->flags) & CELL_FRESH)
            arena_free(store, slot, pending.cell, cell_bytes(cell));
    }
}

void slot_discard_pending(struct store *store, struct slot *slot)
{
    log_discard(store, slot);
    region_ref block = load_relaxed(&slot->pending_block);
    uint32_t count = load_relaxed(&slot->pending_count);
    /* Counting down first: after a death here nothing is freed twice. */
    while (count > 0) {
        struct pending *all = store_at(store, block);
        struct pending last = all[--count];
        if (PLANTED(FREE_BEFORE_COUNTING))
            free_pending(store, slot, last);
        put_relaxed(&slot->pending_count, count);
        if (!PLANTED(FREE_BEFORE_COUNTING))
            free_pending(store, slot, last);
    }
}

void slot_release(struct store *store, struct slot *slot)
{
    slot_discard_pending(store, slot);
    region_ref block = load_relaxed(&slot->pending_block);
    if (block != 0) {
        put_relaxed(&slot->pending_block, 0);
        arena_free(store, slot, block, slot->pending_room * sizeof(struct pending));
        slot->pending_room = 0;
    }
    wait_free(store, slot);
    if (!PLANTED(KEEP_URGENT))
        lock_withdraw(store, slot);
    slot_read_end(slot);
    if (!PLANTED(KEEP_SNAPSHOT))
        slot_unregister(slot);
    show_relaxed(&slot->attempt, 0);
    show_relaxed(&slot->sleep, SLEEP_NOT);
    arena_flush(store, slot);
    uint64_t net = load_relaxed(&slot->stats.allocated_bytes);
    put_relaxed(&slot->stats.allocated_bytes, 0);
    add_relaxed(&store->region->arena.retired_bytes, net);
    put_release(&store->region->given_back, 1); /* Pairs with history_sweep_some. */
    put_release(&slot->owner, 0); /* Pairs with try_claim. */
}

void slot_abandon(struct slot *slot)
{
    put_release(&slot->owner, SLOT_NOBODY); /* Pairs with slot_dead. */
}

bool slot_dead(const struct slot *slot)
{
    uint64_t owner = load_acquire(&slot->owner); /* Pairs with try_claim. */
    return owner != 0 && !platform_process_alive((uint32_t)(owner >> 32), (uint32_t)owner);
}

/* Whether a commit of this slot waits to be recovered. */
static bool unfinished(struct store *store, const struct slot *slot)
{
    return lock_owned_by(store, slot) ||
           load_acquire(&store->region->linking) == slot_number(store, slot) + 1;
}

uint32_t slot_reap(struct store *store, const struct slot *own, bool locked)
{
    uint32_t reaped = 0, count = load_acquire(&store->region->slots_used);
    uint64_t self = own != NULL ? load_relaxed(&own->owner) : own_name();
    for (uint32_t i = 0; i < count; i++) {
        struct slot *slot = &store_slots(store)[i];
        uint64_t owner = load_acquire(&slot->owner); /* Pairs with try_claim. */
        /* Whether it waits is looked at when it is dead: until then it may begin to. */
        if (owner == self || !slot_dead(slot) ||
            (load_relaxed(&slot->waits) != 0 && !locked && !PLANTED(REAP_WAITING)) ||
            (unfinished(store, slot) && !PLANTED(REAP_UNFINISHED)))
            continue;
        /* In the name of the reaper from here on: if it dies too, the next one goes on.
         * Pairs with itself: one reaper releases the slot.  The dead can't take the lock
         * any more, so what was finished stays finished. */
        if (PLANTED(REAP_UNCOMPARED))
            put_release(&slot->owner, self);
        else if (!cas_acq_rel(&slot->owner, &owner, self))
            continue;
        if (locked && !PLANTED(REAP_UNFORGOTTEN))
            wait_forget(store, slot);
        slot_release(store, slot);
        reaped++;
    }
    if (locked)
        log_reap(store);
    return reaped;
}

uint64_t slot_register(struct store *store, struct slot *slot)
{
    shared_u64 *clock = &store->region->clock;
    uint64_t now = load_acquire(clock); /* Pairs with commit_publish. */
    for (;;) {
        if (PLANTED(LATE_SNAPSHOT))
            put_release(&slot->snapshot, now);
        else
            put_seq_cst(&slot->snapshot, now);   /* Pairs with slots_look's loads. */
        uint64_t again = load_seq_cst(clock);    /* Pairs with slots_look's store. */
        if (again == now || PLANTED(NO_CLOCK_RECHECK))
            return now;
        now = again;
    }
}

static int ascending(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

void slots_look(struct store *store, struct slots_view *view)
{
    struct region *region = store->region;
    uint64_t clock = load_relaxed(&region->clock);
    /* Stores the clock anew, sequentially consistent this time, because commits publish it
     * with release only.  Pairs with slot_register's second load. */
    if (!PLANTED(CLOCK_UNSTORED))
        put_seq_cst(&region->clock, clock);
    view->oldest = clock;
    view->min_reading = view->min_txn = view->oldest_weak = UINT64_MAX;
    view->count = 0;
    uint32_t count = load_acquire(&region->slots_used);
    for (uint32_t i = 0; i < count; i++) {
        struct slot *slot = &store_slots(store)[i];
        /* All pair with the reader's sequentially consistent store of the same field. */
        uint64_t snapshot = load_seq_cst(&slot->snapshot);
        uint64_t reading = load_seq_cst(&slot->reading);
        uint64_t txn_epoch = load_seq_cst(&slot->txn_epoch);
        if (reading != 0 && reading < view->min_reading)
            view->min_reading = reading;
        if (txn_epoch != 0 && txn_epoch < view->min_txn)
            view->min_txn = txn_epoch;
        if (snapshot == NO_SNAPSHOT)
            continue;
        if (PLANTED(FORGET_EVICTED) && load_seq_cst(&slot->evicted) == snapshot)
            continue;
        if (snapshot < view->oldest)
            view->oldest = snapshot;
        if (snapshot < view->oldest_weak && load_seq_cst(&slot->weak))
            view->oldest_weak = snapshot;
        if (load_seq_cst(&slot->evicted) != snapshot)
            view->snapshots[view->count++] = snapshot;
    }
    if (view->min_txn > view->min_reading && !PLANTED(CELLS_BY_TXN))
        view->min_txn = view->min_reading;
    qsort(view->snapshots, view->count, sizeof view->snapshots[0], ascending);
}

bool slots_need(const struct slots_view *view, uint64_t from, uint64_t to)
{
    uint32_t count = PLANTED(ONLY_OLDEST) ? view->count > 0 : view->count;
    uint32_t low = 0, high = count; /* the first snapshot >= from is in [low, high] */
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (view->snapshots[middle] < from)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && view->snapshots[low] < to;
}

bool slots_evict_oldest(struct store *store)
{
    struct slot *oldest = NULL;
    /* Giving up the newest snapshot would free nothing. */
    uint64_t snapshot = load_relaxed(&store->region->clock);
    uint32_t count = load_acquire(&store->region->slots_used);
    for (uint32_t i = 0; i < count; i++) {
        struct slot *slot = &store_slots(store)[i];
        uint64_t its = load_seq_cst(&slot->snapshot);
        if (its != NO_SNAPSHOT && its < snapshot && load_relaxed(&slot->evicted) != its) {
            snapshot = its;
            oldest = slot;
        }
    }
    if (oldest == NULL)
        return false;
    /* Names the snapshot, so that a block that began meanwhile is not meant.  Pairs with
     * slot_evicted: what is unlinked afterwards is stored with release after this. */
    put_seq_cst(&oldest->evicted, snapshot);
    return true;
}
