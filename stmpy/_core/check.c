/* check.c - validation: whether what a block has read and relies on is still so.
 *
 * Invariant: a block that is let pass would read the same and find the same keys at the commit
 * point.  Safe because the last check is under the commit lock, and what was read is checked
 * outside of it first only if the inner one looks at every cell committed since that began.
 */
#include "check.h"

#include "trace.h"

static bool lose(struct txn *txn, enum conflict_reason reason, const struct txn_entry *entry,
                 uint32_t site)
{
    txn->conflict = (struct txn_conflict){reason, (uint32_t)(entry - txn->entries), site};
    return false;
}

static bool check_read(struct txn *txn, const struct txn_entry *entry)
{
    uint32_t counts = txn->flags & TXN_SNAPSHOT ? ENTRY_ENSURED : ENTRY_READ;
    if (!(entry->flags & counts) || txn_entry_unchanged(txn, entry, txn->snapshot))
        return true;
    if (txn->conflict.reason == CONFLICT_NONE)
        txn->conflict.reason =
            entry->flags & ENTRY_STRUCTURE ? CONFLICT_STRUCTURE : CONFLICT_READ;
    return false;
}

bool txn_reads_unchanged(struct txn *txn)
{
    for (uint32_t i = 0; i < txn->count; i++) {
        if (!check_read(txn, &txn->entries[i]))
            return false;
    }
    return true;
}

bool check_recent(struct txn *txn, uint64_t before)
{
    struct region *region = txn->store->region;
    uint64_t now = load_relaxed(&region->recent_count);
    if (PLANTED(CHECK_OUTSIDE_ONLY))
        return true;
    bool far = now - before > RECENT_CELLS && !PLANTED(RECENT_UNBOUNDED);
    bool blank = load_relaxed(&region->recent_blank) > before && !PLANTED(BLANK_IGNORED);
    if (far || blank)
        return txn_reads_unchanged(txn);
    for (uint64_t i = before; i < now; i++) {
        region_ref cell = load_relaxed(&region->recent[i % RECENT_CELLS]);
        const struct txn_entry *entry = txn_set_by_cell(txn, cell);
        if (entry != NULL && !check_read(txn, entry))
            return false;
    }
    return true;
}

bool check_outside(struct txn *txn, uint64_t *before)
{
    struct region *region = txn->store->region;
    /* Pairs with note_recent: what it counts is linked, so this check sees it. */
    *before = load_acquire(&region->recent_count);
    TRACE(txn->slot, "check_outside.count", 0, *before);
    put_relaxed(&region->recent_wanted, *before + RECENT_CELLS); /* To note_recent, a hint. */
    slot_read_begin(txn->store, txn->slot);
    bool unchanged = txn_reads_unchanged(txn);
    slot_read_end(txn->slot);
    if (PLANTED(LATE_COUNT))
        *before = load_acquire(&region->recent_count);
    TRACE(txn->slot, "check_outside.check", 0, unchanged);
    return unchanged;
}

/* The key is there, or not, as the change to the number of keys takes for granted. */
static bool check_live(struct txn *txn, const struct txn_entry *entry, const struct version *head)
{
    bool live = head != NULL && version_live(head);
    if (live == ((entry->flags & ENTRY_LIVE) != 0) || PLANTED(LIVENESS_UNCHECKED))
        return true;
    return lose(txn, CONFLICT_STRUCTURE, entry, head == NULL ? 0 : load_relaxed(&head->site));
}

/* Whether a cell may be written: nobody else changed what the write relies on. */
static bool check_target(struct txn *txn, struct txn_entry *entry, region_ref cell)
{
    bool unsettled = txn_pending_is(txn, entry, VERSION_UNSETTLED);
    const struct version *head = check_head(txn, cell);
    uint32_t site = head == NULL ? 0 : load_relaxed(&head->site);
    if (load_relaxed(&store_cell(txn->store, cell)->flags) & CELL_DEAD && !PLANTED(DEAD_IGNORED))
        return lose(txn, CONFLICT_GONE, entry, 0);
    bool blind = unsettled && !(entry->flags & ENTRY_READ);
    if (txn->flags & TXN_SNAPSHOT && !blind && head != NULL && !PLANTED(SNAPSHOT_UNCHECKED) &&
        load_relaxed(&head->ts) > txn->snapshot)
        return lose(txn, CONFLICT_WRITE, entry, site);
    if (unsettled && !txn_check_unsettled(txn, entry, head))
        return false;
    return check_live(txn, entry, head);
}

/* Somebody else may have committed a cell for the key meanwhile: it is used then. */
static bool check_fresh(struct txn *txn, struct txn_entry *entry)
{
    struct key key = txn_entry_as_key(txn, entry);
    region_ref found = index_find(txn->store, &key), fresh = entry->cell;
    if (PLANTED(BLIND_INSERT))
        return true;
    if (found == 0) /* what a function was given, or the block had seen, may be buried since */
        return PLANTED(BURIED_LIVE) || check_live(txn, entry, NULL);
    if (!check_target(txn, entry, found))
        return false;
    txn_pending(txn)[entry->pending - 1].cell = found;
    entry->cell = found;
    arena_free(txn->store, txn->slot, fresh, cell_bytes(store_cell(txn->store, fresh)));
    return true;
}

bool check_writes(struct txn *txn)
{
    for (uint32_t i = 0; i < txn->count; i++) {
        struct txn_entry *entry = &txn->entries[i];
        if (entry->pending == 0 || entry->flags & ENTRY_STRUCTURE)
            continue;
        bool fresh = load_relaxed(&store_cell(txn->store, entry->cell)->flags) & CELL_FRESH;
        if (!(fresh ? check_fresh(txn, entry) : check_target(txn, entry, entry->cell)))
            return false;
    }
    return true;
}
