/* txn_set.c - the entries of a transaction: read set and write set in one table.
 *
 * Invariant: a key (or the structure of a variable) has at most one entry.  The table is
 * made when the entries outgrow a linear search and then covers all of them.  All of it
 * is memory of the process that only the transaction's thread touches, except the array of
 * pending versions, which lies in the region so that whoever finds this thread dead can
 * free or unlink them.
 */
#include "txn.h"

#include <stdlib.h>
#include <string.h>

#define LINEAR SCALED(8u, 2u)

static bool is_key(const struct txn *txn, const struct txn_entry *entry, const struct key *key)
{
    return entry->order == key->order && entry->variable == key->variable &&
           entry->key_length == key->length && !(entry->flags & ENTRY_STRUCTURE) &&
           memcmp(txn_entry_key(txn, entry), key->bytes, key->length) == 0;
}

/* Structures have no hash: the variable itself tells them apart. */
static struct key structure_key(region_ref variable)
{
    return (struct key){variable, variable * 2654435761u << 1, 0, NULL};
}

uint32_t txn_cell_order(const struct cell *cell)
{
    bool structure = (load_relaxed(&cell->flags) & CELL_STRUCTURE) != 0;
    return structure ? structure_key(cell->variable).order : cell->order;
}

static bool is_structure(const struct txn_entry *entry, region_ref variable)
{
    return (entry->flags & ENTRY_STRUCTURE) && entry->variable == variable;
}

/* Spreads orders, whose low bit is constant, over the table. */
static uint32_t place_of(const struct txn *txn, uint32_t order)
{
    return order * 2654435761u >> 7 & (txn->table_size - 1);
}

typedef bool (*entry_test)(const struct txn *txn, const struct txn_entry *entry,
                           const void *wanted);

static struct txn_entry *search(const struct txn *txn, uint32_t order, entry_test test,
                                const void *wanted)
{
    if (txn->table_size == 0) {
        for (uint32_t i = txn->count; i > 0; i--) {
            if (test(txn, &txn->entries[i - 1], wanted))
                return &txn->entries[i - 1];
        }
        return NULL;
    }
    uint32_t mask = txn->table_size - 1;
    for (uint32_t at = place_of(txn, order); txn->table[at] != 0; at = (at + 1) & mask) {
        struct txn_entry *entry = &txn->entries[txn->table[at] - 1];
        if (entry->order == order && test(txn, entry, wanted))
            return entry;
    }
    return NULL;
}

static bool test_key(const struct txn *txn, const struct txn_entry *entry, const void *wanted)
{
    return is_key(txn, entry, wanted);
}

static bool test_structure(const struct txn *txn, const struct txn_entry *entry,
                           const void *wanted)
{
    (void)txn;
    return is_structure(entry, *(const region_ref *)wanted);
}

struct txn_entry *txn_set_find(const struct txn *txn, const struct key *key)
{
    return search(txn, key->order, test_key, key);
}

struct txn_entry *txn_set_structure(const struct txn *txn, region_ref variable)
{
    return search(txn, structure_key(variable).order, test_structure, &variable);
}

struct txn_entry *txn_set_by_cell(const struct txn *txn, region_ref ref)
{
    const struct cell *cell = store_cell(txn->store, ref);
    if (load_relaxed(&cell->flags) & CELL_STRUCTURE)
        return txn_set_structure(txn, cell->variable);
    struct key key = {cell->variable, cell->order, cell->key_length, cell->key};
    return txn_set_find(txn, &key);
}

static void table_insert(struct txn *txn, uint32_t place)
{
    uint32_t mask = txn->table_size - 1, at = place_of(txn, txn->entries[place].order);
    while (txn->table[at] != 0)
        at = (at + 1) & mask;
    txn->table[at] = place + 1;
}

static bool table_grow(struct txn *txn)
{
    uint32_t size = txn->table_size == 0 ? 4 * LINEAR : 2 * txn->table_size;
    uint32_t *table = calloc(size, sizeof *table);
    if (table == NULL)
        return false;
    free(txn->table);
    txn->table = table;
    txn->table_size = size;
    for (uint32_t i = 0; i < txn->count; i++)
        table_insert(txn, i);
    return true;
}

/* Makes room for `more` elements of `size` bytes behind `length`. */
static bool reserve(void *array, uint32_t *room, uint32_t length, uint32_t more, size_t size)
{
    if (length + more <= *room)
        return true;
    uint64_t wanted = *room < 16 ? 16 : 2 * (uint64_t)*room;
    while (wanted < (uint64_t)length + more)
        wanted *= 2;
    void **address = array;
    void *grown = wanted > UINT32_MAX ? NULL : realloc(*address, (size_t)wanted * size);
    if (grown == NULL)
        return false;
    *address = grown;
    *room = (uint32_t)wanted;
    return true;
}

enum stm_status txn_set_add(struct txn *txn, const struct key *key, uint32_t flags,
                            struct txn_entry **out)
{
    if (!reserve(&txn->entries, &txn->room, txn->count, 1, sizeof *txn->entries) ||
        !reserve(&txn->keys, &txn->keys_room, txn->keys_length, key->length, 1))
        return STM_NO_MEMORY;
    bool structure = (flags & ENTRY_STRUCTURE) != 0;
    struct txn_entry *entry = &txn->entries[txn->count];
    *entry = (struct txn_entry){
        .order = structure ? structure_key(key->variable).order : key->order,
        .variable = key->variable,
        .key_offset = txn->keys_length,
        .key_length = key->length,
        .flags = flags,
    };
    if (key->length > 0)
        memcpy(txn->keys + txn->keys_length, key->bytes, key->length);
    txn->count++;
    bool fits = txn->count <= LINEAR && txn->table_size == 0;
    if (!fits) {
        if (2 * txn->count > txn->table_size) {
            if (!table_grow(txn)) {
                txn->count--;
                return STM_NO_MEMORY;
            }
        } else {
            table_insert(txn, txn->count - 1);
        }
    }
    txn->keys_length += key->length;
    *out = entry;
    return STM_OK;
}

void txn_set_clear(struct txn *txn)
{
    /* A table that has become large is given back: clearing it would cost every block. */
    if (txn->table_size > 0) {
        free(txn->table);
        txn->table = NULL;
        txn->table_size = 0;
    }
    txn->count = 0;
    txn->keys_length = 0;
    txn->undo_length = 0;
}

void txn_free(struct txn *txn)
{
    free(txn->entries);
    free(txn->table);
    free(txn->keys);
    free(txn->undo);
    memset(txn, 0, sizeof *txn);
}

/* ---- pending versions ------------------------------------------------------------------ */

static enum stm_status pending_reserve(struct txn *txn)
{
    struct slot *slot = txn->slot;
    uint32_t count = load_relaxed(&slot->pending_count);
    if (count < slot->pending_room)
        return STM_OK;
    uint32_t room = slot->pending_room == 0 ? 8 : 2 * slot->pending_room;
    region_ref old = load_relaxed(&slot->pending_block), grown;
    size_t old_bytes = slot->pending_room * sizeof(struct pending);
    enum stm_status status =
        arena_alloc(txn->store, slot, room * sizeof(struct pending), &grown);
    if (status != STM_OK)
        return status;
    if (old != 0)
        memcpy(store_at(txn->store, grown), store_at(txn->store, old), old_bytes);
    /* Release: whoever finds us dead follows the new array only when it is filled. */
    put_release(&slot->pending_block, grown);
    slot->pending_room = room;
    if (old != 0)
        arena_free(txn->store, slot, old, old_bytes);
    return STM_OK;
}

/* A cell for a key that has none yet; it is linked when the block commits. */
static enum stm_status fresh_cell(struct txn *txn, struct txn_entry *entry)
{
    region_ref ref;
    size_t bytes = offsetof(struct cell, key) + entry->key_length;
    enum stm_status status = arena_alloc(txn->store, txn->slot, bytes, &ref);
    if (status != STM_OK)
        return status;
    struct cell *cell = store_cell(txn->store, ref);
    put_relaxed(&cell->next, 0);
    put_relaxed(&cell->head, 0);
    cell->variable = entry->variable;
    cell->order = entry->order;
    put_relaxed(&cell->var_next, 0);
    cell->var_prev = cell->dirty_next = 0;
    cell->key_length = (uint16_t)entry->key_length;
    put_relaxed(&cell->flags, CELL_FRESH);
    memcpy(cell->key, txn_entry_key(txn, entry), entry->key_length);
    entry->cell = ref;
    return STM_OK;
}

static enum stm_status new_version(struct txn *txn, size_t length, uint32_t flags,
                                   region_ref *out)
{
    size_t bytes = offsetof(struct version, payload) + length;
    enum stm_status status = arena_alloc(txn->store, txn->slot, bytes, out);
    if (status != STM_OK)
        return status;
    struct version *version = store_version(txn->store, *out);
    put_relaxed(&version->prev, 0);
    put_relaxed(&version->site, txn->site);
    put_relaxed(&version->ts, UINT64_MAX); /* newer than every snapshot until published */
    version->shape = (uint32_t)length << VERSION_FLAG_BITS | flags;
    return STM_OK;
}

/* Replaces the version of an entry that was written at this level already. */
static void replace_pending(struct txn *txn, struct txn_entry *entry, region_ref fresh)
{
    struct pending *pending = &txn_pending(txn)[entry->pending - 1];
    region_ref old = pending->version;
    pending->version = fresh;
    arena_free(txn->store, txn->slot, old, version_bytes(store_version(txn->store, old)));
}

enum stm_status txn_pending_add(struct txn *txn, struct txn_entry *entry, size_t length,
                                uint32_t version_flags, struct version **out)
{
    region_ref fresh;
    enum stm_status status = pending_reserve(txn);
    if (status == STM_OK && txn->levels > 0 &&
        !reserve(&txn->undo, &txn->undo_room, txn->undo_length, 1, sizeof *txn->undo))
        status = STM_NO_MEMORY;
    if (status == STM_OK)
        status = new_version(txn, length, version_flags, &fresh);
    if (status != STM_OK)
        return status;
    *out = store_version(txn->store, fresh);
    if (entry->pending > txn->level_pending) {
        replace_pending(txn, entry, fresh);
        return STM_OK;
    }
    if (entry->cell == 0 && (status = fresh_cell(txn, entry)) != STM_OK) {
        arena_free(txn->store, txn->slot, fresh, version_bytes(*out));
        return status;
    }
    uint32_t count = load_relaxed(&txn->slot->pending_count);
    struct pending *pending = txn_pending(txn);
    pending[count] = (struct pending){entry->cell, fresh};
    /* Release: the record is there before it counts. Pairs with who recovers the slot. */
    put_release(&txn->slot->pending_count, count + 1);
    if (txn->levels > 0) {
        txn->undo[txn->undo_length++] =
            (struct txn_undo){(uint32_t)(entry - txn->entries), entry->pending};
        if (entry->pending != 0)
            pending[entry->pending - 1].cell = 0; /* out of effect unless rolled back */
    }
    entry->pending = count + 1;
    return STM_OK;
}

/* ---- savepoints ------------------------------------------------------------------------- */

struct txn_savepoint txn_save(struct txn *txn)
{
    struct txn_savepoint savepoint = {txn->undo_length, load_relaxed(&txn->slot->pending_count),
                                      txn->level_pending};
    txn->levels++;
    txn->level_pending = savepoint.pending;
    return savepoint;
}

void txn_merge(struct txn *txn, struct txn_savepoint savepoint)
{
    txn->levels--;
    txn->level_pending = savepoint.outer;
    if (txn->levels == 0)
        txn->undo_length = 0;
}

static void undo_write(struct txn *txn, struct txn_undo undo)
{
    struct txn_entry *entry = &txn->entries[undo.entry];
    struct pending *records = txn_pending(txn), *record = &records[entry->pending - 1];
    region_ref version = record->version;
    *record = (struct pending){0, 0};
    arena_free(txn->store, txn->slot, version, version_bytes(store_version(txn->store, version)));
    entry->pending = undo.pending;
    if (undo.pending != 0) {
        records[undo.pending - 1].cell = entry->cell;
        return;
    }
    struct cell *cell = store_cell(txn->store, entry->cell);
    if (load_relaxed(&cell->flags) & CELL_FRESH) {
        arena_free(txn->store, txn->slot, entry->cell, cell_bytes(cell));
        entry->cell = 0;
    }
}

void txn_rollback(struct txn *txn, struct txn_savepoint savepoint)
{
    while (txn->undo_length > savepoint.undo)
        undo_write(txn, txn->undo[--txn->undo_length]);
    put_release(&txn->slot->pending_count, savepoint.pending); /* Pairs with slot_reap. */
    txn_merge(txn, savepoint);
}
