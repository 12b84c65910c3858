/* recover.c - finishing what a dead owner of the commit lock began.
 *
 * Invariant: running it again after dying anywhere in it gives the same result, because
 * every step looks at the region and not at what an earlier step did, and because a block
 * is taken off its record before it is freed.  `linking` and `maintaining` are cleared last.
 *   Links that count are the indexes of versions (`head`, `prev`), of cells (`next`) and of
 * the variables' lists (`first`, `var_next`): each changes by one store.  The dirty queues,
 * the backward links and the amount of history are made anew from them.
 */
#include "recover.h"

#include "history.h"
#include "log.h"
#include "index.h"
#include "variable.h"
#include "wait.h"

static void roll_back(struct store *store, struct pending *pending)
{
    region_ref ref = pending->version;
    if (ref == 0 || pending->cell == 0)
        return;
    struct cell *cell = store_cell(store, pending->cell);
    struct version *version = store_version(store, ref);
    if (PLANTED(SUM_SURVIVES) && load_relaxed(&cell->head) == ref) {
        pending->version = 0;
        return;
    }
    if (PLANTED(FORGET_FIRST))
        pending->version = 0;
    if (load_relaxed(&cell->head) == ref)
        put_release(&cell->head, load_relaxed(&version->prev)); /* Pairs with `visible`. */
    if (load_relaxed(&cell->flags) & CELL_FRESH)
        return; /* never linked: slot_discard_pending frees both */
    /* A reader may be passing over the version, so it is not freed here. */
    if (PLANTED(RETIRE_FIRST)) {
        history_retire_version(store, ref);
        (void)load_relaxed(&cell->head); /* a step, for a death in between */
    }
    pending->version = 0;
    if (!PLANTED(RETIRE_FIRST))
        history_retire_version(store, ref);
}

/* The pending array of the dead owner: its commit is undone, or done already. */
static void finish_commit(struct store *store, struct slot *dead)
{
    struct pending *pending = store_at(store, load_relaxed(&dead->pending_block));
    uint32_t count = load_relaxed(&dead->pending_count);
    uint64_t clock = load_relaxed(&store->region->clock);
    bool published = false;
    for (uint32_t i = 0; i < count && !published; i++) {
        published = pending[i].cell != 0 && pending[i].version != 0 &&
                    load_relaxed(&store_version(store, pending[i].version)->ts) <= clock;
    }
    for (uint32_t i = 0; i < count && !published && !PLANTED(FORGET_LINKING); i++)
        roll_back(store, &pending[i]);
    log_recover(store, dead);
    if (published && !PLANTED(PUBLISHED_KEPT))
        put_relaxed(&dead->pending_count, 0);
}

static uint64_t chain_history(const struct store *store, const struct cell *cell)
{
    uint64_t bytes = 0;
    region_ref ref = load_relaxed(&cell->head);
    if (ref != 0)
        ref = load_relaxed(&store_version(store, ref)->prev);
    while (ref != 0) {
        const struct version *version = store_version(store, ref);
        bytes += arena_rounded(version_bytes(version));
        ref = load_relaxed(&version->prev);
    }
    return bytes;
}

static uint64_t rebuild_cell(struct store *store, region_ref ref)
{
    struct cell *cell = store_cell(store, ref);
    put_relaxed(&cell->flags, load_relaxed(&cell->flags) & (uint16_t)~CELL_QUEUED);
    uint64_t bytes = chain_history(store, cell);
    region_ref head = load_relaxed(&cell->head);
    if (bytes > 0 || head == 0 || !version_live(store_version(store, head)))
        history_mark(store, &store->region->left_over, ref);
    return bytes;
}

static uint64_t rebuild_variable(struct store *store, region_ref ref)
{
    struct variable *variable = store_variable(store, ref);
    variable_repair(store, ref);
    uint64_t bytes = rebuild_cell(store, variable->structure);
    for (region_ref at = load_relaxed(&variable->first), next; at != 0; at = next) {
        next = load_relaxed(&store_cell(store, at)->var_next);
        if (load_relaxed(&store_cell(store, at)->flags) & CELL_DEAD)
            history_bury(store, at); /* its owner did not get to the end of it */
        else
            bytes += rebuild_cell(store, at);
    }
    return bytes;
}

void recover_repair(struct store *store)
{
    struct region *region = store->region;
    uint32_t linking = load_relaxed(&region->linking);
    if (PLANTED(CLEAR_LINKING_FIRST))
        put_release(&region->linking, 0);
    if (linking != 0)
        finish_commit(store, &store_slots(store)[linking - 1]);
    region->left_over = (struct dirty_queue){0};
    uint32_t used = load_acquire(&region->slots_used); /* Pairs with slot_claim. */
    for (uint32_t i = 0; i < used && !PLANTED(KEEP_DIRTY); i++)
        store_slots(store)[i].dirty = (struct dirty_queue){0};
    uint64_t bytes = 0;
    region_ref ref = load_relaxed(&region->variables);
    for (; ref != 0; ref = load_relaxed(&store_variable(store, ref)->next))
        bytes += rebuild_variable(store, ref);
    if (!PLANTED(BYTES_KEPT))
        put_relaxed(&region->history_bytes, bytes);
    wait_mark_all(store); /* the dead owner may not have got to it; who is woken for
                             nothing waits again */
    put_release(&region->maintaining, 0); /* Pairs with recover_unfinished. */
    put_release(&region->linking, 0);     /* Pairs with recover_unfinished. */
    slot_reap(store, NULL, true);
}
