/* py_walk.c - all keys of a variable: length, iteration, copies.
 *
 * A walk copies the encoded keys (and values) in one read operation and decodes afterwards,
 * since decoding may run code.
 */
#include "py_block.h"
#include "py_errors.h"
#include "py_var.h"

struct record {
    uint32_t key_length, value_length;
};

struct collected {
    struct codec_buf buf; /* records, each followed by its key and value */
    bool values;
    Py_ssize_t count;
};

static bool collect(void *opaque, const uint8_t *key, uint32_t length,
                    const struct version *version)
{
    struct collected *to = opaque;
    struct record record = {length, to->values ? version_length(version) : 0};
    size_t bytes = sizeof record + record.key_length + record.value_length;
    uint8_t *at = codec_buf_reserve(&to->buf, bytes);
    if (at == NULL)
        return false;
    memcpy(at, &record, sizeof record);
    memcpy(at + sizeof record, key, length);
    memcpy(at + sizeof record + length, version->payload, record.value_length);
    to->buf.used += bytes;
    to->count++;
    return true;
}

/* Runs a function of the core in the open block, or in one of its own outside. */
typedef enum stm_status (*reader)(struct txn *txn, struct var *self, void *out);

static int read_variable(struct var *self, reader function, void *out)
{
    bool inside;
    struct thread_context *context = var_context(self, POINT_READ, Py_None, &inside);
    if (context == NULL || (inside && block_flush(context) < 0) ||
        (!inside && var_peek_begin(self, context) < 0))
        return -1;
    enum stm_status status = function(&context->txn, self, out);
    if (!inside)
        var_peek_end(context);
    return status == STM_OK ? 0 : errors_raise(context, status, self->name, NULL);
}

static enum stm_status read_size(struct txn *txn, struct var *self, void *out)
{
    return txn_size(txn, self->variable, out);
}

static enum stm_status read_all(struct txn *txn, struct var *self, void *out)
{
    struct collected *collected = out;
    return txn_walk(txn, self->variable, collected->values, collect, collected);
}

Py_ssize_t var_length(struct var *self)
{
    uint64_t size = 0;
    return read_variable(self, read_size, &size) < 0 ? -1 : (Py_ssize_t)size;
}

/* ---- decoding what was collected --------------------------------------------------------------- */

static PyObject *decode(struct var *self, const uint8_t *bytes, uint32_t length)
{
    return values_decode(&self->state->values, bytes, length);
}

static int fill_list(struct var *self, const struct collected *from, PyObject *list)
{
    const uint8_t *at = from->buf.bytes;
    for (Py_ssize_t i = 0; i < from->count; i++) {
        struct record record;
        memcpy(&record, at, sizeof record);
        at += sizeof record;
        PyObject *key = decode(self, at, record.key_length);
        at += record.key_length + record.value_length;
        if (key == NULL)
            return -1;
        PyList_SET_ITEM(list, i, key);
    }
    return 0;
}

static int fill_dict(struct var *self, const struct collected *from, PyObject *dict)
{
    const uint8_t *at = from->buf.bytes;
    for (Py_ssize_t i = 0; i < from->count; i++) {
        struct record record;
        memcpy(&record, at, sizeof record);
        at += sizeof record;
        PyObject *key = decode(self, at, record.key_length);
        PyObject *value =
            key == NULL ? NULL : decode(self, at + record.key_length, record.value_length);
        int result = value == NULL ? -1 : PyDict_SetItem(dict, key, value);
        Py_XDECREF(key);
        Py_XDECREF(value);
        if (result < 0)
            return -1;
        at += record.key_length + record.value_length;
    }
    return 0;
}

static PyObject *walk(struct var *self, bool values)
{
    struct collected collected = {.values = values};
    codec_buf_init(&collected.buf, SIZE_MAX);
    PyObject *result = NULL;
    if (read_variable(self, read_all, &collected) == 0) {
        result = values ? PyDict_New() : PyList_New(collected.count);
        if (result != NULL && (values ? fill_dict(self, &collected, result)
                                      : fill_list(self, &collected, result)) < 0)
            Py_CLEAR(result);
    }
    codec_buf_free(&collected.buf);
    return result;
}

PyObject *var_iterate(struct var *self)
{
    PyObject *keys = walk(self, false);
    PyObject *iterator = keys == NULL ? NULL : PyObject_GetIter(keys);
    Py_XDECREF(keys);
    return iterator;
}

/* ---- methods ---------------------------------------------------------------------------------------- */

PyObject *var_copy(struct var *self, PyObject *unused)
{
    (void)unused;
    return walk(self, true);
}
