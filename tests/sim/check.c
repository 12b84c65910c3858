/* check.c - what must be true of a region after any schedule.
 *
 * The main program takes the lock, and with it mends what the dead left; every key has the
 * value that the oracle says; after a sweep nothing old is left; and every block of the
 * arena is either reachable or free in exactly one list.  A death may cost the few blocks
 * that were in the hands of the dead.
 */
#include "sim.h"

#define LEAKED_BLOCKS 12u

static struct seat *const looker = &seats[FIBRES];
static uint64_t reached_bytes, reached_blocks;

static void take_lock(void)
{
    while (lock_acquire(looker->store, looker->slot, NO_DEADLINE) == STM_INTERRUPTED)
        ;
}

/* ---- contents ----------------------------------------------------------------------------------- */

static void check_variable(unsigned variable, const uint64_t all[KEYS])
{
    uint64_t expected[KEYS], walked[KEYS], count = 0;
    memcpy(expected, all, sizeof expected);
    oracle_keep_variable(expected, variable);
    if (txn_size(&looker->txn, looker->tables[variable], &count) != STM_OK ||
        count != oracle_count(expected))
        sim_fail("%llu keys are counted, and %llu are there", (unsigned long long)count,
                 (unsigned long long)oracle_count(expected));
    if (seat_walk(looker, variable, walked) != STM_OK ||
        memcmp(walked, expected, sizeof walked) != 0)
        sim_fail("a walk at the end does not meet the keys that are there");
}

static void check_contents(void)
{
    const uint64_t *expected = oracle_final();
    uint64_t contents[KEYS];
    struct txn *txn = &looker->txn;
    txn_begin(txn, looker->store, looker->slot, TXN_READ_ONLY);
    if (txn->snapshot != oracle_clock_now())
        sim_fail("the clock is %llu, not %llu", (unsigned long long)txn->snapshot,
                 (unsigned long long)oracle_clock_now());
    for (unsigned i = 0; i < KEYS; i++) {
        if (seat_get(looker, i, &contents[i]) != STM_OK || contents[i] != expected[i])
            sim_fail("key %u ends as %llx, not %llx", i, (unsigned long long)contents[i],
                     (unsigned long long)expected[i]);
    }
    for (unsigned i = 0; i < VARIABLES; i++)
        check_variable(i, expected);
    txn_end(txn);
}

/* A commit must still get through. */
static void check_commit(void)
{
    struct txn *txn = &looker->txn;
    txn_begin(txn, looker->store, looker->slot, 0);
    enum stm_status status = seat_put(looker, KEYS - 1, 1);
    if (status == STM_OK)
        status = seat_put(looker, 0, 1);
    if (status == STM_OK)
        status = txn_commit(txn, true, NO_DEADLINE);
    txn_end(txn);
    if (status != STM_OK)
        sim_fail("a block alone does not commit at the end: %d", status);
}

/* ---- nothing old -------------------------------------------------------------------------------- */

static void check_slots(const struct store *store)
{
    for (uint32_t i = 0; i < load_relaxed(&store->region->slots_used); i++) {
        const struct slot *slot = &store_slots(store)[i];
        if (slot != looker->slot && load_relaxed(&slot->owner) != 0)
            sim_fail("slot %u was not given back", i);
        if (load_relaxed(&slot->snapshot) != NO_SNAPSHOT || load_relaxed(&slot->reading) != 0 ||
            load_relaxed(&slot->txn_epoch) != 0)
            sim_fail("slot %u still holds something back", i);
        if (slot->dirty.first != 0 || slot->dirty.count != 0)
            sim_fail("slot %u has cells that nobody sweeps", i);
    }
}

static void check_header(const struct region *region)
{
    if (load_relaxed(&region->lock) != 0 || load_relaxed(&region->linking) != 0 ||
        load_relaxed(&region->maintaining) != 0)
        sim_fail("a commit is not over");
    if (load_relaxed(&region->urgent) != 0)
        sim_fail("slot %u is urgent for ever", load_relaxed(&region->urgent) - 1);
    if (region->left_over.count != 0 || region->left_over.first != 0)
        sim_fail("cells are still to be swept");
    if (load_relaxed(&region->history_bytes) != 0)
        sim_fail("%llu bytes of history too many",
                 (unsigned long long)load_relaxed(&region->history_bytes));
    for (int kind = 0; kind < LIMBO_KINDS; kind++) {
        for (int side = 0; side < 2; side++) {
            if (load_relaxed(&region->limbo[kind].lists[side]) != 0)
                sim_fail("blocks are still in limbo");
        }
    }
    const struct log *log = &region->log;
    if (load_relaxed(&log->followed) != 0 || load_relaxed(&log->first) != 0 ||
        load_relaxed(&log->last) != 0)
        sim_fail("the log is not empty, and nobody follows");
    for (unsigned i = 0; i < WAIT_BUCKETS; i++) {
        if (load_relaxed(&region->waiters[i]) != 0)
            sim_fail("somebody who has gone is still waited for");
    }
}

/* ---- the arena ------------------------------------------------------------------------------------ */

static void reach(region_ref ref, size_t bytes, const char *what)
{
    if (!memory_is_block(ref, bytes))
        sim_fail("%s is not a live block", what);
    reached_bytes += arena_rounded(bytes);
    reached_blocks++;
}

static void reach_cell(const struct store *store, region_ref ref)
{
    const struct cell *cell = store_cell(store, ref);
    reach(ref, cell_bytes(cell), "a cell");
    region_ref head = load_relaxed(&cell->head);
    if (head == 0)
        sim_fail("a cell without a version is left");
    const struct version *version = store_version(store, head);
    reach(head, version_bytes(version), "a version");
    if (load_relaxed(&version->prev) != 0 || !version_live(version))
        sim_fail("an old version is left");
}

static uint64_t reach_variable(const struct store *store, region_ref which)
{
    const struct variable *variable = store_variable(store, which);
    uint64_t cells = 0;
    reach(which, sizeof *variable + variable->name_length, "the variable");
    reach_cell(store, variable->structure);
    region_ref before = 0, ref = load_relaxed(&variable->first);
    for (; ref != 0; cells++) {
        reach_cell(store, ref);
        if (store_cell(store, ref)->var_prev != before)
            sim_fail("the list of keys has a wrong link back");
        before = ref;
        ref = load_relaxed(&store_cell(store, ref)->var_next);
    }
    if (variable->last != before)
        sim_fail("the list of keys has a wrong end");
    return cells;
}

static uint64_t free_list(const struct store *store, region_ref ref)
{
    uint64_t count = 0;
    for (; ref != 0; count++) {
        if (!memory_is_free(ref) || count > 100000)
            sim_fail("a list of free blocks holds one that is in use, or is a ring");
        ref = load_relaxed(&store_chunk(store, ref)->link);
    }
    return count;
}

static uint64_t free_bytes(const struct store *store)
{
    uint64_t bytes = 0;
    size_t size = 16;
    for (unsigned class = 0; class < ARENA_CLASSES; class++, size = arena_rounded(size + 1)) {
        uint64_t blocks = free_list(store, load_relaxed(&looker->slot->magazines[class].head));
        region_ref batch = (region_ref)load_relaxed(&store->region->arena.stacks[class]);
        for (; batch != 0; batch = load_relaxed(&store_chunk(store, batch)->batch))
            blocks += free_list(store, batch);
        bytes += blocks * size;
    }
    return bytes;
}

static void check_arena(struct store *store)
{
    uint64_t live = memory_live_bytes(), blocks = memory_live_blocks();
    if (run.deaths == 0 && arena_used(store) != live)
        sim_fail("%llu bytes are counted as used, and %llu are",
                 (unsigned long long)arena_used(store), (unsigned long long)live);
    if (reached_bytes > live || (run.deaths == 0 && reached_bytes != live) ||
        blocks - reached_blocks > LEAKED_BLOCKS * run.deaths)
        sim_fail("%llu of %llu blocks in use cannot be reached",
                 (unsigned long long)(blocks - reached_blocks), (unsigned long long)blocks);
    uint64_t start = store->mapped_bytes - store_arena_bytes(store);
    uint64_t carved = load_relaxed(&store->region->arena.top) - start;
    memory_enter_arena(true);
    uint64_t unused = free_bytes(store);
    memory_enter_arena(false);
    if (unused + live > carved || (run.deaths == 0 && unused + live != carved))
        sim_fail("%llu bytes live and %llu free, of %llu", (unsigned long long)live,
                 (unsigned long long)unused, (unsigned long long)carved);
}

void check_world(struct store *store)
{
    take_lock();
    lock_release(store);
    check_contents();
    for (unsigned i = 0; i < run.count; i++) {
        if (run.fibres[i].state == FIBRE_DONE && seats[i].slot != NULL)
            follow_finish(i, &seats[i]);
    }
    for (unsigned i = 0; i < FIBRES; i++) {
        if (i < run.count && seats[i].slot != NULL && run.fibres[i].state == FIBRE_DONE)
            slot_release(store, seats[i].slot);
    }
    take_lock();
    for (int round = 0; round < 3; round++)
        history_sweep_all(store, looker->slot, false);
    lock_release(store);
    follow_succeed(looker);
    check_slots(store);
    check_header(store->region);
    check_contents();
    const struct index *index = &store->region->index;
    reached_bytes = reached_blocks = 0;
    reach(load_relaxed(&index->segments[0]), sizeof(struct bucket) << INDEX_FIRST_BITS,
          "the index");
    for (unsigned bits = INDEX_FIRST_BITS; bits < load_relaxed(&index->bits); bits++)
        reach(load_relaxed(&index->segments[bits - INDEX_FIRST_BITS + 1]),
              sizeof(struct bucket) << bits, "the index");
    uint64_t cells = 0;
    for (region_ref variable = load_relaxed(&store->region->variables); variable != 0;
         variable = load_relaxed(&store_variable(store, variable)->next))
        cells += reach_variable(store, variable);
    if (load_relaxed(&looker->slot->pending_block) != 0)
        reach(load_relaxed(&looker->slot->pending_block),
              looker->slot->pending_room * sizeof(struct pending), "the pending array");
    if (run.deaths == 0 && index->cells != cells)
        sim_fail("the index counts %llu cells of %llu", (unsigned long long)index->cells,
                 (unsigned long long)cells);
    check_arena(store);
    check_commit();
}
