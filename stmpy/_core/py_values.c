/* py_values.c - the state of the value codec, and its functions for Python.
 *
 * Invariant: between values_init and values_clear every member of the state is set.  Safe for
 * several interpreters because nothing here is static but constants.
 */
#include "py_values_parts.h"

int values_init(struct values_state *state, PyObject *encode_error, PyObject *decode_error)
{
    state->encode_error = Py_NewRef(encode_error);
    state->decode_error = Py_NewRef(decode_error);
    state->by_type = PyDict_New();
    state->by_name = PyDict_New();
    state->stdlib = PyList_New(STDLIB_CLASSES);
    if (state->by_type == NULL || state->by_name == NULL || state->stdlib == NULL) return -1;
    for (Py_ssize_t i = 0; i < STDLIB_CLASSES; i++)
        PyList_SET_ITEM(state->stdlib, i, Py_NewRef(Py_None));
    return 0;
}

int values_traverse(struct values_state *state, visitproc visit, void *arg)
{
    Py_VISIT(state->encode_error);
    Py_VISIT(state->decode_error);
    Py_VISIT(state->by_type);
    Py_VISIT(state->by_name);
    Py_VISIT(state->stdlib);
    return 0;
}

void values_clear(struct values_state *state)
{
    Py_CLEAR(state->encode_error);
    Py_CLEAR(state->decode_error);
    Py_CLEAR(state->by_type);
    Py_CLEAR(state->by_name);
    Py_CLEAR(state->stdlib);
}

//// Functions of the module

static PyObject *bytes_of(struct codec_buf *out, int result)
{
    PyObject *bytes = NULL;
    if (result == 0)
        bytes = PyBytes_FromStringAndSize((const char *)out->bytes, (Py_ssize_t)out->used);
    codec_buf_free(out);
    return bytes;
}

static PyObject *module_encode(PyObject *module, PyObject *value)
{
    struct codec_buf out;
    unsigned flags = 0;
    codec_buf_init(&out, CODEC_VALUE_MAX);
    return bytes_of(&out, values_encode(values_state_of(module), value, &out, &flags));
}

static PyObject *module_encode_key(PyObject *module, PyObject *key)
{
    struct codec_buf out;
    codec_buf_init(&out, CODEC_VALUE_MAX);
    return bytes_of(&out, values_encode_key(values_state_of(module), key, &out));
}

typedef PyObject *(*decode_function)(struct values_state *state, const uint8_t *bytes,
                                     size_t length);

static PyObject *decode_with(decode_function decode, PyObject *module, PyObject *bytes)
{
    Py_buffer view;
    if (PyObject_GetBuffer(bytes, &view, PyBUF_SIMPLE) < 0) return NULL;
    PyObject *value = decode(values_state_of(module), view.buf, (size_t)view.len);
    PyBuffer_Release(&view);
    return value;
}

static PyObject *module_decode(PyObject *module, PyObject *bytes)
{
    return decode_with(values_decode, module, bytes);
}

static PyObject *module_decode_key(PyObject *module, PyObject *bytes)
{
    return decode_with(values_decode_key, module, bytes);
}

static PyObject *module_register(PyObject *module, PyObject *args)
{
    PyObject *class, *name;
    if (!PyArg_ParseTuple(args, "OO:register", &class, &name) ||
        values_register(values_state_of(module), class, name) < 0)
        return NULL;
    Py_RETURN_NONE;
}

PyMethodDef values_methods[] = {
    {"encode", module_encode, METH_O,
     PyDoc_STR("encode(value, /)\n--\n\n"
               "The bytes under which a value is stored: CBOR (RFC 8949).\n\n"
               "Raises EncodeError with the path to a part that can't be stored.")},
    {"decode", module_decode, METH_O,
     PyDoc_STR("decode(data, /)\n--\n\n"
               "The value that encode() made these bytes from.\n\n"
               "Raises DecodeError for any other bytes; trying again won't help.")},
    {"encode_key", module_encode_key, METH_O,
     PyDoc_STR("encode_key(key, /)\n--\n\n"
               "The bytes of a key, the same for keys that are equal: 1, 1.0 and True.\n\n"
               "Raises EncodeError for what can't be a key, or takes more than 480 bytes.")},
    {"decode_key", module_decode_key, METH_O,
     PyDoc_STR("decode_key(data, /)\n--\n\n"
               "The key that encode_key() made these bytes from; a whole number as int.\n\n"
               "Raises DecodeError for any other bytes; trying again won't help.")},
    {"register", module_register, METH_VARARGS,
     PyDoc_STR("register(cls, name, /)\n--\n\n"
               "Make instances of an Enum or dataclass storable under a name.\n\n"
               "Raises TypeError for other classes, ValueError if the name or class is taken.")},
    {NULL, NULL, 0, NULL},
};
