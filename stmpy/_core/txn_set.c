/* txn_set.c - the entries of a transaction: read set and write set in one table.
 *
 * Invariant: a key (or the structure of a variable) has at most one entry.  The table
 * covers all entries once they have outgrown a linear search, and is empty before that.
 * All of it is memory of the process that only the transaction's thread touches, except
 * the array of pending versions, which lies in the region so that whoever finds this
 * thread dead can free or unlink them.
 */
#include "txn.h"

#include "bytes.h"

#include <stdlib.h>
#include <string.h>

#define LINEAR SCALED(16u, 2u) /* up to so many entries are searched one by one */
#define SPARSE 4u /* places of the table for each entry, at least: nearly all searches see one */
#define TABLE_KEPT SCALED(16384u, 16u) /* larger tables are not kept for the next block */

/* Structures have no hash: the variable itself tells them apart, and the lowest bit of the
 * order, which is set in those of keys. */
static struct key structure_key(region_ref variable)
{
    return (struct key){.variable = variable, .order = variable * 2654435761u << 1};
}

uint32_t txn_cell_order(const struct cell *cell)
{
    bool structure = (load_relaxed(&cell->flags) & CELL_STRUCTURE) != 0;
    return structure ? structure_key(cell->variable).order : cell->order;
}

static bool matches(const struct txn *txn, const struct txn_entry *entry, const struct key *key)
{
    return entry->order == key->order && entry->variable == key->variable &&
           entry->key_length == key->length &&
           bytes_equal(txn_entry_key(txn, entry), key->bytes, key->length);
}

/* Spreads orders over the table. */
static uint32_t place_of(const struct txn *txn, uint32_t order)
{
    return order * 2654435761u >> 7 & (txn->table_size - 1);
}

/* The bit of an order in txn.met: most keys are new, and while they are few this tells. */
static uint64_t bit_of(uint32_t order)
{
    return (uint64_t)1 << (order >> 26);
}

struct txn_entry *txn_set_find(const struct txn *txn, const struct key *key)
{
    if (!(txn->met & bit_of(key->order)))
        return NULL;
    if (txn->count <= LINEAR) {
        for (uint32_t i = txn->count; i > 0; i--) {
            if (matches(txn, &txn->entries[i - 1], key))
                return &txn->entries[i - 1];
        }
        return NULL;
    }
    uint32_t mask = txn->table_size - 1;
    for (uint32_t at = place_of(txn, key->order); txn->table[at] != 0; at = (at + 1) & mask) {
        struct txn_entry *entry = &txn->entries[txn->table[at] - 1];
        if (matches(txn, entry, key))
            return entry;
    }
    return NULL;
}

struct txn_entry *txn_set_structure(const struct txn *txn, region_ref variable)
{
    struct key key = structure_key(variable);
    return txn_set_find(txn, &key);
}

struct txn_entry *txn_set_by_cell(const struct txn *txn, region_ref ref)
{
    const struct cell *cell = store_cell(txn->store, ref);
    if (load_relaxed(&cell->flags) & CELL_STRUCTURE)
        return txn_set_structure(txn, cell->variable);
    struct key key = index_key_of(cell);
    return txn_set_find(txn, &key);
}

static void table_insert(struct txn *txn, uint32_t place)
{
    uint32_t mask = txn->table_size - 1, at = place_of(txn, txn->entries[place].order);
    while (txn->table[at] != 0)
        at = (at + 1) & mask;
    txn->table[at] = place + 1;
}

/* Makes the table cover all entries, with room for one more. */
static bool table_reserve(struct txn *txn)
{
    bool roomy = SPARSE * (txn->count + 1) <= txn->table_size;
    if (roomy && txn->count > LINEAR)
        return true;
    if (!roomy) {
        uint32_t size = txn->table_size == 0 ? 2 * SPARSE * LINEAR : 2 * txn->table_size;
        uint32_t *table = calloc(size, sizeof *table);
        if (table == NULL)
            return false;
        free(txn->table);
        txn->table = table;
        txn->table_size = size;
    }
    for (uint32_t i = 0; i < txn->count; i++)
        table_insert(txn, i);
    return true;
}

/* Grows an array to at least `wanted` elements of `size` bytes; NULL if there is no memory. */
static void *grow(void *array, uint32_t *room, uint64_t wanted, size_t size)
{
    uint64_t grown = *room < 16 ? 16 : 2 * (uint64_t)*room;
    while (grown < wanted)
        grown *= 2;
    void *result = grown > UINT32_MAX ? NULL : realloc(array, (size_t)grown * size);
    if (result != NULL)
        *room = (uint32_t)grown;
    return result;
}

/* Makes room for one more entry with such a key. */
static __attribute__((noinline)) bool make_room(struct txn *txn, uint32_t key_length)
{
    if (txn->count == txn->room) {
        struct txn_entry *entries =
            grow(txn->entries, &txn->room, (uint64_t)txn->count + 1, sizeof *entries);
        if (entries == NULL)
            return false;
        txn->entries = entries;
    }
    if (txn->keys_room - txn->keys_length <= key_length) {
        uint8_t *keys =
            grow(txn->keys, &txn->keys_room, (uint64_t)txn->keys_length + key_length + 1, 1);
        if (keys == NULL)
            return false;
        txn->keys = keys;
    }
    return txn->count < LINEAR || table_reserve(txn);
}

/* The table is made when the entries outgrow a linear search. */
static bool has_room(const struct txn *txn, uint32_t key_length)
{
    uint32_t count = txn->count;
    bool found = count < LINEAR || (count > LINEAR && SPARSE * (count + 1) <= txn->table_size);
    /* Also without a key, which an entry of a structure is: then there is an address at least. */
    return found && count < txn->room && txn->keys_room - txn->keys_length > key_length;
}

enum stm_status txn_set_add(struct txn *txn, const struct key *key, uint32_t flags,
                            struct txn_entry **out)
{
    if (!has_room(txn, key->length) && !make_room(txn, key->length))
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
    bytes_copy(txn->keys + txn->keys_length, key->bytes, key->length);
    txn->keys_length += key->length;
    txn->met |= bit_of(entry->order);
    if (txn->count >= LINEAR)
        table_insert(txn, txn->count);
    txn->count++;
    *out = entry;
    return STM_OK;
}

/* Takes the entries out of the table: all of it at once if they fill much of it. */
static void table_clear(struct txn *txn)
{
    uint32_t mask = txn->table_size - 1;
    if (txn->count > txn->table_size / 16) {
        memset(txn->table, 0, txn->table_size * sizeof *txn->table);
        return;
    }
    /* From the place where each would be on: between it and there no place was free. */
    for (uint32_t i = 0; i < txn->count; i++) {
        uint32_t at = place_of(txn, txn->entries[i].order);
        for (; txn->table[at] != 0; at = (at + 1) & mask)
            txn->table[at] = 0;
    }
}

void txn_set_clear(struct txn *txn)
{
    if (txn->table_size > TABLE_KEPT) {
        free(txn->table);
        txn->table = NULL;
        txn->table_size = 0;
    } else if (txn->count > LINEAR) {
        table_clear(txn);
    }
    txn->count = 0;
    txn->met = 0;
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
    /* Newer than every snapshot until published. */
    put_relaxed(&version->ts, PLANTED(TS_UNSET) ? 0 : UINT64_MAX);
    version->shape = (uint32_t)length << VERSION_FLAG_BITS | flags;
    txn->bytes += length;
    return STM_OK;
}

static bool reserve_undo(struct txn *txn)
{
    if (txn->undo_length < txn->undo_room)
        return true;
    struct txn_undo *undo =
        grow(txn->undo, &txn->undo_room, (uint64_t)txn->undo_length + 1, sizeof *undo);
    if (undo != NULL)
        txn->undo = undo;
    return undo != NULL;
}

static void discard_version(struct txn *txn, region_ref ref)
{
    const struct version *version = store_version(txn->store, ref);
    txn->bytes -= version_length(version);
    arena_free(txn->store, txn->slot, ref, version_bytes(version));
}

/* Replaces the version of an entry that was written at this level already. */
static void replace_pending(struct txn *txn, struct txn_entry *entry, region_ref fresh)
{
    struct pending *pending = &txn_pending(txn)[entry->pending - 1];
    region_ref old = pending->version;
    pending->version = fresh;
    discard_version(txn, old);
}

enum stm_status txn_pending_add(struct txn *txn, struct txn_entry *entry, size_t length,
                                uint32_t version_flags, struct version **out)
{
    region_ref fresh;
    enum stm_status status = pending_reserve(txn);
    if (status == STM_OK && txn->levels > 0 && !reserve_undo(txn))
        status = STM_NO_MEMORY;
    if (status == STM_OK)
        status = new_version(txn, length, version_flags, &fresh);
    if (status != STM_OK)
        return status;
    *out = store_version(txn->store, fresh);
    if (!(entry->flags & ENTRY_STRUCTURE))
        index_guess(txn->store, entry->order, fresh);
    if (entry->pending > txn->level_pending) {
        replace_pending(txn, entry, fresh);
        return STM_OK;
    }
    if (entry->cell == 0 && (status = fresh_cell(txn, entry)) != STM_OK) {
        discard_version(txn, fresh);
        return status;
    }
    uint32_t count = load_relaxed(&txn->slot->pending_count);
    struct pending *pending = txn_pending(txn);
    pending[count] = (struct pending){entry->cell, fresh};
    if (entry->pending != 0)
        pending[entry->pending - 1].cell = 0; /* out of effect unless rolled back */
    /* Release: the record is there before it counts, and no fresh cell is in two that do.
     * Pairs with who recovers the slot. */
    put_release(&txn->slot->pending_count, count + 1);
    if (txn->levels > 0)
        txn->undo[txn->undo_length++] =
            (struct txn_undo){(uint32_t)(entry - txn->entries), entry->pending};
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
    discard_version(txn, version);
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
