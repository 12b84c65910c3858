/* py_values_stdlib.c - finding the classes of the standard library that can be stored.
 *
 * Invariant: encoding never imports.  Safe because an object can't be an instance of a class
 * whose module was never imported, so looking into sys.modules is enough; decoding imports
 * on demand.  What was found is kept in a list of the module's state, whose items are read
 * and set one at a time, so that threads of a free-threaded build may race for it.
 */
#include "py_values_parts.h"

typedef int (*encode_function)(struct encoder *encoder, PyObject *value);

static int encode_uuid(struct encoder *encoder, PyObject *value)
{
    PyObject *bytes = PyObject_GetAttrString(value, "bytes");
    if (bytes == NULL) return -1;
    int result = encode_head(encoder, CODEC_TAG, CODEC_TAG_UUID);
    if (result == 0) result = encode_item(encoder, bytes);
    Py_DECREF(bytes);
    return result;
}

static const struct {
    const char *module, *class;
    encode_function encode; /* NULL: only a part of other values */
} classes[STDLIB_CLASSES] = {
    [STDLIB_DATETIME] = {"datetime", "datetime", encode_datetime},
    [STDLIB_DATE] = {"datetime", "date", encode_date},
    [STDLIB_TIME] = {"datetime", "time", encode_time},
    [STDLIB_TIMEDELTA] = {"datetime", "timedelta", encode_timedelta},
    [STDLIB_DECIMAL] = {"decimal", "Decimal", encode_decimal},
    [STDLIB_FRACTION] = {"fractions", "Fraction", encode_fraction},
    [STDLIB_UUID] = {"uuid", "UUID", encode_uuid},
    [STDLIB_ZONEINFO] = {"zoneinfo", "ZoneInfo", NULL},
};

/* The class from its module, which is kept; a module that is half imported may lack it. */
static PyObject *take_class(struct values_state *state, PyObject *module, enum stdlib_class which)
{
    PyObject *class;
    if (PyObject_GetOptionalAttrString(module, classes[which].class, &class) <= 0) return NULL;
    if (PyList_SetItem(state->stdlib, which, Py_NewRef(class)) < 0) Py_CLEAR(class);
    return class;
}

/* The class if its module was imported by now; NULL without an exception if not. */
static PyObject *find_class(struct values_state *state, enum stdlib_class which)
{
    PyObject *class = PyList_GetItemRef(state->stdlib, which);
    if (class != Py_None) return class;
    Py_DECREF(class);
    PyObject *name = PyUnicode_FromString(classes[which].module);
    if (name == NULL) return NULL;
    PyObject *module = PyImport_GetModule(name);
    Py_DECREF(name);
    if (module == NULL) return NULL;
    class = take_class(state, module, which);
    Py_DECREF(module);
    return class;
}

PyObject *stdlib_import(struct values_state *state, enum stdlib_class which)
{
    PyObject *class = find_class(state, which);
    if (class != NULL || PyErr_Occurred()) return class;
    PyObject *module = PyImport_ImportModule(classes[which].module);
    if (module == NULL) return NULL;
    class = take_class(state, module, which);
    if (class == NULL && !PyErr_Occurred())
        PyErr_Format(PyExc_ImportError, "module %s has no %s", classes[which].module,
                     classes[which].class);
    Py_DECREF(module);
    return class;
}

int stdlib_is(struct values_state *state, PyObject *value, enum stdlib_class which)
{
    PyObject *class = find_class(state, which);
    if (class == NULL) return PyErr_Occurred() ? -1 : 0;
    int same = (PyObject *)Py_TYPE(value) == class;
    Py_DECREF(class);
    return same;
}

int encode_stdlib(struct encoder *encoder, PyObject *value)
{
    for (int which = 0; which < STDLIB_CLASSES; which++) {
        if (classes[which].encode == NULL) continue;
        int same = stdlib_is(encoder->state, value, which);
        if (same < 0) return -1;
        if (same) return classes[which].encode(encoder, value) < 0 ? -1 : 1;
    }
    return 0;
}

PyObject *decode_uuid(struct decoder *decoder)
{
    struct codec_head head;
    const uint8_t *contents;
    if (decode_expect(decoder, CODEC_BYTES, "the bytes of a UUID", &head) < 0) return NULL;
    enum codec_status status = codec_read_contents(&decoder->in, head.argument, &contents);
    if (status != CODEC_OK) return decode_fail_status(decoder, status);
    PyObject *class = stdlib_import(decoder->state, STDLIB_UUID);
    PyObject *names = class == NULL ? NULL : Py_BuildValue("(s)", "bytes");
    PyObject *bytes = PyBytes_FromStringAndSize((const char *)contents, (Py_ssize_t)head.argument);
    PyObject *uuid = NULL;
    if (names != NULL && bytes != NULL) uuid = PyObject_Vectorcall(class, &bytes, 0, names);
    Py_XDECREF(bytes);
    Py_XDECREF(names);
    Py_XDECREF(class);
    return uuid;
}
