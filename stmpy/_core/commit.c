/* commit.c - linking and the commit point.
 *
 * Invariant: the clock is the number of the last commit, and every linked version with
 * ts <= clock belongs to a commit of which all versions are linked.  Safe because only the
 * owner of the commit lock links, because it stores the clock after its last link, and
 * because everybody else skips versions newer than the clock they have read.  That store
 * of the clock is the commit point: a death before it is rolled back by the next owner
 * from the dead slot's pending array, a death after it leaves a complete commit.
 *   What was read is checked outside the lock first when it is much (check.c).  Inside,
 * nothing allocates, calls Python or sleeps.
 */
#include "check.h"
#include "durable.h"
#include "history.h"
#include "lock.h"
#include "log.h"
#include "stats.h"
#include "trace.h"
#include "variable.h"
#include "wait.h"

#include <string.h>

#define CHECK_INSIDE SCALED(16u, 1u) /* read sets up to this size are checked under the lock alone */
#define BULK SCALED(64u, 4u) /* what brings more keys has the index grow before, not after */

/* ---- linking ---------------------------------------------------------------------------- */

/* The structure's version carries a difference until now. */
static void settle_count(struct txn *txn, region_ref cell, struct version *version)
{
    uint64_t count, change;
    const struct version *head = check_head(txn, cell);
    if (PLANTED(COUNT_AT_SNAPSHOT) && load_relaxed(&head->ts) > txn->snapshot)
        head = store_version(txn->store, load_relaxed(&head->prev));
    memcpy(&count, head->payload, sizeof count);
    memcpy(&change, version->payload, sizeof change);
    count += change;
    memcpy(version->payload, &count, sizeof count);
    TRACE(txn->slot, "settle_count", 0, count);
}

static void link_version(struct txn *txn, struct pending pending, uint64_t ts)
{
    struct store *store = txn->store;
    struct cell *cell = store_cell(store, pending.cell);
    struct version *version = store_version(store, pending.version);
    uint16_t flags = load_relaxed(&cell->flags);
    if (flags & CELL_STRUCTURE)
        settle_count(txn, pending.cell, version);
    else if (version->shape & VERSION_UNSETTLED)
        txn_settle_version(txn, check_head(txn, pending.cell), version);
    region_ref older = load_relaxed(&cell->head);
    if (PLANTED(PUBLISH_BEFORE_LINK))
        put_release(&cell->head, pending.version);
    put_relaxed(&version->prev, older);
    put_relaxed(&version->ts, ts);
    if (PLANTED(LIST_LAST) && flags & CELL_FRESH)
        index_insert(store, pending.cell);
    if (flags & CELL_FRESH) {
        /* Not ours alone from here on; into the list first and the index last, so that a
         * key which can be found can also be walked to. */
        put_relaxed(&cell->flags, flags & (uint16_t)~CELL_FRESH);
        variable_append(store, pending.cell);
    }
    if (PLANTED(RELAXED_HEAD))
        put_relaxed(&cell->head, pending.version);
    else
        put_release(&cell->head, pending.version); /* Pairs with `visible` in txn.c. */
    if (flags & CELL_FRESH && !PLANTED(LIST_LAST))
        index_insert(store, pending.cell);
    TRACE(txn->slot, "link_version", txn_cell_order(cell), ts);
}

/* Counts the cell; and writes it down if a check outside has asked for it lately, as that
 * costs a cache line more which changes hands between those who commit.  A check that finds
 * something left blank looks at all that it has read, so it may ask too late. */
static void note_recent(struct region *region, region_ref cell)
{
    uint64_t count = load_relaxed(&region->recent_count);
    if (count < load_relaxed(&region->recent_wanted))
        put_relaxed(&region->recent[count % RECENT_CELLS], cell);
    else
        put_relaxed(&region->recent_blank, count + 1);
    put_release(&region->recent_count, count + 1); /* Pairs with check_outside. */
}

static void note_history(struct store *store, struct slot *slot, struct pending pending)
{
    const struct version *version = store_version(store, pending.version);
    region_ref old = load_relaxed(&version->prev);
    if (old != 0 || !version_live(version))
        history_superseded(store, slot, pending.cell, old);
}

/* Before the clock is moved: who sees the commit sees the marks.  Who wakes that early can't
 * wait again before the lock is released. */
static void mark_waiters(struct store *store, const struct pending *pending, uint32_t count,
                         struct wake_list *wakes)
{
    if (load_relaxed(&store->region->waiting) == 0)
        return;
    for (uint32_t i = 0; i < count; i++) {
        if (pending[i].cell != 0)
            wait_collect(store, pending[i].cell, wakes);
    }
}

/* Links everything, moves the clock, and puts the old versions on record. */
static void publish(struct txn *txn, struct wake_list *wakes)
{
    struct store *store = txn->store;
    struct region *region = store->region;
    struct slot *slot = txn->slot;
    struct pending *pending = txn_pending(txn);
    uint32_t count = load_relaxed(&slot->pending_count);
    uint64_t ts = load_relaxed(&region->clock) + 1;
    if (!PLANTED(LOG_STAMP_LATE))
        log_stamp(store, slot, ts);
    /* Release: the pending array is complete.  Pairs with recover_unfinished. */
    if (!PLANTED(LINKING_LATE))
        put_release(&region->linking, slot_number(store, slot) + 1);
    for (uint32_t i = 0; i < count; i++) {
        if (PLANTED(CLOCK_BEFORE_LAST_LINK) && i + 1 == count)
            put_release(&region->clock, ts);
        if (pending[i].cell != 0) {
            if (PLANTED(NOTE_BEFORE_LINK))
                note_recent(region, pending[i].cell);
            link_version(txn, pending[i], ts);
            if (!PLANTED(NOTE_BEFORE_LINK))
                note_recent(region, pending[i].cell);
            TRACE(slot, "note_recent", 0, load_relaxed(&region->recent_count));
        }
    }
    if (PLANTED(LINKING_LATE))
        put_release(&region->linking, slot_number(store, slot) + 1);
    log_settle(store, slot);
    if (!PLANTED(MARK_AFTER_CLOCK))
        mark_waiters(store, pending, count, wakes);
    TRACE(slot, "wait_collect", 0, wakes->count);
    if (PLANTED(CLEAR_BEFORE_CLOCK))
        put_release(&region->linking, 0);
    if (PLANTED(LOG_BEFORE_CLOCK))
        wakes->followers = log_append(store, slot);
    put_release(&region->clock, ts); /* THE commit point.  Pairs with slot_register. */
    TRACE(slot, "publish", 0, ts);
    if (PLANTED(MARK_AFTER_CLOCK))
        mark_waiters(store, pending, count, wakes);
    if (PLANTED(LOG_STAMP_LATE))
        log_stamp(store, slot, ts);
    txn->committed = ts;
    if (!PLANTED(LOG_BEFORE_CLOCK))
        wakes->followers = log_append(store, slot);
    for (uint32_t i = 0; i < count; i++) {
        if (pending[i].cell != 0)
            note_history(store, slot, pending[i]);
        else if (pending[i].version != 0)
            arena_free(store, slot, pending[i].version,
                       version_bytes(store_version(store, pending[i].version)));
    }
    if (PLANTED(CLEAR_BEFORE_COUNT))
        put_release(&region->linking, 0);
    put_relaxed(&slot->pending_count, 0);
    put_release(&region->linking, 0); /* Pairs with recover_unfinished. */
}

/* ---- the whole of it ------------------------------------------------------------------------ */

/* What can be made before the lock is taken. */
static enum stm_status prepare(struct txn *txn)
{
    enum stm_status status = STM_OK;
    if (!txn->prepared) {
        log_discard(txn->store, txn->slot); /* functions have run again since */
        if (txn->count > BULK)
            index_grow(txn->store, txn->slot, load_relaxed(&txn->slot->pending_count));
        status = txn_prepare_structures(txn);
        txn->prepared = status == STM_OK;
    }
    if (status == STM_OK && log_followed(txn->store) && load_relaxed(&txn->slot->log_first) == 0)
        status = log_prepare(txn->store, txn->slot);
    return status;
}

/* With the commit lock; releases it. */
static enum stm_status commit_locked(struct txn *txn, bool checked, uint64_t before)
{
    struct store *store = txn->store;
    txn->moved = false;
    bool alone = load_relaxed(&store->region->clock) == txn->snapshot;
    bool valid = alone || PLANTED(SKIP_VALIDATION) || txn->flags & TXN_SERIAL ||
                 (checked ? check_recent(txn, before) : txn_reads_unchanged(txn));
    valid = valid && check_writes(txn);
    TRACE(txn->slot, "commit_locked", 0, valid);
    if (!valid) {
        lock_release(store);
        txn->flags &= ~(uint32_t)TXN_SERIAL;
        return txn->moved ? STM_MOVED : STM_CONFLICT;
    }
    uint32_t written = load_relaxed(&txn->slot->pending_count);
    struct wake_list wakes;
    wakes.count = 0;
    publish(txn, &wakes);
    stats_count_commit(txn, written);
    slot_unregister(txn->slot);
    txn->snapshot = NO_SNAPSHOT;
    history_sweep_some(store, txn->slot);
    uint64_t crowded = index_crowded(store);
    lock_release(store);
    txn->flags &= ~(uint32_t)TXN_SERIAL;
    wait_wake(store, &wakes);
    log_wake(store, wakes.followers);
    if (crowded != 0)
        index_grow(store, txn->slot, crowded);
    return STM_OK;
}

/* Takes the lock, when the log has room for what this commit adds. */
static enum stm_status lock_to_commit(struct txn *txn, bool may_sleep, uint64_t deadline_ns)
{
    struct store *store = txn->store;
    if (!may_sleep)
        return log_crowded(store) ? STM_BUSY : lock_try(store, txn->slot);
    enum stm_status status = log_wait_for_room(store, txn->slot, deadline_ns);
    return status != STM_OK ? status : lock_acquire(store, txn->slot, deadline_ns);
}

enum stm_status txn_become_serial(struct txn *txn)
{
    if (!txn_reads_unchanged(txn) && !PLANTED(BLIND_SERIAL)) {
        lock_release(txn->store);
        return STM_CONFLICT;
    }
    txn->flags |= TXN_SERIAL;
    return STM_OK;
}

enum stm_status txn_commit(struct txn *txn, bool may_sleep, uint64_t deadline_ns)
{
    struct store *store = txn->store;
    if (load_relaxed(&txn->slot->pending_count) == 0) {
        TRACE(txn->slot, "txn_commit", 0, 0);
        stats_count_commit(txn, 0);
        if (txn->flags & TXN_SERIAL)
            lock_release(store); /* nothing is left to do that others must wait for */
        txn->flags &= ~(uint32_t)TXN_SERIAL;
        return STM_OK;
    }
    if (durable_refuses(store))
        return STM_FAILED;
    enum stm_status status = prepare(txn);
    if (status != STM_OK)
        return status;
    if (txn->flags & TXN_SERIAL)
        return commit_locked(txn, false, 0);
    uint64_t before = 0;
    bool checked = txn->count > CHECK_INSIDE && !(txn->flags & TXN_SNAPSHOT) &&
                   load_relaxed(&store->region->clock) != txn->snapshot;
    TRACE(txn->slot, "txn_commit", 0, checked);
    if (checked && !check_outside(txn, &before))
        return STM_CONFLICT;
    status = lock_to_commit(txn, may_sleep, deadline_ns);
    if (status != STM_OK)
        return status;
    if (log_followed(store) && load_relaxed(&txn->slot->log_first) == 0 &&
        !PLANTED(FOLLOW_UNSEEN)) {
        /* Somebody has begun to follow since: again, with a record. */
        lock_release(store);
        return txn_commit(txn, may_sleep, deadline_ns);
    }
    return commit_locked(txn, checked, before);
}
