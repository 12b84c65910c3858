/* py_values_error.c - what EncodeError and DecodeError say.
 *
 * Invariant: an encode error names the path from the whole value to the offending part, a
 * decode error the offset of the bytes; both say what to do.  Safe to run in the middle of
 * an encoding because it only reads the chain of open containers, and shows no object whose
 * repr could run foreign code or be of any length.
 */
#include "py_values_parts.h"

#define PATH_KEY_SHOWN "80" /* characters of a key that a path shows at most */

static int has_plain_repr(PyObject *key)
{
    return PyUnicode_CheckExact(key) || PyBytes_CheckExact(key) || PyFloat_CheckExact(key) ||
           key == Py_None || PyBool_Check(key) ||
           (PyLong_CheckExact(key) && PyUnstable_Long_IsCompact((PyLongObject *)key));
}

static PyObject *path_text(const char *root, const struct path_step *step)
{
    if (step == NULL) return PyUnicode_FromString(root);
    PyObject *outer = path_text(root, step->outer), *path = NULL;
    if (outer == NULL) return NULL;
    switch (step->kind) {
    case PATH_INDEX: path = PyUnicode_FromFormat("%U[%zd]", outer, step->index); break;
    case PATH_KEY: path = PyUnicode_FromFormat("%U.keys()[%zd]", outer, step->index); break;
    case PATH_ELEMENT: path = PyUnicode_FromFormat("%U{...}", outer); break;
    case PATH_FIELD: path = PyUnicode_FromFormat("%U.%U", outer, step->name); break;
    case PATH_VALUE:
        if (has_plain_repr(step->name))
            path = PyUnicode_FromFormat("%U[%." PATH_KEY_SHOWN "R]", outer, step->name);
        else
            path = PyUnicode_FromFormat("%U[<%T %zd>]", outer, step->name, step->index);
        break;
    }
    Py_DECREF(outer);
    return path;
}

int encode_fail(struct encoder *encoder, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    PyObject *reason = PyUnicode_FromFormatV(format, arguments);
    va_end(arguments);
    PyObject *path = reason == NULL ? NULL : path_text(encoder->role->name, encoder->path);
    if (path != NULL) PyErr_Format(encoder->state->encode_error, "%U: %U", path, reason);
    Py_XDECREF(path);
    Py_XDECREF(reason);
    return -1;
}

int encode_fail_full(struct encoder *encoder)
{
    if (encoder->out->status == CODEC_NO_MEMORY) {
        PyErr_NoMemory();
        return -1;
    }
    encoder->path = NULL; /* it is the whole that is too long */
    return encode_fail(encoder, "takes more than %zu bytes; %s", encoder->role->max,
                       encoder->role->advice);
}

int encode_fail_changed(struct encoder *encoder)
{
    encoder->path = encoder->path->outer; /* it is the container, not the element */
    return encode_fail(encoder, "changed its size while it was being stored; store a copy, or "
                                "keep other threads from changing it meanwhile");
}

/* The supported class that the type derives from, for the hint; NULL if there is none. */
static PyTypeObject *builtin_base(PyTypeObject *type)
{
    PyTypeObject *bases[] = {&PyLong_Type,      &PyFloat_Type,  &PyUnicode_Type, &PyBytes_Type,
                             &PyTuple_Type,     &PyList_Type,   &PyDict_Type,    &PySet_Type,
                             &PyFrozenSet_Type, &PyComplex_Type};
    for (size_t i = 0; i < sizeof bases / sizeof *bases; i++) {
        if (PyType_IsSubtype(type, bases[i])) return bases[i];
    }
    return NULL;
}

int encode_fail_type(struct encoder *encoder, PyObject *value)
{
    PyObject *type = (PyObject *)Py_TYPE(value);
    int known = PyObject_HasAttrStringWithError(type, "__dataclass_fields__");
    if (known == 0) known = PyObject_HasAttrStringWithError(type, "_member_map_");
    if (known < 0) return -1;
    if (known)
        return encode_fail(encoder,
                           "cannot store a '%T' object before its class is registered; call "
                           "stmpy.register(cls, name) in every interpreter that uses it",
                           value);
    PyTypeObject *base = builtin_base(Py_TYPE(value));
    if (base != NULL)
        return encode_fail(encoder,
                           "cannot store a '%T' object, which would come back as a plain '%s'; "
                           "convert it with %s(...) if that is enough",
                           value, base->tp_name, base->tp_name);
    if (PyByteArray_Check(value) || PyMemoryView_Check(value))
        return encode_fail(encoder, "cannot store a '%T' object; convert it with bytes(...)",
                           value);
    return encode_fail(encoder,
                       "cannot store a '%T' object; store the data that it can be made from "
                       "again, or make its class a dataclass and register it",
                       value);
}

PyObject *decode_fail(struct decoder *decoder, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    PyObject *reason = PyUnicode_FromFormatV(format, arguments);
    va_end(arguments);
    if (reason != NULL) {
        PyErr_Format(
            decoder->state->decode_error, "cannot decode the stored bytes at offset %zd of %zd: %U",
            decoder->in.at - decoder->in.start, decoder->in.end - decoder->in.start, reason);
        Py_DECREF(reason);
    }
    return NULL;
}

PyObject *decode_fail_status(struct decoder *decoder, enum codec_status status)
{
    return decode_fail(decoder, "%s; they are damaged or no value of stmpy",
                       codec_status_text(status));
}

void decode_fail_wrap(struct decoder *decoder)
{
    if (!PyErr_ExceptionMatches(PyExc_Exception) ||
        PyErr_ExceptionMatches(decoder->state->decode_error) ||
        PyErr_ExceptionMatches(PyExc_MemoryError) || PyErr_ExceptionMatches(PyExc_RecursionError))
        return;
    PyObject *cause = PyErr_GetRaisedException();
    decode_fail(decoder, "%T: %S", cause, cause);
    PyObject *error = PyErr_GetRaisedException();
    PyException_SetCause(error, Py_NewRef(cause));
    PyException_SetContext(error, cause);
    PyErr_SetRaisedException(error);
}
