/* txn_blind.c - writing without having read: numbers added, and what functions make.
 *
 * Invariant: a pending version marked VERSION_DELTA holds a number, and stands for the
 * committed value plus that number; one marked VERSION_COMMUTED holds what a function made
 * of the value of commit `entry->base`.  Neither puts its key into the read set.  Commits
 * settle them under the lock: a sum is made of the newest value, and where the newest value
 * is not that of `base`, the binding runs the function again.  (Commute as in Clojure; the
 * sum as FoundationDB's atomic ADD.)
 *   A block that reads such a key sees the value at its snapshot with its own change on
 * top.  From then on it depends on that value: the key joins the read set, and the version
 * becomes an ordinary write, so that no update of somebody else is lost.
 */
#include "txn.h"

#include "bytes.h"

#include <string.h>

_Static_assert(offsetof(struct version, payload) + NUMBER_BYTES <= 32,
               "a sum of any size fits the block of the number that was added");

static struct version *own_version(const struct txn *txn, const struct txn_entry *entry)
{
    return store_version(txn->store, txn_pending(txn)[entry->pending - 1].version);
}

static void write_number(struct version *version, struct number number, uint32_t flags)
{
    size_t length = number_write(version->payload, number);
    version->shape = (uint32_t)length << VERSION_FLAG_BITS | flags;
}

static void rewrite_number(struct txn *txn, struct version *version, struct number number,
                           uint32_t flags)
{
    txn->bytes -= version_length(version);
    write_number(version, number, flags);
    txn->bytes += version_length(version);
}

/* ---- sums ------------------------------------------------------------------------------- */

/* Adds a pending number to an encoded value, or to nothing if that is NULL. */
static bool sum_of(const uint8_t *value, size_t length, const struct version *delta,
                   struct number *out)
{
    struct number before = {0}, added;
    return (value == NULL || number_read(value, length, &before)) &&
           number_read(delta->payload, version_length(delta), &added) &&
           number_add(before, added, out);
}

/* The same at the snapshot, where all of a number is remembered in the entry. */
static bool sum_at_snapshot(const struct txn_entry *entry, const struct version *delta,
                            struct number *out)
{
    bool live = (entry->flags & ENTRY_LIVE) != 0;
    return (!live || entry->seen_length <= ENTRY_START) &&
           sum_of(live ? entry->seen_start : NULL, entry->seen_length, delta, out);
}

/* ---- adding ------------------------------------------------------------------------------ */

/* Writes the number as a delta of the innermost level. */
static enum stm_status put_delta(struct txn *txn, struct txn_entry *entry, struct number number)
{
    struct version *version;
    if (entry->pending > txn->level_pending) {
        rewrite_number(txn, own_version(txn, entry), number, VERSION_DELTA);
        return STM_OK;
    }
    if (txn->bytes + NUMBER_BYTES > TXN_BYTES_LIMIT)
        return STM_TOO_LARGE;
    uint8_t bytes[NUMBER_BYTES];
    size_t length = number_write(bytes, number);
    enum stm_status status = txn_pending_add(txn, entry, length, VERSION_DELTA, &version);
    if (status == STM_OK)
        memcpy(version->payload, bytes, length);
    return status;
}

enum stm_status txn_add(struct txn *txn, struct txn_entry *entry, struct number number,
                        bool *added)
{
    struct number before, sum;
    *added = false;
    if (entry->flags & ENTRY_READ ||
        (entry->pending != 0 && !txn_pending_is(txn, entry, VERSION_DELTA)))
        return STM_OK;
    enum stm_status status = txn_check_writable(txn);
    if (status != STM_OK)
        return status;
    if (entry->pending != 0) {
        const struct version *own = own_version(txn, entry);
        if (!number_read(own->payload, version_length(own), &before) ||
            !number_add(before, number, &number))
            return STM_OK;
    }
    before = (struct number){0};
    if (entry->flags & ENTRY_LIVE &&
        (entry->seen_length > ENTRY_START ||
         !number_read(entry->seen_start, entry->seen_length, &before)))
        return STM_OK;
    if (!number_add(before, number, &sum))
        return STM_OK;
    status = put_delta(txn, entry, number);
    *added = status == STM_OK;
    return status;
}

/* ---- what functions make ------------------------------------------------------------------ */

bool txn_may_commute(const struct txn *txn, const struct txn_entry *entry)
{
    return !(entry->flags & ENTRY_READ) &&
           (entry->pending == 0 || txn_pending_is(txn, entry, VERSION_COMMUTED));
}

enum stm_status txn_put_commuted(struct txn *txn, struct txn_entry *entry, uint64_t base,
                                 const uint8_t *payload, size_t length,
                                 uint32_t version_flags)
{
    enum stm_status status = txn_check_writable(txn);
    if (status != STM_OK)
        return status;
    if (txn->bytes + length > TXN_BYTES_LIMIT)
        return STM_TOO_LARGE;
    struct version *version;
    status = txn_pending_add(txn, entry, length, version_flags | VERSION_COMMUTED, &version);
    if (status != STM_OK)
        return status;
    bytes_copy(version->payload, payload, length);
    entry->base = base;
    return STM_OK;
}

enum stm_status txn_put_again(struct txn *txn, struct txn_entry *entry, uint64_t base,
                              const uint8_t *payload, size_t length, uint32_t version_flags)
{
    enum stm_status status =
        txn_put_commuted(txn, entry, base, payload, length, version_flags);
    if (status != STM_OK)
        return status;
    entry->flags = base != 0 ? entry->flags | ENTRY_LIVE : entry->flags & ~(uint32_t)ENTRY_LIVE;
    txn->prepared = false; /* the number of keys may change by another amount */
    return STM_OK;
}

/* ---- reading what was written ---------------------------------------------------------------- */

/* Whether the function has had the value that the snapshot shows. */
static enum stm_status check_base(struct txn *txn, const struct txn_entry *entry, bool *same)
{
    uint64_t seen = 0;
    slot_read_begin(txn->store, txn->slot);
    if (entry->flags & ENTRY_LIVE)
        seen = load_relaxed(&store_version(txn->store, entry->seen)->ts);
    bool given_up = slot_evicted(txn->slot, txn->snapshot);
    slot_read_end(txn->slot);
    *same = seen == entry->base || PLANTED(OLD_BASE);
    return given_up ? STM_TOO_OLD : STM_OK;
}

enum stm_status txn_settle_read(struct txn *txn, struct txn_entry *entry)
{
    struct version *version = own_version(txn, entry);
    enum stm_status status = STM_OK;
    struct number sum;
    bool valid;
    if (version->shape & VERSION_DELTA) {
        valid = sum_at_snapshot(entry, version, &sum);
        if (valid)
            rewrite_number(txn, version, sum, 0);
    } else {
        status = check_base(txn, entry, &valid);
        if (status == STM_OK && valid)
            version->shape &= ~(uint32_t)VERSION_COMMUTED;
    }
    if (status != STM_OK)
        return status;
    if (!valid) { /* the snapshot has moved on since */
        uint32_t place = (uint32_t)(entry - txn->entries);
        txn->conflict = (struct txn_conflict){CONFLICT_EARLY, place, 0};
        return STM_CONFLICT;
    }
    if (!PLANTED(ADD_NOT_READ))
        entry->flags |= ENTRY_READ;
    return STM_OK;
}

enum stm_status txn_settle_variable(struct txn *txn, region_ref variable)
{
    enum stm_status status = STM_OK;
    if (load_relaxed(&txn->slot->pending_count) == 0)
        return STM_OK;
    for (uint32_t i = 0; i < txn->count && status == STM_OK; i++) {
        struct txn_entry *entry = &txn->entries[i];
        if (entry->variable == variable && txn_pending_is(txn, entry, VERSION_UNSETTLED))
            status = txn_settle_read(txn, entry);
    }
    return status;
}

/* ---- under the commit lock ------------------------------------------------------------------- */

static bool sum_at_head(const struct version *head, const struct version *delta,
                        struct number *out)
{
    bool live = head != NULL && version_live(head);
    return sum_of(live ? head->payload : NULL, live ? version_length(head) : 0, delta, out);
}

/* An insertion by addition that meets the key: it adds to what is there, and the number of
 * keys, which was prepared already, grows by one less. */
static void join_insertion(struct txn *txn, struct txn_entry *entry)
{
    struct version *version = own_version(txn, txn_set_structure(txn, entry->variable));
    int64_t change;
    memcpy(&change, version->payload, sizeof change);
    change--;
    if (!PLANTED(INSERTED_TWICE))
        memcpy(version->payload, &change, sizeof change);
    entry->flags |= ENTRY_LIVE;
}

bool txn_check_unsettled(struct txn *txn, struct txn_entry *entry, const struct version *head)
{
    bool live = head != NULL && version_live(head);
    const struct version *own = own_version(txn, entry);
    struct number sum;
    if (own->shape & VERSION_COMMUTED) {
        txn->moved = (live ? load_relaxed(&head->ts) : 0) != entry->base;
        return !txn->moved || PLANTED(MOVED_IGNORED);
    }
    if (!sum_at_head(head, own, &sum)) {
        /* Running again, the block sees what the key holds now, and reads it or raises. */
        uint32_t place = (uint32_t)(entry - txn->entries);
        txn->conflict = (struct txn_conflict){CONFLICT_READ, place, load_relaxed(&head->site)};
        return false;
    }
    if (live && !(entry->flags & ENTRY_LIVE))
        join_insertion(txn, entry);
    return true;
}

void txn_settle_version(struct txn *txn, const struct version *head, struct version *version)
{
    struct number sum;
    if (PLANTED(ADD_AT_SNAPSHOT) && head != NULL && load_relaxed(&head->ts) > txn->snapshot &&
        load_relaxed(&head->prev) != 0)
        head = store_version(txn->store, load_relaxed(&head->prev));
    if (version->shape & VERSION_DELTA && !PLANTED(DELTA_AS_VALUE) &&
        sum_at_head(head, version, &sum))
        write_number(version, sum, 0);
    version->shape &= ~VERSION_UNSETTLED;
}
