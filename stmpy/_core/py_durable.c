/* py_durable.c - blocks that wait for the disk, and what stmpy.durable asks of a store.
 *
 * A block that was committed stays so, whatever becomes of the wait: what is raised then
 * says that its durability is not known.
 */
#include "py_durable.h"

#include "durable.h"
#include "py_errors.h"

/* Another keeper in place of one that died; 0, or -1 with an exception. */
static int replace_keeper(struct store *store)
{
    if (!durable_adopt(store))
        return 0;
    PyObject *module = PyImport_ImportModule("stmpy.durable.launch");
    PyObject *result =
        module == NULL ? NULL
                       : PyObject_CallMethod(module, "replace_keeper", "Ky#",
                                             (unsigned long long)store->number,
                                             (const char *)store->region->id,
                                             (Py_ssize_t)sizeof store->region->id);
    Py_XDECREF(module);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

int durable_look(struct thread_context *context, struct store *store)
{
    if (thread_check_signals(context) < 0)
        return -1;
    return durable_state(store) == DURABLE_NONE ? 0 : replace_keeper(store);
}

static int raise_unknown(struct thread_context *context, const struct store *store,
                         enum stm_status status)
{
    const struct durable *durable = &store->region->durable;
    if (status == STM_TIMED_OUT)
        return errors_format(context->state, ERROR_COMMIT_UNKNOWN,
                             "this block: committed, but its timeout passed before the disk "
                             "confirmed it; read before writing it a second time");
    return errors_format(context->state, ERROR_COMMIT_UNKNOWN,
                         "this block: committed in memory, but whether it is on disk is not "
                         "known (%s): %s; open the store again and read before writing it a "
                         "second time",
                         durable_state(store) == DURABLE_CLOSED ? "the store was closed"
                                                                : durable->message,
                         durable->path);
}

/* Sleeps detached until the commit is durable; 0, or -1 with an exception. */
static int wait_for(struct thread_context *context, struct store *store, uint64_t ts,
                    uint64_t deadline_ns)
{
    struct slot *slot = context->txn.slot;
    enum stm_status status;
    do {
        show_relaxed(&slot->sleep, SLEEP_DISK);
        Py_BEGIN_ALLOW_THREADS
        status = durable_wait(store, ts, deadline_ns);
        Py_END_ALLOW_THREADS
        show_relaxed(&slot->sleep, SLEEP_NOT);
        if (status == STM_INTERRUPTED && durable_look(context, store) < 0)
            return -1;
    } while (status == STM_INTERRUPTED);
    return status == STM_OK ? 0 : raise_unknown(context, store, status);
}

int durable_acknowledge(struct thread_context *context)
{
    const struct txn *txn = &context->txn;
    struct store *store = txn->store;
    if (__builtin_expect(!durable_acknowledged(store), 1))
        return 0;
    uint64_t ts = txn->committed != 0 ? txn->committed : txn->depends_on;
    /* Pairs with durable_publish. */
    if (load_acquire(&store->region->durable.version) >= ts)
        return 0;
    return wait_for(context, store, ts, context->block.deadline_ns);
}

int durable_refuse(struct thread_context *context)
{
    const struct store *store = context->block.options.store;
    const struct durable *durable = &store->region->durable;
    return errors_format(context->state, ERROR_DURABILITY,
                         durable_state(store) == DURABLE_FULL
                             ? "this block: the disk is full, so nothing can be written (%s): "
                               "%s; make room and run the block again"
                             : "this block: the disk has failed, so nothing can be written "
                               "(%s): %s; mend it and open the store again; reads go on",
                         durable->message, durable->path);
}

/* ---- for stmpy.durable --------------------------------------------------------------------- */

static struct store *given_store(PyObject *module, PyObject *object)
{
    return store_of(module_state_of(module), object);
}

static PyObject *begin_opening(PyObject *module, PyObject *args)
{
    PyObject *object;
    const char *path;
    int relaxed;
    if (!PyArg_ParseTuple(args, "Osp", &object, &path, &relaxed))
        return NULL;
    struct store *store = given_store(module, object);
    if (store == NULL)
        return NULL;
    if (store_tie(store) != STM_OK)
        return PyErr_SetFromErrno(PyExc_OSError);
    return PyBool_FromLong(durable_open(store, path, relaxed != 0));
}

static PyObject *name_guard(PyObject *module, PyObject *args)
{
    PyObject *object;
    unsigned pid;
    if (!PyArg_ParseTuple(args, "OI", &object, &pid))
        return NULL;
    struct store *store = given_store(module, object);
    if (store == NULL)
        return NULL;
    durable_name_guard(store, pid);
    Py_RETURN_NONE;
}

/* True once the commit is durable, False when the time is up or the state says it will not. */
static PyObject *wait_durable(PyObject *module, PyObject *args)
{
    PyObject *object;
    unsigned long long ts;
    double seconds;
    if (!PyArg_ParseTuple(args, "OKd", &object, &ts, &seconds))
        return NULL;
    struct thread_context *context = thread_here(module_state_of(module));
    struct store *store = context == NULL ? NULL : given_store(module, object);
    if (store == NULL)
        return NULL;
    uint64_t deadline = platform_now_ns() + (uint64_t)(seconds * 1e9);
    enum stm_status status;
    do {
        Py_BEGIN_ALLOW_THREADS
        status = durable_wait(store, ts, deadline);
        Py_END_ALLOW_THREADS
        if (status == STM_INTERRUPTED && durable_look(context, store) < 0)
            return NULL;
    } while (status == STM_INTERRUPTED);
    return PyBool_FromLong(status == STM_OK);
}

static PyObject *list_of(const shared_u64 *numbers, unsigned count)
{
    PyObject *list = PyList_New(count);
    for (unsigned i = 0; list != NULL && i < count; i++) {
        PyObject *number = PyLong_FromUnsignedLongLong(load_relaxed(&numbers[i]));
        if (number == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, i, number);
    }
    return list;
}

static PyObject *describe(PyObject *module, PyObject *object)
{
    struct store *store = given_store(module, object);
    if (store == NULL)
        return NULL;
    const struct region *region = store->region;
    const struct durable *durable = &region->durable;
    enum durable_state state = durable_state(store);
    return Py_BuildValue(
        "{s:I,s:O,s:K,s:K,s:I,s:I,s:O,s:K,s:K,s:K,s:N,s:N,s:s,s:s,s:K}", "state", (unsigned)state,
        "orphaned", durable_orphaned(store) ? Py_True : Py_False,
        "version", (unsigned long long)load_acquire(&durable->version), "clock",
        (unsigned long long)load_acquire(&region->clock), "keeper",
        (unsigned)(load_acquire(&durable->keeper) >> 32), "guard",
        (unsigned)(load_acquire(&durable->guard) >> 32), "relaxed",
        durable->relaxed ? Py_True : Py_False, "loaded",
        (unsigned long long)load_relaxed(&durable->loaded), "to_load",
        (unsigned long long)load_relaxed(&durable->to_load), "groups",
        (unsigned long long)load_relaxed(&durable->groups), "sizes",
        list_of(&durable->sizes[0], DURABLE_BUCKETS), "micros",
        list_of(&durable->micros[0], DURABLE_BUCKETS), "path", durable->path, "message",
        state >= DURABLE_FULL ? durable->message : "", "log_bytes",
        (unsigned long long)(load_relaxed(&region->log.end) -
                             load_relaxed(&region->log.held_from)));
}

/* The memory file and the end of the lifeline that a keeper reads; both stay the store's. */
static PyObject *get_files(PyObject *module, PyObject *object)
{
    struct store *store = given_store(module, object);
    return store == NULL ? NULL : Py_BuildValue("ii", store->file, store->lifeline[0]);
}

PyMethodDef durable_methods[] = {
    {"_durable_open", begin_opening, METH_VARARGS, NULL},
    {"_durable_guard", name_guard, METH_VARARGS, NULL},
    {"_durable_wait", wait_durable, METH_VARARGS, NULL},
    {"_durable_state", describe, METH_O, NULL},
    {"_durable_files", get_files, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
