/* py_values_instance.c - instances of registered classes to bytes and back.
 *
 * Invariant: an instance comes back as one of the class that this interpreter has registered
 * under the stored name, with the fields it had; __init__ and __post_init__ do not run
 * again, as with copy.copy.  Safe against forged payloads because only fields of the class
 * are set, each once, and members are looked up, never made.
 */
#include "py_values_parts.h"

static enum class_kind entry_kind(PyObject *entry)
{
    return (enum class_kind)PyLong_AsLong(PyTuple_GET_ITEM(entry, ENTRY_KIND));
}

//// Encoding

static int encode_member(struct encoder *encoder, PyObject *value, enum class_kind kind)
{
    PyObject *payload = PyObject_GetAttrString(value, kind == CLASS_ENUM ? "_name_" : "_value_");
    if (payload == NULL) return -1;
    int result;
    if (kind == CLASS_ENUM && PyUnicode_Check(payload))
        result = encode_text(encoder, payload);
    else if (kind == CLASS_FLAG && PyLong_Check(payload))
        result = encode_int(encoder, payload);
    else
        result = encode_fail_type(encoder, payload);
    Py_DECREF(payload);
    return result;
}

static int encode_fields(struct encoder *encoder, PyObject *value, PyObject *fields)
{
    struct path_step step;
    Py_ssize_t count = PyTuple_GET_SIZE(fields);
    if (encode_enter(encoder, &step, PATH_FIELD) < 0 ||
        encode_head(encoder, CODEC_MAP, (uint64_t)count) < 0)
        return -1;
    for (Py_ssize_t i = 0; i < count; i++) {
        step.name = PyTuple_GET_ITEM(fields, i);
        PyObject *field = PyObject_GetAttr(value, step.name);
        if (field == NULL && PyErr_ExceptionMatches(PyExc_AttributeError)) {
            PyErr_Clear();
            return encode_fail(encoder, "has no value; give it one before it is stored");
        }
        if (field == NULL) return -1;
        int result = encode_text(encoder, step.name);
        if (result == 0) result = encode_item(encoder, field);
        Py_DECREF(field);
        if (result < 0) return -1;
    }
    encode_leave(encoder, &step);
    return 0;
}

static int encode_instance(struct encoder *encoder, PyObject *value, PyObject *entry)
{
    PyObject *prefix = PyTuple_GET_ITEM(entry, ENTRY_PREFIX);
    size_t length = (size_t)PyBytes_GET_SIZE(prefix);
    uint8_t *at = codec_buf_reserve(encoder->out, length);
    if (at == NULL) return encode_fail_full(encoder);
    memcpy(at, PyBytes_AS_STRING(prefix), length);
    encoder->out->used += length;
    enum class_kind kind = entry_kind(entry);
    if (kind == CLASS_ENUM || kind == CLASS_FLAG) return encode_member(encoder, value, kind);
    if (kind == CLASS_DATACLASS) encoder->flags |= VALUE_MUTABLE;
    return encode_fields(encoder, value, PyTuple_GET_ITEM(entry, ENTRY_FIELDS));
}

int encode_registered(struct encoder *encoder, PyObject *value)
{
    PyObject *entry;
    int found = PyDict_GetItemRef(encoder->state->by_type, (PyObject *)Py_TYPE(value), &entry);
    if (found <= 0) return found;
    int result = encode_instance(encoder, value, entry);
    Py_DECREF(entry);
    return result < 0 ? -1 : 1;
}

//// Decoding

PyObject *instance_new(PyObject *class)
{
    return PyObject_CallMethod((PyObject *)&PyBaseObject_Type, "__new__", "O", class);
}

static PyObject *decode_member(struct decoder *decoder, PyObject *class)
{
    PyObject *name = decode_text(decoder);
    if (name == NULL) return NULL;
    PyObject *member = PyObject_GetItem(class, name);
    if (member == NULL && PyErr_ExceptionMatches(PyExc_KeyError)) {
        PyErr_Clear();
        decode_fail(decoder, "%R has no member %R any more; define it again to read this", class,
                    name);
    }
    Py_DECREF(name);
    return member;
}

static PyObject *decode_flag(struct decoder *decoder, PyObject *class)
{
    PyObject *number = decode_int(decoder);
    if (number == NULL) return NULL;
    PyObject *member = PyObject_CallOneArg(class, number);
    Py_DECREF(number);
    return member;
}

/* 1 and the attribute of a dataclasses.Field, 0 if it is MISSING, -1 with an exception. */
static int field_attribute(PyObject *field, const char *name, PyObject **out)
{
    PyObject *module = PyImport_ImportModule("dataclasses");
    PyObject *missing = module == NULL ? NULL : PyObject_GetAttrString(module, "MISSING");
    PyObject *value = missing == NULL ? NULL : PyObject_GetAttrString(field, name);
    int result = value == NULL ? -1 : value != missing;
    Py_XDECREF(missing);
    Py_XDECREF(module);
    if (result > 0)
        *out = value;
    else
        Py_XDECREF(value);
    return result;
}

/* What a field holds that was not stored, because the class got it later. */
static PyObject *field_default(struct decoder *decoder, PyObject *class, PyObject *name)
{
    PyObject *fields = PyObject_GetAttrString(class, "__dataclass_fields__");
    PyObject *field = fields == NULL ? NULL : PyObject_GetItem(fields, name);
    Py_XDECREF(fields);
    if (field == NULL) return NULL;
    PyObject *value = NULL, *factory;
    int found = field_attribute(field, "default", &value);
    if (found == 0) {
        found = field_attribute(field, "default_factory", &factory);
        if (found > 0) {
            value = PyObject_CallNoArgs(factory);
            Py_DECREF(factory);
        }
    }
    Py_DECREF(field);
    if (found == 0)
        decode_fail(decoder, "%R got the field %R after this was stored; give it a default", class,
                    name);
    return value;
}

/* Moves the fields from the dict to the instance. */
static int set_fields(struct decoder *decoder, PyObject *instance, PyObject *entry,
                      PyObject *stored)
{
    PyObject *fields = PyTuple_GET_ITEM(entry, ENTRY_FIELDS);
    PyObject *class = PyTuple_GET_ITEM(entry, ENTRY_CLASS);
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(fields); i++) {
        PyObject *value, *name = PyTuple_GET_ITEM(fields, i);
        int found = PyDict_Pop(stored, name, &value);
        if (found < 0) return -1;
        if (found == 0) value = field_default(decoder, class, name);
        /* As object.__setattr__, because a frozen class refuses its own. */
        int result = value == NULL ? -1 : PyObject_GenericSetAttr(instance, name, value);
        Py_XDECREF(value);
        if (result < 0) return -1;
    }
    if (PyDict_GET_SIZE(stored) == 0) return 0;
    decode_fail(decoder, "%R no longer has all the fields that were stored: %R", class, stored);
    return -1;
}

static PyObject *decode_fields(struct decoder *decoder, PyObject *entry)
{
    struct codec_head head;
    if (decode_expect(decoder, CODEC_MAP, "the fields of an object", &head) < 0) return NULL;
    PyObject *stored = decode_dict(decoder, head.argument);
    if (stored == NULL) return NULL;
    PyObject *instance = instance_new(PyTuple_GET_ITEM(entry, ENTRY_CLASS));
    if (instance != NULL && set_fields(decoder, instance, entry, stored) < 0) Py_CLEAR(instance);
    Py_DECREF(stored);
    return instance;
}

static PyObject *decode_payload(struct decoder *decoder, PyObject *entry)
{
    switch (entry_kind(entry)) {
    case CLASS_ENUM: return decode_member(decoder, PyTuple_GET_ITEM(entry, ENTRY_CLASS));
    case CLASS_FLAG: return decode_flag(decoder, PyTuple_GET_ITEM(entry, ENTRY_CLASS));
    case CLASS_DATACLASS:
    case CLASS_FROZEN: break;
    }
    return decode_fields(decoder, entry);
}

PyObject *decode_registered(struct decoder *decoder)
{
    if (decode_expect_array(decoder, 2, "a registered object") < 0) return NULL;
    PyObject *name = decode_text(decoder);
    if (name == NULL) return NULL;
    PyObject *entry, *result = NULL;
    int found = PyDict_GetItemRef(decoder->state->by_name, name, &entry);
    if (found > 0) {
        result = decode_payload(decoder, entry);
        Py_DECREF(entry);
    } else if (found == 0) {
        decode_fail(decoder,
                    "no class is registered as %R in this interpreter; call "
                    "stmpy.register(cls, name) before reading",
                    name);
    }
    Py_DECREF(name);
    return result;
}
