/* py_keys.c - the keys that a thread remembers.
 *
 * Invariant: what is remembered of an object is what encoding an equal one of its type
 * would give.  Safe because only exact str and small exact int are remembered, which never
 * change.  Letting go of one runs no code.
 */
#include "py_keys.h"

/* Places by value: a program that computes its keys has new objects for the same ones. */
static struct known_key *place_of(struct thread_context *context, const struct var *var,
                                  PyObject *object)
{
    if (context->keys == NULL)
        context->keys = PyMem_RawCalloc(KNOWN_KEYS, sizeof *context->keys);
    if (context->keys == NULL)
        return NULL;
    uint64_t value;
    if (PyUnicode_CheckExact(object))
        value = (uint64_t)PyObject_Hash(object);
    else if (PyLong_CheckExact(object) && PyUnstable_Long_IsCompact((PyLongObject *)object))
        value = (uint64_t)PyUnstable_Long_CompactValue((PyLongObject *)object);
    else
        return NULL;
    return &context->keys[(value + var->variable * 40503u) % KNOWN_KEYS];
}

/* Both are exact, and compact if they are ints. */
static bool equal(PyObject *a, PyObject *b)
{
    if (a == b)
        return true;
    if (a == NULL || Py_TYPE(a) != Py_TYPE(b))
        return false;
    if (PyUnicode_CheckExact(a))
        return PyUnicode_Compare(a, b) == 0;
    return PyUnstable_Long_CompactValue((PyLongObject *)a) ==
           PyUnstable_Long_CompactValue((PyLongObject *)b);
}

static void remember(struct known_key *known, const struct var *var, PyObject *object,
                     const struct key *key)
{
    PyObject *old = known->object;
    known->object = Py_NewRef(object);
    known->store = var->store->number;
    known->variable = key->variable;
    known->order = key->order;
    known->length = key->length;
    known->attempt = 0;
    known->hint.cell = 0;
    memcpy(known->bytes, key->bytes, key->length);
    Py_XDECREF(old);
}

static bool knows(const struct known_key *known, const struct var *var, PyObject *object)
{
    return known->variable == var->variable && known->store == var->store->number &&
           equal(known->object, object);
}

static struct key known_as_key(struct known_key *known)
{
    return (struct key){known->variable, known->order, known->length, known->bytes, &known->hint};
}

int keys_encode(struct thread_context *context, struct var *var, PyObject *object,
                struct encoded_key *out)
{
    struct known_key *known = place_of(context, var, object);
    codec_buf_init(&out->buf, CODEC_KEY_MAX);
    if (known != NULL && knows(known, var, object)) {
        out->known = known;
        out->key = known_as_key(known);
        return 0;
    }
    if (values_encode_key(&context->state->values, object, &out->buf) < 0)
        return -1;
    out->key = index_key(var->store, var->variable, out->buf.bytes, (uint32_t)out->buf.used);
    index_prefetch_bucket(var->store, &out->key);
    out->known = NULL;
    if (known != NULL && out->key.length <= KNOWN_KEY_BYTES) {
        remember(known, var, object, &out->key);
        out->known = known;
        out->key.hint = &known->hint;
    }
    return 0;
}

int keys_append(struct thread_context *context, struct var *var, PyObject *object,
                struct codec_buf *buf, struct keys_used *used, struct key *out)
{
    struct known_key *known = place_of(context, var, object);
    size_t place = known == NULL ? 0 : (size_t)(known - context->keys), start = buf->used;
    uint64_t *word = &used->places[place / 64], bit = (uint64_t)1 << place % 64;
    if (known != NULL && knows(known, var, object)) {
        *word |= bit;
        *out = known_as_key(known);
        return 0;
    }
    if (values_encode_key(&context->state->values, object, buf) < 0)
        return -1;
    *out = index_key(var->store, var->variable, buf->bytes + start, (uint32_t)(buf->used - start));
    index_prefetch_bucket(var->store, out);
    if (known != NULL && !(*word & bit) && out->length <= KNOWN_KEY_BYTES) {
        remember(known, var, object, out);
        *word |= bit;
        *out = known_as_key(known);
    }
    return 0;
}
