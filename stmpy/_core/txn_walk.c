/* txn_walk.c - a whole variable: how many keys it has, and which.
 *
 * Invariant: the structure cell of a variable holds, as an ordinary version, how many keys
 * were live at each commit; every commit that inserts or deletes keys adds a version.  A
 * block that counted or walked the keys has read that cell, so no key can appear or vanish
 * under it (phantoms), while a change of a value leaves it alone.
 */
#include "txn.h"

#include "trace.h"

#include <string.h>

/* The structure's entry; or only its version, if the transaction keeps no read set. */
static enum stm_status read_structure(struct txn *txn, region_ref variable, uint64_t *count)
{
    region_ref cell = store_variable(txn->store, variable)->structure;
    struct txn_entry *entry = txn_set_structure(txn, variable);
    bool recorded = !(txn->flags & TXN_READ_ONLY);
    if (entry == NULL && recorded) {
        struct key key = {.variable = variable};
        enum stm_status status = txn_set_add(txn, &key, ENTRY_STRUCTURE, &entry);
        if (status != STM_OK)
            return status;
        entry->cell = cell;
    }
    if (recorded)
        entry->flags |= ENTRY_READ;
    slot_read_begin(txn->store, txn->slot);
    region_ref head = load_acquire(&store_cell(txn->store, cell)->head); /* Pairs with link. */
    region_ref ref = store_version_at(txn->store, head, txn->snapshot);
    txn->stale = txn->stale || ref != head;
    bool given_up = ref == 0 || slot_evicted(txn->slot, txn->snapshot);
    if (!given_up) {
        memcpy(count, store_version(txn->store, ref)->payload, sizeof *count);
        txn_depend(txn, ref, txn->snapshot);
        TRACE(txn->slot, "txn_lookup", txn_cell_order(store_cell(txn->store, cell)),
              load_relaxed(&store_version(txn->store, ref)->ts));
    }
    slot_read_end(txn->slot);
    return given_up ? STM_TOO_OLD : STM_OK;
}

/* How many more keys of the variable live after this transaction than before. */
static int64_t own_change(struct txn *txn, region_ref variable)
{
    int64_t change = 0;
    if (load_relaxed(&txn->slot->pending_count) == 0)
        return 0;
    for (uint32_t i = 0; i < txn->count; i++) {
        const struct txn_entry *entry = &txn->entries[i];
        if (entry->variable == variable && !(entry->flags & ENTRY_STRUCTURE))
            change += txn_live(txn, entry) - ((entry->flags & ENTRY_LIVE) != 0);
    }
    txn->reads_own |= change != 0;
    return change;
}

enum stm_status txn_size(struct txn *txn, region_ref variable, uint64_t *out)
{
    uint64_t count;
    enum stm_status status = read_structure(txn, variable, &count);
    if (status == STM_OK)
        *out = count + (uint64_t)own_change(txn, variable);
    return status;
}

/* ---- walking ----------------------------------------------------------------------------- */

struct walk {
    struct txn *txn;
    bool values;
    txn_visit visit;
    void *context;
};

static const struct version *seen_at(const struct txn *txn, const struct cell *cell,
                                     region_ref *seen)
{
    /* Pairs with link_versions. */
    *seen = store_version_at(txn->store, load_acquire(&cell->head), txn->snapshot);
    if (*seen == 0 || !version_live(store_version(txn->store, *seen)))
        return NULL;
    return store_version(txn->store, *seen);
}

static enum stm_status remember(struct txn *txn, const struct key *key, region_ref cell,
                                region_ref seen)
{
    struct txn_entry *entry;
    enum stm_status status = txn_set_add(txn, key, ENTRY_READ, &entry);
    if (status == STM_OK) {
        entry->cell = cell;
        txn_entry_see(txn, entry, seen);
    }
    return status;
}

static enum stm_status walk_cell(struct walk *walk, region_ref ref)
{
    struct txn *txn = walk->txn;
    const struct cell *cell = store_cell(txn->store, ref);
    struct key key = index_key_of(cell);
    struct txn_entry *entry = txn_set_find(txn, &key);
    region_ref seen;
    const struct version *version = seen_at(txn, cell, &seen);
    if (walk->values && seen != 0) /* which keys there are, the structure's version says */
        txn_depend(txn, seen, txn->snapshot);
    if (entry != NULL && entry->pending != 0) {
        txn->reads_own = true;
        if (!(entry->flags & ENTRY_LIVE))
            return STM_OK; /* an insertion of this block: comes last */
        version = txn_current(txn, entry);
    } else if (entry != NULL && walk->values) {
        entry->flags |= ENTRY_READ;
    } else if (entry == NULL && version != NULL && walk->values &&
               !(txn->flags & TXN_READ_ONLY)) {
        enum stm_status status = remember(txn, &key, ref, seen);
        if (status != STM_OK)
            return status;
    }
    if (version != NULL && !walk->visit(walk->context, cell->key, cell->key_length, version))
        return STM_NO_MEMORY;
    return STM_OK;
}

static enum stm_status walk_insertions(struct walk *walk, region_ref variable)
{
    struct txn *txn = walk->txn;
    if (load_relaxed(&txn->slot->pending_count) == 0)
        return STM_OK;
    for (uint32_t i = 0; i < txn->count; i++) {
        const struct txn_entry *entry = &txn->entries[i];
        if (entry->variable != variable || entry->pending == 0 ||
            entry->flags & (ENTRY_LIVE | ENTRY_STRUCTURE))
            continue;
        const struct version *version = txn_current(txn, entry);
        txn->reads_own = true;
        if (version != NULL && !walk->visit(walk->context, txn_entry_key(txn, entry),
                                            entry->key_length, version))
            return STM_NO_MEMORY;
    }
    return STM_OK;
}

enum stm_status txn_walk(struct txn *txn, region_ref variable, bool values, txn_visit visit,
                         void *context)
{
    struct walk walk = {txn, values, visit, context};
    uint64_t count;
    enum stm_status status = values ? txn_settle_variable(txn, variable) : STM_OK;
    if (status == STM_OK)
        status = read_structure(txn, variable, &count);
    if (status != STM_OK)
        return status;
    slot_read_begin(txn->store, txn->slot);
    /* Pairs with variable_append. */
    region_ref ref = load_acquire(&store_variable(txn->store, variable)->first);
    while (ref != 0 && status == STM_OK) {
        status = walk_cell(&walk, ref);
        ref = load_acquire(&store_cell(txn->store, ref)->var_next); /* Pairs with it too. */
    }
    if (status == STM_OK)
        status = walk_insertions(&walk, variable);
    if (status == STM_OK && slot_evicted(txn->slot, txn->snapshot))
        status = STM_TOO_OLD;
    slot_read_end(txn->slot);
    return status;
}

/* ---- the change in numbers, at commit ------------------------------------------------------ */

static enum stm_status add_change(struct txn *txn, region_ref variable, int64_t change)
{
    struct txn_entry *entry = txn_set_structure(txn, variable);
    enum stm_status status = STM_OK;
    if (entry == NULL) {
        struct key key = {.variable = variable};
        status = txn_set_add(txn, &key, ENTRY_STRUCTURE, &entry);
        if (status != STM_OK)
            return status;
        entry->cell = store_variable(txn->store, variable)->structure;
    }
    struct version *version;
    int64_t sum = 0;
    if (entry->pending != 0) {
        version = store_version(txn->store, txn_pending(txn)[entry->pending - 1].version);
        memcpy(&sum, version->payload, sizeof sum);
    } else {
        status = txn_pending_add(txn, entry, sizeof sum, 0, &version);
        if (status != STM_OK)
            return status;
    }
    sum += change;
    memcpy(version->payload, &sum, sizeof sum);
    return STM_OK;
}

/* A commit that found the store full may have got half-way; it counts anew. */
static void forget_changes(struct txn *txn)
{
    for (uint32_t i = 0; i < txn->count; i++) {
        const struct txn_entry *entry = &txn->entries[i];
        if (entry->pending == 0 || !(entry->flags & ENTRY_STRUCTURE))
            continue;
        struct pending *pending = &txn_pending(txn)[entry->pending - 1];
        memset(store_version(txn->store, pending->version)->payload, 0, sizeof(int64_t));
    }
}

enum stm_status txn_prepare_structures(struct txn *txn)
{
    if (!PLANTED(COUNT_TWICE))
        forget_changes(txn);
    for (uint32_t i = 0; i < txn->count; i++) {
        const struct txn_entry *entry = &txn->entries[i];
        if (entry->pending == 0 || entry->flags & ENTRY_STRUCTURE)
            continue;
        int64_t change = txn_live(txn, entry) - ((entry->flags & ENTRY_LIVE) != 0);
        if (change == 0)
            continue;
        enum stm_status status = add_change(txn, entry->variable, change);
        if (status != STM_OK)
            return status;
    }
    return STM_OK;
}
