/* txn_many.c - looking many keys up in one read operation.
 *
 * Only what is simple: keys that the transaction has not met, and whose newest version its
 * snapshot shows.  Then nothing has to be extended, and no entry but the new ones changes.
 * The keys are independent of each other, so what the processor waits for in memory is
 * fetched for all of them before the first is looked at.
 */
#include "txn.h"

#include "trace.h"

uint32_t txn_lookup_many(struct txn *txn, const struct key *keys, uint32_t count,
                         const struct version **out)
{
    struct store *store = txn->store;
    bool keeps = !(txn->flags & TXN_READ_ONLY);
    uint32_t done = 0;
    for (uint32_t i = 0; i < count; i++)
        index_prefetch_cell(store, &keys[i]);
    slot_read_begin(store, txn->slot);
    for (; done < count && txn_set_find(txn, &keys[done]) == NULL; done++) {
        region_ref cell = index_find(store, &keys[done]);
        /* Pairs with link_versions: a version comes with its contents. */
        region_ref head = cell == 0 ? 0 : load_acquire(&store_cell(store, cell)->head);
        const struct version *version = store_version(store, head);
        struct txn_entry *entry;
        if (head != 0 && load_relaxed(&version->ts) > txn->snapshot)
            break;
        if (keeps) {
            if (txn_set_add(txn, &keys[done], ENTRY_READ, &entry) != STM_OK)
                break;
            entry->cell = cell;
            txn_entry_see(txn, entry, head);
        }
        txn_depend(txn, head, txn->snapshot);
        TRACE(txn->slot, "txn_lookup", keys[done].order, trace_ts(store, head));
        out[done] = head != 0 && version_live(version) ? version : NULL;
    }
    /* If it was given up meanwhile, txn_lookup finds so for the first key. */
    return slot_evicted(txn->slot, txn->snapshot) ? 0 : done;
}
