/* py_values_class.c - which Enums and dataclasses are registered, and under which names.
 *
 * Invariant: by_name and by_type hold the same entries, except that a redefined class leaves
 * its older self in by_type, so that its instances can still be written.  Safe because an
 * entry never changes once it is in a dict, and because all that could fail at reading is
 * tried at registration.
 */
#include "py_values_parts.h"

/* 1 if the class derives from the class of that name in the module enum. */
static int is_enum_class(PyObject *class, const char *name)
{
    PyObject *module = PyImport_ImportModule("enum");
    PyObject *base = module == NULL ? NULL : PyObject_GetAttrString(module, name);
    int result = base == NULL ? -1 : PyObject_IsSubclass(class, base);
    Py_XDECREF(base);
    Py_XDECREF(module);
    return result;
}

/* The dataclass's fields as the module dataclasses lists them. */
static PyObject *list_fields(PyObject *class)
{
    PyObject *module = PyImport_ImportModule("dataclasses");
    PyObject *fields = module == NULL ? NULL : PyObject_CallMethod(module, "fields", "O", class);
    Py_XDECREF(module);
    return fields;
}

/* The names of the fields.  Tries whether an instance can be made without its __init__,
 * so that a class for which that fails is refused now and not when it is read. */
static PyObject *field_names(PyObject *class)
{
    PyObject *probe = instance_new(class);
    if (probe == NULL) return NULL;
    Py_DECREF(probe);
    PyObject *fields = list_fields(class);
    if (fields == NULL) return NULL;
    Py_ssize_t count = PyTuple_GET_SIZE(fields);
    PyObject *names = PyTuple_New(count);
    for (Py_ssize_t i = 0; names != NULL && i < count; i++) {
        PyObject *name = PyObject_GetAttrString(PyTuple_GET_ITEM(fields, i), "name");
        if (name == NULL)
            Py_CLEAR(names);
        else
            PyTuple_SET_ITEM(names, i, name);
    }
    Py_DECREF(fields);
    return names;
}

static int dataclass_kind(PyObject *class)
{
    PyObject *parameters = PyObject_GetAttrString(class, "__dataclass_params__");
    PyObject *frozen = parameters == NULL ? NULL : PyObject_GetAttrString(parameters, "frozen");
    int result = frozen == NULL ? -1 : PyObject_IsTrue(frozen);
    Py_XDECREF(frozen);
    Py_XDECREF(parameters);
    return result < 0 ? -1 : result ? CLASS_FROZEN : CLASS_DATACLASS;
}

/* The kind of the class, or -1 with an exception. */
static int class_kind(PyObject *class)
{
    if (PyType_Check(class)) {
        int found = is_enum_class(class, "Enum");
        if (found > 0) {
            int flag = is_enum_class(class, "Flag");
            return flag < 0 ? -1 : flag ? CLASS_FLAG : CLASS_ENUM;
        }
        if (found == 0) found = PyObject_HasAttrStringWithError(class, "__dataclass_fields__");
        if (found != 0) return found < 0 ? -1 : dataclass_kind(class);
    }
    PyErr_Format(PyExc_TypeError, "only an Enum or a dataclass can be registered, not %R", class);
    return -1;
}

static const struct encoder_role name_role = {
    .name = "name",
    .max = CODEC_KEY_MAX,
    .advice = "use a shorter name",
};

/* tag, array of two, name: the same before every instance of the class. */
static PyObject *entry_prefix(struct values_state *state, PyObject *name)
{
    struct codec_buf out;
    codec_buf_init(&out, name_role.max);
    struct encoder encoder = {.state = state, .out = &out, .role = &name_role};
    PyObject *prefix = NULL;
    if (encode_head(&encoder, CODEC_TAG, CODEC_TAG_OBJECT) == 0 &&
        encode_head(&encoder, CODEC_ARRAY, 2) == 0 && encode_text(&encoder, name) == 0)
        prefix = PyBytes_FromStringAndSize((const char *)out.bytes, (Py_ssize_t)out.used);
    codec_buf_free(&out);
    return prefix;
}

static PyObject *make_entry(struct values_state *state, PyObject *class, PyObject *name)
{
    int kind = class_kind(class);
    if (kind < 0) return NULL;
    PyObject *prefix = entry_prefix(state, name);
    if (prefix == NULL) return NULL;
    bool has_fields = kind == CLASS_DATACLASS || kind == CLASS_FROZEN;
    PyObject *fields = has_fields ? field_names(class) : PyTuple_New(0);
    if (fields == NULL) {
        Py_DECREF(prefix);
        return NULL;
    }
    return Py_BuildValue("(ONiN)", class, prefix, kind, fields);
}

static int same_attribute(PyObject *left, PyObject *right, const char *name)
{
    PyObject *a = PyObject_GetAttrString(left, name), *b = NULL;
    if (a != NULL) b = PyObject_GetAttrString(right, name);
    int same = b == NULL ? -1 : PyObject_RichCompareBool(a, b, Py_EQ);
    Py_XDECREF(b);
    Py_XDECREF(a);
    return same;
}

/* 1 if the class is a later definition of the other one, as when a module is loaded again. */
static int is_redefinition(PyObject *class, PyObject *other)
{
    int same = same_attribute(class, other, "__qualname__");
    return same <= 0 ? same : same_attribute(class, other, "__module__");
}

/* 0 if the class may have the name, -1 with ValueError if one of them is taken. */
static int check_free(struct values_state *state, PyObject *class, PyObject *name, PyObject *entry)
{
    PyObject *other;
    int result = 0, found = PyDict_GetItemRef(state->by_name, name, &other);
    if (found > 0) {
        PyObject *owner = PyTuple_GET_ITEM(other, ENTRY_CLASS);
        int free = owner == class ? 1 : is_redefinition(class, owner);
        if (free == 0)
            PyErr_Format(PyExc_ValueError, "the name %R is taken by %R; give %R another one", name,
                         owner, class);
        result = free > 0 ? 0 : -1;
        Py_DECREF(other);
    }
    if (found < 0 || result < 0) return -1;
    found = PyDict_GetItemRef(state->by_type, class, &other);
    if (found <= 0) return found;
    int same = PyObject_RichCompareBool(PyTuple_GET_ITEM(other, ENTRY_PREFIX),
                                        PyTuple_GET_ITEM(entry, ENTRY_PREFIX), Py_EQ);
    if (same == 0)
        PyErr_Format(PyExc_ValueError, "%R is registered under another name already", class);
    Py_DECREF(other);
    return same > 0 ? 0 : -1;
}

int values_register(struct values_state *state, PyObject *class, PyObject *name)
{
    if (!PyUnicode_CheckExact(name)) {
        PyErr_Format(PyExc_TypeError, "the name of a class must be a str, not '%T'", name);
        return -1;
    }
    PyObject *entry = make_entry(state, class, name);
    if (entry == NULL) return -1;
    int result = check_free(state, class, name, entry);
    if (result == 0) result = PyDict_SetItem(state->by_name, name, entry);
    if (result == 0) result = PyDict_SetItem(state->by_type, class, entry);
    Py_DECREF(entry);
    return result;
}
