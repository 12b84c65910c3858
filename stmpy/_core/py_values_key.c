/* py_values_key.c - keys to bytes, so that equal keys are equal bytes.
 *
 * Invariant: for keys that are accepted, a == b in Python if and only if their bytes are the
 * same.  Safe because numbers are written in one form per value, NaN and types with an
 * equality of their own are refused, and subclasses are accepted only if they inherit both
 * comparison and hash from the type that is written.
 */
#include "py_values_parts.h"

#include <math.h>

static int encode_key_part(struct encoder *encoder, PyObject *key);

/* Whether the key compares as the builtin type does. */
static bool compares_as(PyObject *key, PyTypeObject *builtin)
{
    PyTypeObject *type = Py_TYPE(key);
    return type == builtin ||
           (type->tp_richcompare == builtin->tp_richcompare && type->tp_hash == builtin->tp_hash);
}

static int encode_key_int(struct encoder *encoder, PyObject *key)
{
    if (PyUnstable_Long_IsCompact((PyLongObject *)key)) {
        Py_ssize_t number = PyUnstable_Long_CompactValue((PyLongObject *)key);
        return codec_write_int(encoder->out, number) ? 0 : encode_fail_full(encoder);
    }
    return encode_int(encoder, key);
}

/* A float that is a whole number equals an int, so it is written as one. */
static int encode_key_float(struct encoder *encoder, double number)
{
    if (isnan(number))
        return encode_fail(encoder, "NaN is no key: it equals nothing, so it could never be "
                                    "found again; use None or a str instead");
    if (isinf(number) || number != floor(number))
        return codec_write_float(encoder->out, number) ? 0 : encode_fail_full(encoder);
    PyObject *whole = PyLong_FromDouble(number);
    if (whole == NULL) return -1;
    int result = encode_key_int(encoder, whole);
    Py_DECREF(whole);
    return result;
}

static int encode_key_tuple(struct encoder *encoder, PyObject *key)
{
    struct path_step step;
    Py_ssize_t size = PyTuple_GET_SIZE(key);
    if (encode_enter(encoder, &step, PATH_INDEX) < 0 ||
        encode_head(encoder, CODEC_TAG, CODEC_TAG_TUPLE) < 0 ||
        encode_head(encoder, CODEC_ARRAY, (uint64_t)size) < 0)
        return -1;
    for (step.index = 0; step.index < size; step.index++) {
        if (encode_key_part(encoder, PyTuple_GET_ITEM(key, step.index)) < 0) return -1;
    }
    encode_leave(encoder, &step);
    return 0;
}

static int encode_key_part(struct encoder *encoder, PyObject *key)
{
    if (PyUnicode_Check(key) && compares_as(key, &PyUnicode_Type)) return encode_text(encoder, key);
    if (PyLong_Check(key) && compares_as(key, &PyLong_Type)) return encode_key_int(encoder, key);
    if (PyTuple_Check(key) && compares_as(key, &PyTuple_Type))
        return encode_key_tuple(encoder, key);
    if (PyBytes_Check(key) && compares_as(key, &PyBytes_Type))
        return codec_write_string(encoder->out, CODEC_BYTES, PyBytes_AS_STRING(key),
                                  (size_t)PyBytes_GET_SIZE(key))
                   ? 0
                   : encode_fail_full(encoder);
    if (PyFloat_Check(key) && compares_as(key, &PyFloat_Type))
        return encode_key_float(encoder, PyFloat_AS_DOUBLE(key));
    if (key == Py_None) return encode_head(encoder, CODEC_SIMPLE, CODEC_NULL);
    return encode_fail(encoder,
                       "a '%T' object can't be a key; use str, bytes, int, float, bool, None, "
                       "or a tuple of these",
                       key);
}

static const struct encoder_role key_role = {
    .name = "key",
    .max = CODEC_KEY_MAX,
    .advice = "use a shorter one, such as a hash of it",
};

int values_encode_key(struct values_state *state, PyObject *key, struct codec_buf *out)
{
    /* What most keys are, without a context for messages. */
    if (PyUnicode_CheckExact(key) && PyUnicode_IS_COMPACT_ASCII(key) &&
        (size_t)PyUnicode_GET_LENGTH(key) <= CODEC_KEY_MAX - 3 &&
        codec_write_string(out, CODEC_TEXT, PyUnicode_1BYTE_DATA(key),
                           (size_t)PyUnicode_GET_LENGTH(key)))
        return 0;
    struct encoder encoder = {.state = state, .out = out, .role = &key_role};
    size_t start = out->used;
    if (encode_key_part(&encoder, key) < 0) return -1;
    return out->used - start <= CODEC_KEY_MAX ? 0 : encode_fail_full(&encoder);
}

PyObject *values_decode_key(struct values_state *state, const uint8_t *bytes, size_t length)
{
    struct decoder decoder = {.state = state};
    codec_in_init(&decoder.in, bytes, length);
    if (length > CODEC_KEY_MAX)
        return decode_fail(&decoder, "longer than a key can be (%zu bytes)", CODEC_KEY_MAX);
    PyObject *key = values_decode(state, bytes, length);
    if (key == NULL) return NULL;
    struct codec_buf again;
    codec_buf_init(&again, CODEC_VALUE_MAX);
    int result = values_encode_key(state, key, &again);
    if (result == 0 && (again.used != length || memcmp(again.bytes, bytes, length) != 0)) {
        decode_fail(&decoder, "the bytes of a key are not in the one form that keys have");
        result = -1;
    }
    codec_buf_free(&again);
    if (result < 0) {
        Py_CLEAR(key);
        decode_fail_wrap(&decoder);
    }
    return key;
}
