/* py_stats.c - the counters of a store as Python objects.
 */
#include "py_errors.h"
#include "py_var.h"
#include "stats.h"

static PyObject *list_of(const uint64_t *numbers, unsigned count)
{
    PyObject *list = PyList_New(count);
    for (unsigned i = 0; list != NULL && i < count; i++) {
        PyObject *number = PyLong_FromUnsignedLongLong(numbers[i]);
        if (number == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, i, number);
    }
    return list;
}

/* (variable, key or its first bytes, kind of variable, conflicts) */
static PyObject *describe_heat(struct module_state *state, struct store *store,
                               const struct stats_heat *heat)
{
    const struct variable *variable = store_variable(store, heat->variable);
    PyObject *key;
    if (heat->length == 0)
        key = Py_NewRef(Py_None);
    else if (heat->length <= sizeof heat->key)
        key = values_decode(&state->values, heat->key, heat->length);
    else
        key = PyBytes_FromStringAndSize((const char *)heat->key, sizeof heat->key);
    if (key == NULL)
        return NULL;
    return Py_BuildValue("(s#NIK)", (const char *)variable->name,
                         (Py_ssize_t)variable->name_length, key, variable->kind,
                         (unsigned long long)heat->count);
}

static PyObject *list_heat(struct module_state *state, struct store *store)
{
    PyObject *list = PyList_New(0);
    uint32_t slots = load_acquire(&store->region->slots_used); /* Pairs with slot_claim. */
    for (uint32_t i = 0; list != NULL && i < slots * HEAT_ENTRIES; i++) {
        struct stats_heat heat;
        if (!stats_read_heat(store, i / HEAT_ENTRIES, i % HEAT_ENTRIES, &heat))
            continue;
        PyObject *row = describe_heat(state, store, &heat);
        if (row == NULL || PyList_Append(list, row) < 0)
            Py_CLEAR(list);
        Py_XDECREF(row);
    }
    return list;
}

/* (process, interpreter, thread, snapshot) of every slot that is claimed */
static PyObject *list_threads(struct store *store)
{
    PyObject *list = PyList_New(0);
    uint32_t slots = load_acquire(&store->region->slots_used); /* Pairs with slot_claim. */
    for (uint32_t i = 0; list != NULL && i < slots; i++) {
        struct slot *slot = &store_slots(store)[i];
        uint64_t owner = load_acquire(&slot->owner); /* Pairs with slot_claim. */
        if (owner == 0)
            continue;
        PyObject *row = Py_BuildValue("(KKKK)", (unsigned long long)(owner >> 32),
                                      (unsigned long long)slot->interpreter,
                                      (unsigned long long)slot->thread,
                                      (unsigned long long)load_relaxed(&slot->snapshot));
        if (row == NULL || PyList_Append(list, row) < 0)
            Py_CLEAR(list);
        Py_XDECREF(row);
    }
    return list;
}

PyObject *stats_as_dict(struct module_state *state, struct store *store)
{
    struct stats_sum sum;
    stats_add_up(store, &sum);
    PyObject *keys = list_heat(state, store), *threads = list_threads(store);
    if (keys == NULL || threads == NULL) {
        Py_XDECREF(keys);
        Py_XDECREF(threads);
        return NULL;
    }
    return Py_BuildValue(
        "{s:K,s:K,s:K,s:K,s:N,s:N,s:N,s:N,s:K,s:K,s:K,s:K,s:K,s:K,s:N,s:N}", "commits",
        (unsigned long long)sum.commits, "read_only_commits",
        (unsigned long long)sum.read_only_commits, "aborts", (unsigned long long)sum.aborts,
        "serial", (unsigned long long)sum.serial, "conflicts",
        list_of(sum.conflicts, CONFLICT_REASONS), "attempts",
        list_of(sum.attempts, HISTOGRAM_BUCKETS), "read_set",
        list_of(sum.read_set, HISTOGRAM_BUCKETS), "write_set",
        list_of(sum.write_set, HISTOGRAM_BUCKETS), "clock", (unsigned long long)sum.clock,
        "oldest_snapshot", (unsigned long long)sum.oldest_snapshot, "used_bytes",
        (unsigned long long)sum.used_bytes, "max_bytes", (unsigned long long)sum.max_bytes,
        "history_bytes", (unsigned long long)sum.history_bytes, "history_limit",
        (unsigned long long)sum.history_limit, "threads", threads, "keys", keys);
}
