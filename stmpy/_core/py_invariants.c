/* py_invariants.c - checking invariants at the end of a block, before its commit.
 *
 * The functions are Python's and so is their list (stmpy._invariants), one per interpreter.
 * They run in a nested level that only reads, so they see what the block has written, and
 * what they read joins its read set: no other commit can come between the check and ours.
 *   An invariant concerns a block that wrote something it reads.  Which keys those are may
 * depend on values that another interpreter has changed since it last ran, so it is run to
 * find out; what it read is let go again if none of that was written here.
 */
#include "py_invariants.h"

#include "py_atomic.h"
#include "py_block.h"
#include "py_errors.h"

int invariants_enforce(struct thread_context *context)
{
    struct txn *txn = &context->txn;
    if (load_relaxed(&txn->slot->pending_count) == 0)
        return 0;
    PyObject *number = PyLong_FromUnsignedLongLong(txn->store->number);
    if (number == NULL || block_nest(context, NULL, true, 0) < 0) {
        Py_XDECREF(number);
        return -1;
    }
    PyObject *guard = Py_NewRef(context->state->guard);
    PyObject *done = PyObject_CallOneArg(guard, number);
    Py_DECREF(guard);
    Py_DECREF(number);
    if (!thread_still(context)) {
        call_refuse_child(context->state, done);
        return -1;
    }
    PyObject *raised = PyErr_GetRaisedException();
    int left = block_unnest(context, done != NULL);
    Py_XDECREF(done);
    if (left < 0) {
        Py_XDECREF(raised);
        return -1;
    }
    PyErr_SetRaisedException(raised);
    return raised == NULL ? 0 : -1;
}

static struct thread_context *context_in_block(PyObject *module)
{
    struct thread_context *context = thread_here(module_state_of(module));
    if (context != NULL && context->depth > 0)
        return context;
    if (context != NULL)
        errors_format(context->state, ERROR_TRANSACTION_REQUIRED, "invariants: needs a block");
    return NULL;
}

/* ---- which keys were written ---------------------------------------------------------------- */

/* Appends (name, key) of one entry if the name is among `names`; 0, or -1. */
static int append_written(struct thread_context *context, uint32_t place, PyObject *names,
                          PyObject *list)
{
    struct txn *txn = &context->txn;
    const struct txn_entry *entry = &txn->entries[place];
    const struct variable *variable = store_variable(txn->store, entry->variable);
    PyObject *name = PyUnicode_FromStringAndSize((const char *)variable->name,
                                                 (Py_ssize_t)variable->name_length);
    int wanted = name == NULL ? -1 : PyDict_Contains(names, name);
    PyObject *key = wanted == 1 ? values_decode(&context->state->values,
                                                txn_entry_key(txn, entry), entry->key_length)
                                : NULL;
    PyObject *pair = key == NULL ? NULL : PyTuple_Pack(2, name, key);
    int result = wanted == 0 ? 0 : pair == NULL ? -1 : PyList_Append(list, pair);
    Py_XDECREF(pair);
    Py_XDECREF(key);
    Py_XDECREF(name);
    return result;
}

static PyObject *written(PyObject *module, PyObject *names)
{
    struct thread_context *context = context_in_block(module);
    if (context == NULL)
        return NULL;
    if (!PyDict_Check(names)) {
        PyErr_Format(PyExc_TypeError, "_written() takes a dict of names, not %R", names);
        return NULL;
    }
    PyObject *list = PyList_New(0);
    for (uint32_t i = 0; list != NULL && i < context->txn.count; i++) {
        const struct txn_entry *entry = &context->txn.entries[i];
        bool live = entry->pending != 0 && !(entry->flags & ENTRY_STRUCTURE) &&
                    txn_live(&context->txn, entry);
        if (live && append_written(context, i, names, list) < 0)
            Py_CLEAR(list);
    }
    return list;
}

/* ---- which invariants are concerned ------------------------------------------------------------ */

/* Takes out of the read set what was not in it before. */
static void let_go(struct txn *txn, const uint8_t *before, uint32_t count)
{
    for (uint32_t i = 0; i < txn->count; i++) {
        if (i >= count || !before[i])
            txn->entries[i].flags &= ~(uint32_t)ENTRY_READ;
    }
}

static PyObject *probe(PyObject *module, PyObject *function)
{
    struct thread_context *context = context_in_block(module);
    if (context == NULL)
        return NULL;
    struct txn *txn = &context->txn;
    uint32_t count = txn->count;
    uint8_t *before = PyMem_Malloc(count > 0 ? count : 1);
    if (before == NULL)
        return PyErr_NoMemory();
    for (uint32_t i = 0; i < count; i++)
        before[i] = (txn->entries[i].flags & ENTRY_READ) != 0;
    txn->reads_own = false;
    PyObject *outcome = PyObject_CallNoArgs(function);
    if (!thread_still(context)) {
        PyMem_Free(before);
        return call_refuse_child(context->state, outcome);
    }
    bool concerned = txn->reads_own;
    if (concerned)
        txn->flags &= ~(uint32_t)TXN_SNAPSHOT; /* what it read is validated in any case */
    else
        let_go(txn, before, count);
    PyMem_Free(before);
    if (outcome == NULL && !concerned && PyErr_ExceptionMatches(PyExc_Exception))
        PyErr_Clear();
    else if (outcome == NULL)
        return NULL;
    PyObject *result = Py_BuildValue("(iO)", concerned, outcome == NULL ? Py_None : outcome);
    Py_XDECREF(outcome);
    return result;
}

static PyObject *set_guard(PyObject *module, PyObject *guard)
{
    struct module_state *state = module_state_of(module);
    Py_XSETREF(state->guard, guard == Py_None ? NULL : Py_NewRef(guard));
    Py_RETURN_NONE;
}

PyMethodDef invariants_methods[] = {
    {"_guard", set_guard, METH_O,
     "_guard(check, /)\n--\n\nCall check(store number) at the end of every block that writes."},
    {"_written", written, METH_O,
     "_written(names, /)\n--\n\n(name, key) of what the block has put into these variables."},
    {"_probe", probe, METH_O,
     "_probe(fn, /)\n--\n\nWhether fn() reads what the block has written, and its result."},
    {NULL, NULL, 0, NULL},
};
