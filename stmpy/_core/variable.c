/* variable.c - the list of variables, and of each one's cells.
 *
 * Invariant: the forward links (`next`, `first`, `var_next`) are what counts and change by
 * one release store each, so readers follow them without a lock; the backward links and
 * `last` serve the owner of the commit lock alone and can be made anew from the others.
 * A variable is complete before it is linked and stays for the life of the region.
 */
#include "variable.h"

#include <string.h>

static bool named(const struct variable *variable, const char *name, uint32_t length)
{
    return variable->name_length == length && memcmp(variable->name, name, length) == 0;
}

region_ref variable_find(const struct store *store, const char *name, uint32_t length)
{
    /* Pairs with the release in link_variable. */
    region_ref ref = load_acquire(&store->region->variables);
    while (ref != 0 && !named(store_variable(store, ref), name, length))
        ref = load_relaxed(&store_variable(store, ref)->next);
    return ref;
}

/* The cell and first version that count the live keys of a variable. */
static enum stm_status new_structure(struct store *store, struct slot *slot, region_ref *out)
{
    region_ref cell_ref, version_ref;
    size_t payload = sizeof(uint64_t);
    enum stm_status status = arena_alloc(store, slot, sizeof(struct cell), &cell_ref);
    if (status != STM_OK)
        return status;
    status = arena_alloc(store, slot, offsetof(struct version, payload) + payload, &version_ref);
    if (status != STM_OK) {
        arena_free(store, slot, cell_ref, sizeof(struct cell));
        return status;
    }
    struct version *version = store_version(store, version_ref);
    put_relaxed(&version->prev, 0);
    put_relaxed(&version->site, 0);
    put_relaxed(&version->ts, 0); /* older than every snapshot */
    version->shape = (uint32_t)payload << VERSION_FLAG_BITS;
    memset(version->payload, 0, payload);
    struct cell *cell = store_cell(store, cell_ref);
    memset((void *)cell, 0, sizeof *cell);
    put_relaxed(&cell->head, version_ref);
    put_relaxed(&cell->flags, CELL_STRUCTURE);
    *out = cell_ref;
    return STM_OK;
}

static void free_variable(struct store *store, struct slot *slot, region_ref ref, uint32_t length)
{
    region_ref structure = store_variable(store, ref)->structure;
    region_ref version = load_relaxed(&store_cell(store, structure)->head);
    arena_free(store, slot, version, version_bytes(store_version(store, version)));
    arena_free(store, slot, structure, sizeof(struct cell));
    arena_free(store, slot, ref, sizeof(struct variable) + length);
}

static enum stm_status new_variable(struct store *store, struct slot *slot, const char *name,
                                    uint32_t length, uint32_t kind, region_ref *out)
{
    region_ref ref, structure;
    enum stm_status status = arena_alloc(store, slot, sizeof(struct variable) + length, &ref);
    if (status != STM_OK)
        return status;
    status = new_structure(store, slot, &structure);
    if (status != STM_OK) {
        arena_free(store, slot, ref, sizeof(struct variable) + length);
        return status;
    }
    struct variable *variable = store_variable(store, ref);
    put_relaxed(&variable->first, 0);
    variable->last = 0;
    variable->structure = structure;
    variable->name_length = length;
    variable->kind = kind;
    memcpy(variable->name, name, length);
    store_cell(store, structure)->variable = ref;
    *out = ref;
    return STM_OK;
}

static void link_variable(struct store *store, region_ref ref)
{
    shared_u32 *newest = &store->region->variables;
    put_relaxed(&store_variable(store, ref)->next, load_relaxed(newest));
    put_release(newest, ref); /* Pairs with variable_find. */
}

enum stm_status variable_open(struct store *store, struct slot *slot, const char *name,
                              uint32_t length, uint32_t kind, bool may_sleep, region_ref *out)
{
    region_ref found = variable_find(store, name, length), made;
    if (found != 0) {
        *out = found;
        return STM_OK;
    }
    enum stm_status status = new_variable(store, slot, name, length, kind, &made);
    if (status != STM_OK)
        return status;
    bool serial = lock_owned_by(store, slot); /* within a serial block */
    if (!serial)
        status = may_sleep ? lock_acquire(store, slot, NO_DEADLINE) : lock_try(store, slot);
    if (status != STM_OK) {
        free_variable(store, slot, made, length);
        return status;
    }
    found = variable_find(store, name, length);
    if (found == 0)
        link_variable(store, made);
    if (!serial)
        lock_release(store);
    if (found != 0)
        free_variable(store, slot, made, length);
    *out = found != 0 ? found : made;
    return STM_OK;
}

void variable_append(struct store *store, region_ref ref)
{
    struct cell *cell = store_cell(store, ref);
    struct variable *variable = store_variable(store, cell->variable);
    region_ref last = variable->last;
    put_relaxed(&cell->var_next, 0);
    cell->var_prev = last;
    shared_u32 *link = last == 0 ? &variable->first : &store_cell(store, last)->var_next;
    put_release(link, ref); /* Pairs with whoever walks the list: the cell is complete. */
    variable->last = ref;
}

void variable_remove(struct store *store, region_ref ref)
{
    struct cell *cell = store_cell(store, ref);
    struct variable *variable = store_variable(store, cell->variable);
    region_ref before = cell->var_prev, after = load_relaxed(&cell->var_next);
    shared_u32 *link = before == 0 ? &variable->first : &store_cell(store, before)->var_next;
    if (load_relaxed(link) != ref)
        return; /* a commit that was rolled back never linked it */
    put_release(link, after); /* Who stands on the cell goes on from its own link. */
    if (after == 0)
        variable->last = before;
    else
        store_cell(store, after)->var_prev = before;
}

void variable_repair(struct store *store, region_ref ref)
{
    struct variable *variable = store_variable(store, ref);
    region_ref before = 0;
    for (region_ref at = load_relaxed(&variable->first); at != 0;) {
        struct cell *cell = store_cell(store, at);
        cell->var_prev = before;
        before = at;
        at = load_relaxed(&cell->var_next);
    }
    variable->last = before;
}
