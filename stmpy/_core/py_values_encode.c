/* py_values_encode.c - builtin objects to bytes.
 *
 * Invariant: `path` and `depth` of the encoder describe the containers open at this moment.
 * Safe against objects that change meanwhile (another thread, or Python code that a field or
 * a hash runs): each element is held by a reference of its own while it is written, and a
 * container whose size is no longer what its head says is an error.
 */
#include "py_values_parts.h"

int encode_head(struct encoder *encoder, enum codec_major major, uint64_t argument)
{
    return codec_write_head(encoder->out, major, argument) ? 0 : encode_fail_full(encoder);
}

int encode_enter(struct encoder *encoder, struct path_step *step, enum path_kind kind)
{
    if (encoder->depth == CODEC_DEPTH_MAX)
        return encode_fail(encoder,
                           "nested deeper than %d containers; store the parts under keys of "
                           "their own (does it contain itself?)",
                           CODEC_DEPTH_MAX);
    *step = (struct path_step){.outer = encoder->path, .kind = kind};
    encoder->path = step;
    encoder->depth++;
    return 0;
}

//// The hot path: what most values are, without a context for messages

enum scalar {
    SCALAR_WRITTEN,
    SCALAR_FULL, /* the buffer's status says why */
    SCALAR_NONE, /* the object is something else */
};

static inline enum scalar encode_scalar(struct codec_buf *out, PyObject *value)
{
    PyTypeObject *type = Py_TYPE(value);
    bool written;
    if (type == &PyLong_Type) {
        if (!PyUnstable_Long_IsCompact((PyLongObject *)value)) return SCALAR_NONE;
        written = codec_write_int(out, PyUnstable_Long_CompactValue((PyLongObject *)value));
    } else if (type == &PyUnicode_Type) {
        if (!PyUnicode_IS_COMPACT_ASCII(value)) return SCALAR_NONE;
        written = codec_write_string(out, CODEC_TEXT, PyUnicode_1BYTE_DATA(value),
                                     (size_t)PyUnicode_GET_LENGTH(value));
    } else if (type == &PyFloat_Type) {
        written = codec_write_float(out, PyFloat_AS_DOUBLE(value));
    } else if (value == Py_None) {
        written = codec_write_head(out, CODEC_SIMPLE, CODEC_NULL);
    } else if (type == &PyBool_Type) {
        written = codec_write_head(out, CODEC_SIMPLE, value == Py_True ? CODEC_TRUE : CODEC_FALSE);
    } else {
        return SCALAR_NONE;
    }
    return written ? SCALAR_WRITTEN : SCALAR_FULL;
}

//// Containers

static int encode_list_locked(struct encoder *encoder, PyObject *list, struct path_step *step)
{
    Py_ssize_t size = PyList_GET_SIZE(list);
    if (encode_head(encoder, CODEC_ARRAY, (uint64_t)size) < 0) return -1;
    for (step->index = 0; step->index < size; step->index++) {
        PyObject *item = Py_NewRef(PyList_GET_ITEM(list, step->index));
        int result = encode_item(encoder, item);
        Py_DECREF(item);
        if (result < 0) return -1;
        if (PyList_GET_SIZE(list) != size) return encode_fail_changed(encoder);
    }
    return 0;
}

static int encode_list(struct encoder *encoder, PyObject *list)
{
    struct path_step step;
    if (encode_enter(encoder, &step, PATH_INDEX) < 0) return -1;
    encoder->flags |= VALUE_MUTABLE;
    int result;
    Py_BEGIN_CRITICAL_SECTION(list);
    result = encode_list_locked(encoder, list, &step);
    Py_END_CRITICAL_SECTION();
    encode_leave(encoder, &step);
    return result;
}

static int encode_tuple(struct encoder *encoder, PyObject *tuple)
{
    struct path_step step;
    Py_ssize_t size = PyTuple_GET_SIZE(tuple);
    if (encode_enter(encoder, &step, PATH_INDEX) < 0 ||
        encode_head(encoder, CODEC_TAG, CODEC_TAG_TUPLE) < 0 ||
        encode_head(encoder, CODEC_ARRAY, (uint64_t)size) < 0)
        return -1;
    for (step.index = 0; step.index < size; step.index++) {
        if (encode_item(encoder, PyTuple_GET_ITEM(tuple, step.index)) < 0) return -1;
    }
    encode_leave(encoder, &step);
    return 0;
}

static int encode_entry(struct encoder *encoder, PyObject *key, PyObject *value,
                        struct path_step *step)
{
    step->kind = PATH_KEY;
    if (encode_item(encoder, key) < 0) return -1;
    step->kind = PATH_VALUE;
    step->name = key;
    return encode_item(encoder, value);
}

static int encode_dict_locked(struct encoder *encoder, PyObject *dict, struct path_step *step)
{
    Py_ssize_t size = PyDict_GET_SIZE(dict), position = 0;
    PyObject *key, *value;
    if (encode_head(encoder, CODEC_MAP, (uint64_t)size) < 0) return -1;
    for (step->index = 0; PyDict_Next(dict, &position, &key, &value); step->index++) {
        if (step->index == size) return encode_fail_changed(encoder);
        Py_INCREF(key);
        Py_INCREF(value);
        int result = encode_entry(encoder, key, value, step);
        Py_DECREF(key);
        Py_DECREF(value);
        if (result < 0) return -1;
    }
    return step->index == size ? 0 : encode_fail_changed(encoder);
}

/* Refuses what the decoder would have to refuse.  Takes over the list of the hashed. */
static int encode_check_hashes(struct encoder *encoder, PyObject *hashed)
{
    int crowded = hashed == NULL ? -1 : hashes_crowded(hashed);
    Py_XDECREF(hashed);
    if (crowded > 0)
        return encode_fail(encoder,
                           "more than %d elements share one hash, which makes it too slow to "
                           "read; give their class a __hash__ that tells them apart",
                           VALUES_HASH_SHARED);
    return crowded;
}

static int encode_dict(struct encoder *encoder, PyObject *dict)
{
    struct path_step step;
    if (PyDict_GET_SIZE(dict) > VALUES_HASH_SHARED &&
        encode_check_hashes(encoder, PyDict_Keys(dict)) < 0)
        return -1;
    if (encode_enter(encoder, &step, PATH_VALUE) < 0) return -1;
    encoder->flags |= VALUE_MUTABLE;
    int result;
    Py_BEGIN_CRITICAL_SECTION(dict);
    result = encode_dict_locked(encoder, dict, &step);
    Py_END_CRITICAL_SECTION();
    encode_leave(encoder, &step);
    return result;
}

/* Elements of a set in the order of their bytes.  A list of them was made beforehand, so
 * the set may change without harm. */
static int encode_elements(struct encoder *encoder, PyObject *elements)
{
    struct path_step step;
    size_t size = (size_t)PyList_GET_SIZE(elements);
    if (encode_enter(encoder, &step, PATH_ELEMENT) < 0 ||
        encode_head(encoder, CODEC_ARRAY, size) < 0)
        return -1;
    size_t *ends = PyMem_New(size_t, size);
    if (ends == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    size_t start = encoder->out->used;
    int result = 0;
    for (size_t i = 0; i < size && result == 0; i++) {
        result = encode_item(encoder, PyList_GET_ITEM(elements, (Py_ssize_t)i));
        ends[i] = encoder->out->used;
    }
    if (result == 0 && !codec_sort_items(encoder->out, start, ends, size))
        result = encode_fail_full(encoder);
    PyMem_Free(ends);
    encode_leave(encoder, &step);
    return result;
}

static int encode_set(struct encoder *encoder, PyObject *set)
{
    bool frozen = PyFrozenSet_CheckExact(set);
    if (!frozen) encoder->flags |= VALUE_MUTABLE;
    PyObject *elements = PySequence_List(set);
    if (elements == NULL) return -1;
    int result = encode_head(encoder, CODEC_TAG, frozen ? CODEC_TAG_FROZENSET : CODEC_TAG_SET);
    if (result == 0) result = encode_check_hashes(encoder, Py_NewRef(elements));
    if (result == 0) result = encode_elements(encoder, elements);
    Py_DECREF(elements);
    return result;
}

static int encode_complex(struct encoder *encoder, PyObject *value)
{
    Py_complex number = PyComplex_AsCComplex(value);
    if (encode_head(encoder, CODEC_TAG, CODEC_TAG_COMPLEX) < 0 ||
        encode_head(encoder, CODEC_ARRAY, 2) < 0)
        return -1;
    if (!codec_write_float(encoder->out, number.real) ||
        !codec_write_float(encoder->out, number.imag))
        return encode_fail_full(encoder);
    return 0;
}

static int encode_bytes(struct encoder *encoder, PyObject *value)
{
    if (!codec_write_string(encoder->out, CODEC_BYTES, PyBytes_AS_STRING(value),
                            (size_t)PyBytes_GET_SIZE(value)))
        return encode_fail_full(encoder);
    return 0;
}

static int encode_other(struct encoder *encoder, PyObject *value)
{
    int written = encode_registered(encoder, value);
    if (written == 0) written = encode_stdlib(encoder, value);
    if (written == 0) return encode_fail_type(encoder, value);
    return written < 0 ? -1 : 0;
}

int encode_item(struct encoder *encoder, PyObject *value)
{
    switch (encode_scalar(encoder->out, value)) {
    case SCALAR_WRITTEN: return 0;
    case SCALAR_FULL: return encode_fail_full(encoder);
    case SCALAR_NONE: break;
    }
    PyTypeObject *type = Py_TYPE(value);
    if (type == &PyDict_Type) return encode_dict(encoder, value);
    if (type == &PyList_Type) return encode_list(encoder, value);
    if (type == &PyTuple_Type) return encode_tuple(encoder, value);
    if (type == &PyUnicode_Type) return encode_text(encoder, value);
    if (type == &PyLong_Type) return encode_int(encoder, value);
    if (type == &PyBytes_Type) return encode_bytes(encoder, value);
    if (type == &PySet_Type || type == &PyFrozenSet_Type) return encode_set(encoder, value);
    if (type == &PyComplex_Type) return encode_complex(encoder, value);
    return encode_other(encoder, value);
}

static const struct encoder_role value_role = {
    .name = "value",
    .max = CODEC_VALUE_MAX,
    .advice = "store its parts under keys of their own",
};

int values_encode(struct values_state *state, PyObject *value, struct codec_buf *out,
                  unsigned *flags)
{
    if (encode_scalar(out, value) == SCALAR_WRITTEN) return 0;
    struct encoder encoder = {.state = state, .out = out, .role = &value_role};
    if (encode_item(&encoder, value) < 0) return -1;
    *flags |= encoder.flags;
    return 0;
}
