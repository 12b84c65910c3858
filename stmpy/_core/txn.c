/* txn.c - reading at one snapshot, writing in private, extending the snapshot.
 *
 * Invariant (opacity): every value that a transaction has seen is the one its snapshot
 * shows.  Safe because the snapshot is registered before the first read, because moving it
 * forward first registers the new one and then checks every entry against the old one, and
 * because a read that may have missed versions (the snapshot was given up) is thrown away.
 * A block that only reads needs no more than that; one that writes gives up as soon as it
 * meets a version that makes its commit impossible.
 */
#include "txn.h"

#include "bytes.h"
#include "lock.h"
#include "stats.h"
#include "trace.h"

#include <string.h>

void txn_begin(struct txn *txn, struct store *store, struct slot *slot, uint32_t flags)
{
    txn->store = store;
    txn->slot = slot;
    txn->flags = flags;
    txn->counters = stats_of_site(slot, txn->site);
    txn->committed = txn->depends_on = 0;
    txn->stale = txn->moved = txn->prepared = false;
    txn->levels = txn->level_pending = 0;
    txn->bytes = 0;
    txn->conflict = (struct txn_conflict){CONFLICT_NONE, UINT32_MAX, 0};
    if (!(flags & TXN_READ_ONLY) && !PLANTED(NO_TXN_EPOCH)) {
        /* Becomes visible with the snapshot's sequentially consistent store at the latest.
         * Pairs with slots_look: cells in our entries stay in memory from here on. */
        put_release(&slot->txn_epoch, load_acquire(&store->region->epoch));
    }
    put_release(&slot->weak, flags & TXN_SNAPSHOT && !PLANTED(WEAK_UNSAID)); /* Likewise. */
    txn->snapshot = slot_register(store, slot);
    TRACE(slot, "txn_begin", 0, txn->snapshot);
}

void txn_end(struct txn *txn)
{
    slot_discard_pending(txn->store, txn->slot);
    slot_unregister(txn->slot);
    txn->snapshot = NO_SNAPSHOT;
    txn_set_clear(txn);
    if (txn->flags & TXN_SERIAL)
        lock_release(txn->store);
    txn->flags = 0;
}

void txn_read_done(struct txn *txn)
{
    slot_read_end(txn->slot);
}

static enum stm_status conflict(struct txn *txn, enum conflict_reason reason)
{
    txn->conflict.reason = reason;
    return STM_CONFLICT;
}

/* ---- the snapshot ------------------------------------------------------------------------ */

static bool lost(struct txn *txn, const struct txn_entry *entry, uint32_t site)
{
    txn->conflict.entry = (uint32_t)(entry - txn->entries);
    txn->conflict.site = site;
    return false;
}

/* An entry that read its key as absent, or wrote it before anybody else did: its snapshot may
 * have moved since to where the key is live, and that cell may be gone again once the snapshot
 * was given up. */
static bool unchanged_elsewhere(struct txn *txn, const struct txn_entry *entry, uint64_t snapshot)
{
    struct key key = txn_entry_as_key(txn, entry);
    region_ref ref = index_find(txn->store, &key);
    if (ref == 0)
        return !(entry->flags & ENTRY_LIVE) || lost(txn, entry, 0);
    region_ref head = load_acquire(&store_cell(txn->store, ref)->head); /* Pairs with link. */
    if (head == 0)
        return true;
    const struct version *version = store_version(txn->store, head);
    if (PLANTED(TENTATIVE_ABSENCE) && !version_live(version))
        return true;
    return load_relaxed(&version->ts) <= snapshot ||
           lost(txn, entry, load_relaxed(&version->site));
}

static bool has_shared_cell(const struct txn *txn, const struct txn_entry *entry)
{
    return entry->cell != 0 &&
           !(load_relaxed(&store_cell(txn->store, entry->cell)->flags) & CELL_FRESH);
}

bool txn_entry_unchanged(struct txn *txn, const struct txn_entry *entry, uint64_t snapshot)
{
    if (!has_shared_cell(txn, entry))
        return unchanged_elsewhere(txn, entry, snapshot);
    const struct cell *cell = store_cell(txn->store, entry->cell);
    /* Pairs with bury in history.c. */
    if (load_acquire(&cell->flags) & CELL_DEAD && !PLANTED(DEAD_UNCHANGED)) {
        txn->conflict.reason = CONFLICT_GONE;
        return lost(txn, entry, 0);
    }
    region_ref head = load_acquire(&cell->head); /* Pairs with link_versions in commit.c. */
    if (head == 0)
        return true;
    const struct version *version = store_version(txn->store, head);
    return load_relaxed(&version->ts) <= snapshot ||
           lost(txn, entry, load_relaxed(&version->site));
}

/* The version of a cell, or of none, that the snapshot shows; `newer` tells whether others
 * came later. */
static region_ref visible(struct txn *txn, region_ref cell, uint64_t snapshot, bool *newer)
{
    /* Pairs with link_versions: a version comes with its contents. */
    region_ref head = cell == 0 ? 0 : load_acquire(&store_cell(txn->store, cell)->head);
    region_ref ref = store_version_at(txn->store, head, snapshot);
    *newer = ref != head;
    txn_depend(txn, ref, snapshot);
    return ref;
}

_Static_assert(offsetof(struct version, payload) + ENTRY_START <= 32,
               "every version's block has so many bytes to copy");

void txn_entry_see(const struct txn *txn, struct txn_entry *entry, region_ref ref)
{
    const struct version *version = store_version(txn->store, ref);
    bool live = ref != 0 && version_live(version);
    entry->seen = ref;
    entry->flags = live ? entry->flags | ENTRY_LIVE : entry->flags & ~(uint32_t)ENTRY_LIVE;
    if (live) {
        entry->seen_length = version_length(version);
        memcpy(entry->seen_start, version->payload, ENTRY_START);
    }
}

/* A key that was only looked up to be written: what the new snapshot shows counts now. */
static void look_again(struct txn *txn, struct txn_entry *entry, uint64_t snapshot)
{
    struct key key = txn_entry_as_key(txn, entry);
    bool newer;
    region_ref cell = index_find(txn->store, &key);
    if (entry->pending == 0)
        entry->cell = cell;
    txn_entry_see(txn, entry, visible(txn, cell, snapshot, &newer));
}

enum stm_status txn_extend(struct txn *txn)
{
    uint64_t old = txn->snapshot;
    /* Registered first: from here on the versions of the new snapshot stay.  If an entry
     * has changed, the old one is not needed any more. */
    uint64_t newest = PLANTED(EXTEND_UNREGISTERED) ? load_acquire(&txn->store->region->clock)
                                                   : slot_register(txn->store, txn->slot);
    TRACE(txn->slot, "txn_extend.register", 0, newest);
    bool unchanged = true;
    slot_read_begin(txn->store, txn->slot);
    for (uint32_t i = 0; i < txn->count && unchanged; i++) {
        struct txn_entry *entry = &txn->entries[i];
        if (entry->flags & ENTRY_READ)
            unchanged =
                txn_entry_unchanged(txn, entry, PLANTED(EXTEND_AGAINST_NEW) ? newest : old);
        else if (!(entry->flags & ENTRY_STRUCTURE) && !PLANTED(EXTEND_UNSEEN))
            look_again(txn, entry, newest);
    }
    slot_read_end(txn->slot);
    if (slot_evicted(txn->slot, old))
        return STM_TOO_OLD;
    TRACE(txn->slot, "txn_extend", 0, unchanged);
    if (!unchanged)
        return conflict(txn, CONFLICT_EARLY);
    txn->snapshot = newest;
    return STM_OK;
}

/* ---- reading ------------------------------------------------------------------------------ */

struct found {
    region_ref cell, version;
};

/* Finds the version within a read operation, which stays open after STM_OK. */
static enum stm_status find_visible(struct txn *txn, const struct key *key, struct found *out)
{
    for (bool moved = true;;) {
        bool newer = false;
        slot_read_begin(txn->store, txn->slot);
        out->cell = index_find(txn->store, key);
        out->version = visible(txn, out->cell, txn->snapshot, &newer);
        if (slot_evicted(txn->slot, txn->snapshot) && !PLANTED(NO_EVICTED_CHECK)) {
            slot_read_end(txn->slot);
            return STM_TOO_OLD;
        }
        if (!newer)
            return STM_OK;
        /* With nothing read yet, or something written, a newer snapshot is better.  There
         * is none while the newer version belongs to a commit that is not over: nobody
         * waits for that, its owner may be dead. */
        bool writes = load_relaxed(&txn->slot->pending_count) != 0;
        if (!moved || txn->flags & (TXN_READ_ONLY | TXN_SNAPSHOT) ||
            (!writes && txn->count > 0)) {
            txn->stale = true;
            return STM_OK;
        }
        slot_read_end(txn->slot);
        uint64_t old = txn->snapshot;
        enum stm_status status = txn_extend(txn);
        if (status != STM_OK)
            return status;
        moved = txn->snapshot != old;
    }
}

static const struct version *live_or_null(const struct txn *txn, region_ref ref)
{
    const struct version *version = ref != 0 ? store_version(txn->store, ref) : NULL;
    return version != NULL && version_live(version) ? version : NULL;
}

const struct version *txn_current(const struct txn *txn, const struct txn_entry *entry)
{
    region_ref ref =
        entry->pending != 0 ? txn_pending(txn)[entry->pending - 1].version : entry->seen;
    return live_or_null(txn, ref);
}

static void fill_value(const struct version *version, struct txn_entry *entry,
                       struct txn_value *out)
{
    bool own = entry != NULL && entry->pending != 0;
    out->version = version;
    out->entry = entry;
    out->ts = version == NULL || own ? 0 : load_relaxed(&version->ts);
}

/* A key that the transaction meets for the first time. */
static enum stm_status look_up_new(struct txn *txn, const struct key *key,
                                   struct txn_entry **out)
{
    struct found found;
    enum stm_status status = find_visible(txn, key, &found);
    if (status != STM_OK)
        return status;
    status = txn_set_add(txn, key, 0, out);
    if (status != STM_OK) {
        slot_read_end(txn->slot);
        return status;
    }
    (*out)->cell = found.cell;
    txn_entry_see(txn, *out, found.version);
    return STM_OK;
}

enum stm_status txn_lookup_entry(struct txn *txn, const struct key *key,
                                 struct txn_entry *entry, bool read, struct txn_value *out)
{
    enum stm_status status = STM_OK;
    if (txn->flags & TXN_READ_ONLY) {
        struct found found;
        status = find_visible(txn, key, &found);
        if (status == STM_OK) {
            TRACE(txn->slot, "txn_lookup", key->order, trace_ts(txn->store, found.version));
            fill_value(live_or_null(txn, found.version), NULL, out);
        }
        return status;
    }
    if (entry == NULL) {
        status = look_up_new(txn, key, &entry);
    } else if (entry->pending == 0) {
        /* The version seen is kept for our snapshot, unless that was given up. */
        slot_read_begin(txn->store, txn->slot);
        if (slot_evicted(txn->slot, txn->snapshot) && !PLANTED(SEEN_AFTER_EVICTION)) {
            slot_read_end(txn->slot);
            status = STM_TOO_OLD;
        }
    }
    if (status == STM_OK && read && txn_pending_is(txn, entry, VERSION_UNSETTLED))
        status = txn_settle_read(txn, entry);
    if (status != STM_OK)
        return status;
    if (read && entry->pending == 0)
        entry->flags |= ENTRY_READ;
    txn->reads_own |= entry->pending != 0;
    TRACE(txn->slot, read ? "txn_lookup" : "txn_find", key->order, trace_ts(txn->store, entry->seen));
    fill_value(txn_current(txn, entry), entry, out);
    return STM_OK;
}

enum stm_status txn_lookup(struct txn *txn, const struct key *key, bool read,
                           struct txn_value *out)
{
    return txn_lookup_entry(txn, key, txn_set_find(txn, key), read, out);
}

void txn_newest(struct txn *txn, const struct txn_entry *entry, struct txn_value *out)
{
    struct key key = txn_entry_as_key(txn, entry);
    bool newer;
    slot_read_begin(txn->store, txn->slot);
    uint64_t clock = load_acquire(&txn->store->region->clock); /* Pairs with publish. */
    region_ref cell = index_find(txn->store, &key);
    region_ref version = visible(txn, cell, clock, &newer);
    fill_value(live_or_null(txn, version), NULL, out);
}

/* ---- writing ------------------------------------------------------------------------------ */

/* A first write after a stale read can't commit any more. */
enum stm_status txn_check_writable(struct txn *txn)
{
    if (!txn->stale || txn->flags & TXN_SNAPSHOT)
        return STM_OK;
    enum stm_status status = txn_extend(txn);
    if (status == STM_OK)
        txn->stale = false;
    return status;
}

/* Within a read operation, unless the current version is our own. */
static bool same_as_current(const struct txn *txn, const struct txn_entry *entry,
                            const uint8_t *payload, size_t length)
{
    const struct version *version = txn_current(txn, entry);
    return version != NULL && version_length(version) == length &&
           memcmp(version->payload, payload, length) == 0;
}

/* Compares with a value that the entry does not remember whole. */
static enum stm_status same_as_seen(struct txn *txn, struct txn_entry *entry,
                                    const uint8_t *payload, size_t length, bool *same)
{
    slot_read_begin(txn->store, txn->slot);
    *same = same_as_current(txn, entry, payload, length);
    bool given_up = slot_evicted(txn->slot, txn->snapshot);
    slot_read_end(txn->slot);
    return given_up ? STM_TOO_OLD : STM_OK;
}

/* Whether the value is there already; reading it is what the block did then. */
static enum stm_status find_same(struct txn *txn, struct txn_entry *entry,
                                 const uint8_t *payload, size_t length, bool *same)
{
    if (entry->pending != 0) {
        *same = !txn_pending_is(txn, entry, VERSION_UNSETTLED) &&
                same_as_current(txn, entry, payload, length);
        return STM_OK;
    }
    enum stm_status status = STM_OK;
    *same = entry->flags & ENTRY_LIVE && entry->seen_length == length;
    if (*same && length <= ENTRY_START)
        *same = bytes_equal(entry->seen_start, payload, length);
    else if (*same)
        status = same_as_seen(txn, entry, payload, length, same);
    if (status == STM_OK && *same)
        entry->flags |= ENTRY_READ;
    return status;
}

enum stm_status txn_put(struct txn *txn, struct txn_entry *entry, const uint8_t *payload,
                        size_t length, uint32_t version_flags)
{
    bool same;
    enum stm_status status = find_same(txn, entry, payload, length, &same);
    if (status != STM_OK || same)
        return status;
    status = txn_check_writable(txn);
    if (status != STM_OK)
        return status;
    if (txn->bytes + length > TXN_BYTES_LIMIT)
        return STM_TOO_LARGE;
    struct version *version;
    status = txn_pending_add(txn, entry, length, version_flags, &version);
    if (status != STM_OK)
        return status;
    bytes_copy(version->payload, payload, length);
    return STM_OK;
}

enum stm_status txn_delete(struct txn *txn, struct txn_entry *entry)
{
    enum stm_status status = txn_live(txn, entry) ? txn_check_writable(txn) : STM_OK;
    if (status != STM_OK)
        return status;
    /* Perhaps only the snapshot that txn_check_writable has moved to shows that it is gone. */
    if (!txn_live(txn, entry)) {
        if (entry->pending == 0)
            entry->flags |= ENTRY_READ;
        return STM_OK;
    }
    struct version *version;
    return txn_pending_add(txn, entry, 0, VERSION_TOMBSTONE, &version);
}
