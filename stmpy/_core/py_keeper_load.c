/* py_keeper_load.c - a store on disk becomes one in memory.
 *
 * What comes from disk is not trusted: a row goes in only if its checksum is right, and if
 * it is one that the core could have written.
 */
#include "durable.h"
#include "lock.h"
#include "py_keeper.h"
#include "variable.h"

/* One row into the open transaction. */
static enum stm_status load_row(struct keeper *self, const struct key *key, const uint8_t *value,
                                size_t length, unsigned flags)
{
    struct txn_value found;
    enum stm_status status = txn_lookup(&self->txn, key, false, &found);
    if (status != STM_OK)
        return status;
    txn_read_done(&self->txn);
    return flags & VERSION_TOMBSTONE ? txn_delete(&self->txn, found.entry)
                                     : txn_put(&self->txn, found.entry, value, length, flags);
}

/* Ends the transaction of a batch. */
static PyObject *finish_load(struct keeper *self, enum stm_status status)
{
    if (status == STM_OK)
        PATIENTLY(status, txn_commit(&self->txn, true, NO_DEADLINE));
    txn_end(&self->txn);
    if (status != STM_OK) {
        keeper_raise(status);
        return NULL;
    }
    Py_RETURN_NONE;
}

/* load(rows): rows of (variable, key, value, flags) in one block, nobody else being there. */
PyObject *keeper_load(struct keeper *self, PyObject *args)
{
    PyObject *rows;
    if (!PyArg_ParseTuple(args, "O!", &PyList_Type, &rows))
        return NULL;
    enum stm_status status = STM_OK;
    txn_begin(&self->txn, self->store, self->slot, 0);
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(rows) && status == STM_OK; i++) {
        unsigned variable;
        const char *key, *value;
        Py_ssize_t key_length, length;
        unsigned char flags;
        if (!PyArg_ParseTuple(PyList_GET_ITEM(rows, i), "Iy#y#b", &variable, &key, &key_length,
                              &value, &length, &flags)) {
            txn_end(&self->txn);
            return NULL;
        }
        struct key wanted =
            index_key(self->store, variable, (const uint8_t *)key, (uint32_t)key_length);
        status = load_row(self, &wanted, (const uint8_t *)value, (size_t)length, flags);
    }
    return finish_load(self, status);
}

static uint32_t big_endian(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

#define VARIABLE_BYTES 4 /* at the beginning of a key: the variable's number */
#define CHECK_BYTES 4  /* at the beginning of a value: the checksum; then come the flags */
#define ROWS_AHEAD 8   /* whose cells are on their way while one row is loaded */

/* Whether a commit could have written it: a checksum that is right says only that somebody
 * has made it. */
static bool possible_row(Py_ssize_t key_length, Py_ssize_t length, uint8_t flags)
{
    return key_length > VARIABLE_BYTES && key_length <= VARIABLE_BYTES + (Py_ssize_t)CODEC_KEY_MAX &&
           length <= CHECK_BYTES + 1 + (Py_ssize_t)CODEC_VALUE_MAX &&
           (flags & ~(unsigned)VERSION_MUTABLE) == 0;
}

/* A row as it lies on disk, in parts. */
struct stored_row {
    struct key key;
    const uint8_t *value; /* Borrowed, like the bytes of the key */
    size_t length;
    unsigned flags;
};

/* 1, or 0 if the row is not what was written, or -1 with an exception. */
static int read_row(const struct keeper *self, PyObject *refs, PyObject *row, uint64_t *sum,
                    struct stored_row *out)
{
    const char *key_text, *value_text;
    Py_ssize_t key_length, length;
    if (!PyArg_ParseTuple(row, "y#y#", &key_text, &key_length, &value_text, &length))
        return -1;
    const uint8_t *key = (const uint8_t *)key_text, *value = (const uint8_t *)value_text;
    if (length <= CHECK_BYTES || !possible_row(key_length, length, value[CHECK_BYTES]))
        return 0;
    uint32_t number = big_endian(key), check = big_endian(value);
    uint32_t crc = group_crc(group_crc(0, key, (size_t)key_length), value + CHECK_BYTES,
                             (size_t)(length - CHECK_BYTES));
    if (crc != check || number >= PyList_GET_SIZE(refs))
        return 0;
    unsigned long variable = PyLong_AsUnsignedLong(PyList_GET_ITEM(refs, number));
    if (variable == 0)
        return 0;
    *sum += check;
    out->key = index_key(self->store, (region_ref)variable, key + VARIABLE_BYTES,
                         (uint32_t)(key_length - VARIABLE_BYTES));
    out->flags = value[CHECK_BYTES];
    out->value = value + CHECK_BYTES + 1;
    out->length = (size_t)(length - CHECK_BYTES - 1);
    return 1;
}

/* Loads checked rows in one block.  Most of the time goes into waiting for memory, where keys
 * lie in no order: so buckets were fetched while the rows were read, and cells are now. */
static PyObject *load_rows(struct keeper *self, const struct stored_row *rows, Py_ssize_t count)
{
    enum stm_status status = STM_OK;
    txn_begin(&self->txn, self->store, self->slot, 0);
    for (Py_ssize_t i = 0; i < count && status == STM_OK; i++) {
        if (i + ROWS_AHEAD < count)
            index_prefetch_cell(self->store, &rows[i + ROWS_AHEAD].key);
        status = load_row(self, &rows[i].key, rows[i].value, rows[i].length, rows[i].flags);
    }
    return finish_load(self, status);
}

/* load_stored(refs, rows): rows of (key, value) as the table `data` has them, refs by number of
 * the variable, 0 where there is none; the sum of the checksums, or None if one is wrong. */
PyObject *keeper_load_stored(struct keeper *self, PyObject *args)
{
    PyObject *refs, *rows, *done = NULL;
    if (!PyArg_ParseTuple(args, "O!O!", &PyList_Type, &refs, &PyList_Type, &rows))
        return NULL;
    Py_ssize_t count = PyList_GET_SIZE(rows);
    struct stored_row *stored = PyMem_Calloc((size_t)count, sizeof *stored);
    if (stored == NULL)
        return PyErr_NoMemory();
    uint64_t sum = 0;
    int good = 1;
    for (Py_ssize_t i = 0; i < count && good == 1; i++) {
        good = read_row(self, refs, PyList_GET_ITEM(rows, i), &sum, &stored[i]);
        if (good == 1)
            index_prefetch_bucket(self->store, &stored[i].key);
    }
    if (good == 0)
        done = Py_NewRef(Py_None);
    else if (good == 1 && (done = load_rows(self, stored, count)) != NULL)
        Py_SETREF(done, PyLong_FromUnsignedLongLong(sum));
    PyMem_Free(stored);
    return done;
}

PyObject *keeper_variable(struct keeper *self, PyObject *args)
{
    const char *name;
    Py_ssize_t length;
    unsigned kind;
    region_ref variable;
    if (!PyArg_ParseTuple(args, "s#I", &name, &length, &kind))
        return NULL;
    enum stm_status status;
    PATIENTLY(status, variable_open(self->store, self->slot, name, (uint32_t)length, kind, true,
                                    &variable));
    if (status != STM_OK) {
        keeper_raise(status);
        return NULL;
    }
    return PyLong_FromUnsignedLong(variable);
}

PyObject *keeper_restore(struct keeper *self, PyObject *argument)
{
    unsigned long long ts = PyLong_AsUnsignedLongLong(argument);
    if (PyErr_Occurred())
        return NULL;
    enum stm_status status;
    PATIENTLY(status, durable_restore(self->store, self->slot, ts));
    durable_publish(self->store, load_relaxed(&self->store->region->clock));
    Py_RETURN_NONE;
}
