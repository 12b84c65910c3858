/* txn_look.c - looking at what a transaction sees without taking part in it.
 *
 * For those who only show a variable, as a debugger does.  Invariant: the transaction is as
 * before; nothing joins the read set, no snapshot moves.  Safe as its snapshot is
 * registered while it runs, so that what it sees stays, and as nothing that is found is
 * relied on by the commit.
 */
#include "txn.h"

#include <string.h>

#define LOOK_CELLS 64u /* most cells that are visited: many may belong to deleted keys */

static const struct version *seen_at(const struct txn *txn, region_ref cell)
{
    /* Pairs with link_versions. */
    region_ref head = cell == 0 ? 0 : load_acquire(&store_cell(txn->store, cell)->head);
    region_ref ref = store_version_at(txn->store, head, txn->snapshot);
    return ref == 0 ? NULL : store_version(txn->store, ref);
}

static const struct version *current(const struct txn *txn, const struct txn_entry *entry,
                                     region_ref cell)
{
    const struct version *version =
        entry != NULL && entry->pending != 0
            ? store_version(txn->store, txn_pending(txn)[entry->pending - 1].version)
            : seen_at(txn, cell);
    return version != NULL && version_live(version) ? version : NULL;
}

enum stm_status txn_look_at(const struct txn *txn, const struct key *key, txn_glimpse glimpse,
                            void *context)
{
    const struct txn_entry *entry = txn_set_find(txn, key);
    slot_read_begin(txn->store, txn->slot);
    const struct version *version = current(txn, entry, index_find(txn->store, key));
    bool given_up = slot_evicted(txn->slot, txn->snapshot);
    if (version != NULL && !given_up)
        glimpse(context, key, version, entry);
    slot_read_end(txn->slot);
    return given_up ? STM_TOO_OLD : STM_OK;
}

/* The number of live keys, with those that the transaction has put in and taken out. */
static uint64_t size(const struct txn *txn, region_ref variable)
{
    const struct version *counted =
        seen_at(txn, store_variable(txn->store, variable)->structure);
    uint64_t count = 0;
    if (counted != NULL)
        memcpy(&count, counted->payload, sizeof count);
    for (uint32_t i = 0; i < txn->count; i++) {
        const struct txn_entry *entry = &txn->entries[i];
        if (entry->variable == variable && !(entry->flags & ENTRY_STRUCTURE))
            count += (uint64_t)txn_live(txn, entry) - ((entry->flags & ENTRY_LIVE) != 0);
    }
    return count;
}

static void look_at_cells(const struct txn *txn, region_ref variable, txn_glimpse glimpse,
                          void *context)
{
    /* Pairs with variable_append. */
    region_ref ref = load_acquire(&store_variable(txn->store, variable)->first);
    for (uint32_t i = 0; ref != 0 && i < LOOK_CELLS; i++) {
        const struct cell *cell = store_cell(txn->store, ref);
        struct key key = index_key_of(cell);
        const struct txn_entry *entry = txn_set_find(txn, &key);
        bool inserted = entry != NULL && entry->pending != 0 && !(entry->flags & ENTRY_LIVE);
        const struct version *version = inserted ? NULL : current(txn, entry, ref);
        if (version != NULL && !glimpse(context, &key, version, entry))
            return;
        ref = load_acquire(&cell->var_next); /* Pairs with variable_append too. */
    }
}

static void look_at_insertions(const struct txn *txn, region_ref variable, txn_glimpse glimpse,
                               void *context)
{
    for (uint32_t i = 0; i < txn->count; i++) {
        const struct txn_entry *entry = &txn->entries[i];
        if (entry->variable != variable || entry->pending == 0 ||
            entry->flags & (ENTRY_LIVE | ENTRY_STRUCTURE))
            continue;
        struct key key = txn_entry_as_key(txn, entry);
        const struct version *version = current(txn, entry, 0);
        if (version != NULL && !glimpse(context, &key, version, entry))
            return;
    }
}

enum stm_status txn_look(const struct txn *txn, region_ref variable, txn_glimpse glimpse,
                         void *context, uint64_t *count)
{
    slot_read_begin(txn->store, txn->slot);
    *count = size(txn, variable);
    look_at_cells(txn, variable, glimpse, context);
    look_at_insertions(txn, variable, glimpse, context);
    bool given_up = slot_evicted(txn->slot, txn->snapshot);
    slot_read_end(txn->slot);
    return given_up ? STM_TOO_OLD : STM_OK;
}
