/* py_nested.c - nested levels, and values that are changed in place.
 *
 * A list or dict that a block has read belongs to the block: the program changes it in
 * place, and what it then holds is stored.  So such an object is encoded and compared when
 * it matters what it holds: at commit, where a nested level begins, and before a walk.
 * When a nested level is undone, objects that the enclosing levels hold are put back as
 * they were, in place, because the program has them in its hands.  Those that the level
 * itself has read or assigned are let go: they are the program's own from then on.
 */
#include "py_block.h"
#include "py_errors.h"

/* Stores what the object of one entry holds now. */
static int flush_entry(struct thread_context *context, uint32_t place)
{
    struct txn *txn = &context->txn;
    struct codec_buf buf;
    unsigned flags = 0;
    PyObject *object = Py_NewRef(txn->entries[place].object);
    uint64_t attempt = context->attempts_begun;
    codec_buf_init(&buf, CODEC_VALUE_MAX);
    int result = values_encode(&context->state->values, object, &buf, &flags);
    if (result == 0 && attempt == context->attempts_begun) {
        enum stm_status status =
            txn_put(txn, &txn->entries[place], buf.bytes, buf.used,
                    flags & VALUE_MUTABLE ? VERSION_MUTABLE : 0);
        if (status == STM_STORE_FULL) {
            block_relieve(context);
            status = txn_put(txn, &txn->entries[place], buf.bytes, buf.used,
                             flags & VALUE_MUTABLE ? VERSION_MUTABLE : 0);
        }
        if (status != STM_OK)
            result = errors_raise(context, status, NULL, NULL);
    }
    codec_buf_free(&buf);
    Py_DECREF(object);
    return result;
}

int block_flush(struct thread_context *context)
{
    struct txn *txn = &context->txn;
    for (uint32_t i = 0; context->block.marked > 0 && i < txn->count; i++) {
        if (txn->entries[i].flags & ENTRY_MARK && flush_entry(context, i) < 0)
            return -1;
    }
    return 0;
}

/* ---- undoing changes in place ------------------------------------------------------------ */

/* What the entry holds after the rollback, decoded anew; NULL without an exception if the
 * key is absent. */
static PyObject *decode_current(struct thread_context *context, uint32_t place)
{
    struct txn *txn = &context->txn;
    slot_read_begin(txn->store, txn->slot);
    const struct version *version = txn_current(txn, &txn->entries[place]);
    PyObject *bytes = NULL;
    if (version != NULL)
        bytes = PyBytes_FromStringAndSize((const char *)version->payload,
                                          (Py_ssize_t)version_length(version));
    bool given_up = slot_evicted(txn->slot, txn->snapshot);
    slot_read_end(txn->slot);
    if (given_up) {
        Py_XDECREF(bytes);
        errors_raise(context, STM_TOO_OLD, NULL, NULL);
        return NULL;
    }
    if (bytes == NULL)
        return NULL;
    PyObject *object = values_decode(&context->state->values,
                                     (const uint8_t *)PyBytes_AS_STRING(bytes),
                                     (size_t)PyBytes_GET_SIZE(bytes));
    Py_DECREF(bytes);
    return object;
}

/* Gives an object with attributes, such as a dataclass, those of `before`; as below. */
static int restore_attributes(PyObject *object, PyObject *before)
{
    PyObject *mine = PyObject_GenericGetDict(object, NULL);
    PyObject *old = mine == NULL ? NULL : PyObject_GenericGetDict(before, NULL);
    int restored = 0;
    if (old == NULL) {
        PyErr_Clear(); /* it keeps its fields in slots */
    } else {
        PyDict_Clear(mine);
        restored = PyDict_Update(mine, old) < 0 ? -1 : 1;
    }
    Py_XDECREF(mine);
    Py_XDECREF(old);
    return restored;
}

/* Gives `object` the contents of `before`; 1 if it could be done, 0 if the types differ or
 * have no contents to exchange, -1 with an exception. */
static int restore_contents(PyObject *object, PyObject *before)
{
    if (Py_TYPE(object) != Py_TYPE(before))
        return 0;
    if (PyList_CheckExact(object))
        return PyList_SetSlice(object, 0, PyList_GET_SIZE(object), before) < 0 ? -1 : 1;
    if (PyDict_CheckExact(object)) {
        PyDict_Clear(object);
        return PyDict_Update(object, before) < 0 ? -1 : 1;
    }
    if (PySet_CheckExact(object)) {
        if (PySet_Clear(object) < 0)
            return -1;
        PyObject *none = PyObject_CallMethod(object, "update", "O", before);
        Py_XDECREF(none);
        return none == NULL ? -1 : 1;
    }
    return restore_attributes(object, before);
}

static void forget_object(struct thread_context *context, uint32_t place)
{
    struct txn_entry *entry = &context->txn.entries[place];
    PyObject *object = entry->object;
    context->block.marked -= (entry->flags & ENTRY_MARK) != 0;
    entry->flags &= ~(uint32_t)ENTRY_MARK;
    entry->object = NULL;
    Py_XDECREF(object);
}

/* Gives an entry the object back that it had where the level began. */
static int restore_entry(struct thread_context *context, uint32_t place, PyObject *object)
{
    PyObject *before = decode_current(context, place);
    int restored = before == NULL ? (PyErr_Occurred() ? -1 : 0)
                                  : restore_contents(object, before);
    Py_XDECREF(before);
    if (restored == 1) {
        struct txn_entry *entry = &context->txn.entries[place];
        entry->object = Py_NewRef(object);
        entry->flags |= ENTRY_MARK;
        context->block.marked++;
    }
    return restored < 0 ? -1 : 0;
}

/* Brings the objects in line with what the entries hold after a rollback. */
static int restore_objects(struct thread_context *context, PyObject *held)
{
    for (uint32_t i = 0; i < context->txn.count; i++)
        forget_object(context, i);
    for (Py_ssize_t i = 0; held != NULL && i < PyList_GET_SIZE(held); i++) {
        PyObject *pair = PyList_GET_ITEM(held, i);
        uint32_t place = (uint32_t)PyLong_AsUnsignedLong(PyTuple_GET_ITEM(pair, 0));
        if (restore_entry(context, place, PyTuple_GET_ITEM(pair, 1)) < 0)
            return -1;
    }
    return 0;
}

/* Lists what may be changed in place, as (place of the entry, object); NULL into `out` if
 * there is nothing. */
static int hold_objects(struct thread_context *context, PyObject **out)
{
    struct txn *txn = &context->txn;
    *out = NULL;
    if (context->block.marked == 0)
        return 0;
    PyObject *held = PyList_New(0);
    for (uint32_t i = 0; held != NULL && i < txn->count; i++) {
        if (!(txn->entries[i].flags & ENTRY_MARK))
            continue;
        PyObject *pair = Py_BuildValue("(IO)", i, (PyObject *)txn->entries[i].object);
        if (pair == NULL || PyList_Append(held, pair) < 0)
            Py_CLEAR(held);
        Py_XDECREF(pair);
    }
    *out = held;
    return held == NULL ? -1 : 0;
}

/* ---- levels --------------------------------------------------------------------------------- */

/* One deadline over all attempts, as that of the block itself: it counts from where the block
 * first met a level with a timeout. */
static void narrow_deadline(struct block *block, uint64_t timeout_ns)
{
    if (block->nested_since_ns == 0)
        block->nested_since_ns = platform_now_ns();
    uint64_t deadline_ns = block->nested_since_ns + timeout_ns;
    if (deadline_ns < block->deadline_ns)
        block->deadline_ns = deadline_ns;
}

int block_nest(struct thread_context *context, struct atomic *owner, bool read_only,
               uint64_t timeout_ns)
{
    if (context->depth == BLOCK_LEVELS)
        return errors_format(context->state, ERROR_NESTED_MISUSE,
                             "this block: nested %d deep; is a block entered without end?",
                             BLOCK_LEVELS);
    if (block_check(context) < 0 || block_flush(context) < 0)
        return -1;
    struct level *level = &context->levels[context->depth];
    if (hold_objects(context, &level->held) < 0)
        return -1;
    PyObject *hooks = context->block.on_commit;
    PyObject *commutes = context->block.commutes;
    level->owner = owner;
    level->hooks = hooks == NULL ? 0 : PyList_GET_SIZE(hooks);
    level->commutes = commutes == NULL ? 0 : PyList_GET_SIZE(commutes);
    level->outer_deadline_ns = context->block.deadline_ns;
    if (timeout_ns != 0)
        narrow_deadline(&context->block, timeout_ns);
    level->read_only = read_only || context->levels[context->depth - 1].read_only;
    if (!(context->txn.flags & TXN_READ_ONLY))
        level->savepoint = txn_save(&context->txn);
    context->depth++;
    return 0;
}

static int cut(PyObject *list, Py_ssize_t length)
{
    return list == NULL ? 0 : PyList_SetSlice(list, length, PY_SSIZE_T_MAX, NULL);
}

/* What an undone level asked for at or after a commit is off. */
static int drop_functions(struct thread_context *context, const struct level *level)
{
    if (cut(context->block.on_commit, level->hooks) < 0)
        return -1;
    return cut(context->block.commutes, level->commutes);
}

int block_unnest(struct thread_context *context, bool keep)
{
    struct level *level = &context->levels[--context->depth];
    PyObject *held = level->held;
    int result = 0;
    level->held = NULL;
    /* Until the next attempt begins, a doomed one has the deadline of the level it ended in. */
    if (!context->block.doomed)
        context->block.deadline_ns = level->outer_deadline_ns;
    if (keep && !context->block.doomed) {
        if (!(context->txn.flags & TXN_READ_ONLY))
            txn_merge(&context->txn, level->savepoint);
    } else {
        if (!(context->txn.flags & TXN_READ_ONLY))
            txn_rollback(&context->txn, level->savepoint);
        result = drop_functions(context, level);
        /* A doomed attempt shows its objects to nobody any more. */
        if (result == 0 && !context->block.doomed)
            result = restore_objects(context, held);
    }
    Py_XDECREF(held);
    return result;
}

void block_forget_levels(struct thread_context *context, uint32_t depth)
{
    while (context->depth > depth)
        Py_CLEAR(context->levels[--context->depth].held);
}
