/* history.c - pruning chains, removing dead cells, and limbo.
 *
 * Invariant: for every registered snapshot s that was not given up and every cell, the
 * newest version with ts <= s is in the chain.
 *   Why a version may be freed at once.  Let V's successor S have S.ts <= oldest.  Every
 * registered snapshot stops at S or before, and slot.c guarantees that a snapshot not yet
 * seen is not older than `oldest`: nobody can be on V or get there.
 *   Why others wait in limbo.  A reader passes over versions newer than its snapshot, so it
 * may stand on what is cut out of the middle.  It announced its epoch before it started;
 * the block goes to the list that is being filled, and the epoch moves on.  When the other
 * list is empty the two change places, and the list that waits is tagged with the epoch of
 * that moment: as soon as no slot shows that epoch or an older one, everybody who could
 * have met a block of it is gone.  The lists are linked through words of the blocks that
 * no reader follows, so retiring needs no memory and cannot fail.
 *   A cell whose chain holds nothing but a tombstone reads as absent at every snapshot.
 * Transactions remember cells, so it waits for them too, and CELL_DEAD makes those that
 * still hold it start again.
 */
#include "history.h"

#include "index.h"
#include "variable.h"

#define SWEEP_DEBT SCALED(16u, 2u)
#define SWEEP_SLOTS 16u /* with so many slots more, sweeps come one version later: each looks at all */
#define SWEEP_EXTRA SCALED(8u, 1u)
#define LOOK_FOR_DEAD SCALED(256u, 4u) /* sweeps between two looks for processes that were killed */
#define HURRY 8u /* times as many cells per sweep while the history is over its limit */

/* ---- limbo -------------------------------------------------------------------------- */

static shared_u32 *limbo_filled(struct limbo *limbo)
{
    return &limbo->lists[load_relaxed(&limbo->filled)];
}

void history_retire_version(struct store *store, region_ref ref)
{
    shared_u32 *list = limbo_filled(&store->region->limbo[LIMBO_VERSIONS]);
    put_relaxed(&store_version(store, ref)->site, load_relaxed(list));
    put_release(list, ref); /* Release: linked on before it is on record, for who recovers. */
}

static void retire_cell(struct store *store, region_ref ref)
{
    shared_u32 *list = limbo_filled(&store->region->limbo[LIMBO_CELLS]);
    store_cell(store, ref)->dirty_next = load_relaxed(list);
    put_release(list, ref); /* As above. */
}

static void free_version(struct store *store, struct slot *slot, region_ref ref)
{
    arena_free(store, slot, ref, version_bytes(store_version(store, ref)));
}

/* Takes the blocks off the record one by one, so that a death frees none of them twice. */
static void free_versions(struct store *store, struct slot *slot, shared_u32 *list)
{
    for (region_ref ref; (ref = load_relaxed(list)) != 0;) {
        region_ref next = load_relaxed(&store_version(store, ref)->site);
        if (PLANTED(LIMBO_FREE_FIRST))
            free_version(store, slot, ref);
        put_release(list, next);
        if (!PLANTED(LIMBO_FREE_FIRST))
            free_version(store, slot, ref);
    }
}

/* A dead cell goes together with its tombstone. */
static void free_cells(struct store *store, struct slot *slot, shared_u32 *list)
{
    for (region_ref ref; (ref = load_relaxed(list)) != 0;) {
        struct cell *cell = store_cell(store, ref);
        region_ref tombstone = load_relaxed(&cell->head);
        put_release(list, cell->dirty_next);
        if (tombstone != 0)
            free_version(store, slot, tombstone);
        arena_free(store, slot, ref, cell_bytes(cell));
    }
}

/* Frees what nobody can look at any more: all slots are past the epochs before `safe`. */
static void collect(struct store *store, struct slot *slot, enum limbo_kind kind, uint64_t safe)
{
    struct limbo *limbo = &store->region->limbo[kind];
    for (;;) {
        uint32_t filled = load_relaxed(&limbo->filled);
        shared_u32 *waiting = &limbo->lists[filled ^ 1];
        if (load_relaxed(waiting) != 0) {
            if (limbo->tag >= safe && !(PLANTED(SHORT_GRACE) && limbo->tag < safe + 2))
                return;
            if (kind == LIMBO_VERSIONS)
                free_versions(store, slot, waiting);
            else
                free_cells(store, slot, waiting);
        }
        if (load_relaxed(&limbo->lists[filled]) == 0)
            return;
        limbo->tag = load_relaxed(&store->region->epoch);
        put_release(&limbo->filled, filled ^ 1); /* Release: the tag is that of the new list. */
    }
}

/* ---- one cell ----------------------------------------------------------------------- */

static void forget_history(struct store *store, size_t bytes)
{
    bump_relaxed(&store->region->history_bytes, (uint64_t)0 - arena_rounded(bytes));
}

static void free_tail(struct store *store, struct slot *slot, struct version *newest_kept)
{
    region_ref ref = load_relaxed(&newest_kept->prev);
    put_relaxed(&newest_kept->prev, 0);
    while (ref != 0) {
        struct version *version = store_version(store, ref);
        region_ref older = load_relaxed(&version->prev);
        forget_history(store, version_bytes(version));
        free_version(store, slot, ref);
        ref = older;
    }
}

/* Drops what no snapshot needs. */
static void prune(struct store *store, struct slot *slot, const struct slots_view *view,
                  struct cell *cell)
{
    region_ref head = load_relaxed(&cell->head);
    if (head == 0)
        return;
    struct version *newer = store_version(store, head);
    for (;;) {
        uint64_t newer_ts = load_relaxed(&newer->ts);
        if (newer_ts <= view->oldest + PLANTED(FREE_EARLY)) {
            free_tail(store, slot, newer);
            return;
        }
        region_ref ref = load_relaxed(&newer->prev);
        if (ref == 0)
            return;
        struct version *version = store_version(store, ref);
        if (slots_need(view, load_relaxed(&version->ts), newer_ts)) {
            newer = version;
            continue;
        }
        /* Release: a reader that misses the version sees that it was given up.  Pairs
         * with the acquire loads of the reader's walk. */
        put_release(&newer->prev, load_relaxed(&version->prev));
        forget_history(store, version_bytes(version));
        if (PLANTED(NO_LIMBO))
            free_version(store, slot, ref);
        else
            history_retire_version(store, ref);
    }
}

/* True if the cell reads as absent at every snapshot.  Under snapshot isolation a block that
 * found the key absent must also see that it has come and gone since: the cell tells. */
static bool absent_for_all(const struct store *store, const struct slots_view *view,
                           const struct cell *cell)
{
    region_ref head = load_relaxed(&cell->head);
    if (load_relaxed(&cell->flags) & CELL_STRUCTURE)
        return false;
    if (head == 0)
        return true;
    const struct version *version = store_version(store, head);
    return !version_live(version) &&
           (load_relaxed(&version->prev) == 0 || PLANTED(LOST_TOMBSTONE)) &&
           (load_relaxed(&version->ts) <= view->oldest_weak || PLANTED(WEAK_IGNORED));
}

void history_bury(struct store *store, region_ref ref)
{
    struct cell *cell = store_cell(store, ref);
    /* Release: who finds the cell through its read set sees the mark or an older, valid
     * state; commits look under the lock. */
    put_release(&cell->flags, load_relaxed(&cell->flags) | CELL_DEAD);
    index_remove(store, ref);
    variable_remove(store, ref);
    retire_cell(store, ref);
}

/* ---- the dirty queues --------------------------------------------------------------- */

void history_mark(struct store *store, struct dirty_queue *queue, region_ref ref)
{
    struct cell *cell = store_cell(store, ref);
    uint16_t flags = load_relaxed(&cell->flags);
    if (flags & CELL_QUEUED)
        return;
    put_relaxed(&cell->flags, flags | CELL_QUEUED);
    cell->dirty_next = 0;
    if (queue->first == 0)
        queue->first = ref;
    else
        store_cell(store, queue->last)->dirty_next = ref;
    queue->last = ref;
    queue->count++;
}

static region_ref unqueue(struct store *store, struct dirty_queue *queue)
{
    region_ref ref = queue->first;
    struct cell *cell = store_cell(store, ref);
    queue->first = cell->dirty_next;
    queue->count--;
    put_relaxed(&cell->flags, load_relaxed(&cell->flags) & (uint16_t)~CELL_QUEUED);
    return ref;
}

/* Takes over what all threads have queued, behind what was taken over before. */
static void gather(struct store *store)
{
    struct dirty_queue *all = &store->region->left_over;
    uint32_t count = load_acquire(&store->region->slots_used); /* Pairs with slot_claim. */
    for (uint32_t i = 0; i < count; i++) {
        struct dirty_queue *one = &store_slots(store)[i].dirty;
        if (one->first == 0)
            continue;
        if (all->first == 0 || PLANTED(GATHER_LOSES))
            all->first = one->first;
        else
            store_cell(store, all->last)->dirty_next = one->first;
        all->last = one->last;
        all->count += one->count;
        *one = (struct dirty_queue){0};
    }
}

void history_superseded(struct store *store, struct slot *slot, region_ref cell, region_ref old)
{
    if (old != 0)
        bump_relaxed(&store->region->history_bytes,
                     arena_rounded(version_bytes(store_version(store, old))));
    slot->sweep_debt++;
    history_mark(store, &slot->dirty, cell);
}

static void sweep_cell(struct store *store, struct slot *slot, const struct slots_view *view,
                       struct dirty_queue *queue)
{
    region_ref ref = unqueue(store, queue);
    struct cell *cell = store_cell(store, ref);
    prune(store, slot, view, cell);
    if (absent_for_all(store, view, cell)) {
        history_bury(store, ref);
        return;
    }
    const struct version *head = store_version(store, load_relaxed(&cell->head));
    if (load_relaxed(&head->prev) != 0 || !version_live(head))
        history_mark(store, queue, ref);
}

/* Sweeps up to so many cells of the queue, each once; returns how many. */
static uint64_t sweep_queue(struct store *store, struct slot *slot,
                            const struct slots_view *view, struct dirty_queue *queue,
                            uint64_t cells)
{
    if (cells > queue->count)
        cells = queue->count;
    for (uint64_t i = 0; i < cells; i++)
        sweep_cell(store, slot, view, queue);
    return cells;
}

/* Sweeps so many cells that the slot has queued, and as many that were left over; those of
 * everybody if `all`.  Returns how many of the latter. */
static uint64_t sweep(struct store *store, struct slot *slot, bool all, uint64_t cells)
{
    struct region *region = store->region;
    struct slots_view view;
    slots_look(store, &view);
    if (!PLANTED(SWEEP_UNSAID))
        put_release(&region->maintaining, 1); /* Pairs with recover_unfinished. */
    collect(store, slot, LIMBO_VERSIONS, view.min_reading);
    collect(store, slot, LIMBO_CELLS, view.min_txn);
    if (all)
        gather(store);
    sweep_queue(store, slot, &view, &slot->dirty, cells);
    uint64_t swept = sweep_queue(store, slot, &view, &region->left_over, cells);
    slot->sweep_debt = 0;
    /* Sequentially consistent: all unlinking stores come before the next look at the
     * slots.  Pairs with slot_read_begin. */
    put_seq_cst(&region->epoch, load_relaxed(&region->epoch) + 1);
    put_release(&region->maintaining, 0); /* Pairs with recover_unfinished. */
    return swept;
}

static bool over_limit(const struct region *region)
{
    return load_relaxed(&region->history_bytes) > region->history_limit;
}

/* Every cell gets its turn between two evictions, so that no snapshot is given up while
 * there is history that nobody needs; and the dead go first. */
static void keep_to_limit(struct store *store, struct slot *slot, uint64_t swept)
{
    struct region *region = store->region;
    if (!over_limit(region)) {
        region->evict_after = 0;
        return;
    }
    if (region->evict_after > swept) {
        region->evict_after -= swept;
        return;
    }
    /* All cells were gathered before the first of them was counted. */
    bool turned = region->evict_after != 0;
    if (!turned || slot_reap(store, slot, true) > 0 || slots_evict_oldest(store))
        region->evict_after = region->left_over.count + 1;
}

void history_sweep_some(struct store *store, struct slot *slot)
{
    struct region *region = store->region;
    if (slot->sweep_debt < SWEEP_DEBT + load_relaxed(&region->slots_used) / SWEEP_SLOTS)
        return;
    bool over = over_limit(region), now_and_then = ++region->sweeps % LOOK_FOR_DEAD == 0;
    /* Pairs with slot_release: the cells that a slot has left are there. */
    bool left = load_acquire(&region->given_back) != 0;
    if (left)
        put_relaxed(&region->given_back, 0);
    uint64_t cells = (2 * slot->sweep_debt + SWEEP_EXTRA) * (over ? HURRY : 1);
    uint64_t swept = sweep(store, slot, over || now_and_then || left, cells);
    /* A process killed in a block pins what its snapshot shows and all of limbo. */
    if (now_and_then)
        slot_reap(store, slot, true);
    keep_to_limit(store, slot, swept);
}

void history_sweep_all(struct store *store, struct slot *slot, bool evict)
{
    slot_reap(store, slot, true);
    sweep(store, slot, true, UINT64_MAX);
    if (!evict || !slots_evict_oldest(store))
        return;
    sweep(store, slot, true, UINT64_MAX);
}
