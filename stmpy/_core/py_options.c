/* py_options.c - the options of a block, checked where they are given.
 */
#include "py_atomic.h"

/* Where the option of this name goes, or NULL. */
static PyObject **option_named(struct raw_options *raw, PyObject *name)
{
    const struct {
        const char *name;
        PyObject **option;
    } options[] = {
        {"read_only", &raw->read_only}, {"isolation", &raw->isolation},
        {"timeout", &raw->timeout},     {"max_attempts", &raw->max_attempts},
        {"label", &raw->label},         {"irrevocable", &raw->irrevocable},
        {"store", &raw->store},
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        if (PyUnicode_EqualToUTF8(name, options[i].name))
            return options[i].option;
    }
    return NULL;
}

int atomic_take_arguments(struct raw_options *raw, PyObject *const *args, Py_ssize_t count,
                          PyObject *names)
{
    if (count > 1) {
        PyErr_Format(PyExc_TypeError,
                     "atomically() takes at most 1 positional argument (%zd given)", count);
        return -1;
    }
    if (count == 1)
        raw->function = args[0];
    for (Py_ssize_t i = 0; names != NULL && i < PyTuple_GET_SIZE(names); i++) {
        PyObject *name = PyTuple_GET_ITEM(names, i), **option = option_named(raw, name);
        if (option == NULL || *option != NULL) {
            PyErr_Format(PyExc_TypeError, "atomically() got %s keyword argument '%U'",
                         option == NULL ? "an unexpected" : "multiple values for", name);
            return -1;
        }
        *option = args[count + i];
    }
    return 0;
}

int atomic_options(struct atomic *self, struct block_options *out)
{
    out->store = store_chosen(self->state, self->store);
    out->txn_flags = self->txn_flags;
    out->timeout_ns = self->timeout_ns;
    out->max_attempts = self->max_attempts;
    out->hub = NULL;
    out->observes = false;
    return out->store == NULL ? -1 : 0;
}

static bool is_left_out(PyObject *option)
{
    return option == NULL || option == Py_None;
}

static int parse_flag(struct atomic *self, PyObject *value, uint32_t flag)
{
    int yes = value == NULL ? 0 : PyObject_IsTrue(value);
    if (yes > 0)
        self->txn_flags |= flag;
    return yes < 0 ? -1 : 0;
}

static int parse_isolation(struct atomic *self, PyObject *isolation)
{
    if (isolation == NULL)
        return 0;
    if (PyUnicode_Check(isolation)) {
        if (PyUnicode_EqualToUTF8(isolation, "serializable"))
            return 0;
        if (PyUnicode_EqualToUTF8(isolation, "snapshot")) {
            self->txn_flags |= TXN_SNAPSHOT;
            return 0;
        }
    }
    PyErr_Format(PyExc_ValueError, "isolation is 'serializable' or 'snapshot', not %R", isolation);
    return -1;
}

static int parse_timeout(struct atomic *self, PyObject *timeout)
{
    if (is_left_out(timeout))
        return 0;
    double seconds = PyFloat_AsDouble(timeout);
    if (seconds == -1.0 && PyErr_Occurred()) {
        if (!PyErr_ExceptionMatches(PyExc_OverflowError))
            return -1;
        PyErr_Clear();
    }
    if (!(seconds >= 0)) {
        PyErr_Format(PyExc_ValueError, "timeout is a number of seconds from 0 up, not %R", timeout);
        return -1;
    }
    /* 0 means none in the core, and nothing waits for centuries. */
    self->timeout_ns = seconds < 1e9 ? (uint64_t)(seconds * 1e9) + 1 : 0;
    return 0;
}

static int parse_attempts(struct atomic *self, PyObject *attempts)
{
    if (is_left_out(attempts))
        return 0;
    int overflow;
    long count = PyLong_AsLongAndOverflow(attempts, &overflow);
    if (count == -1 && PyErr_Occurred())
        return -1;
    if (overflow != 0 || count < 1 || count > INT32_MAX) {
        PyErr_Format(PyExc_ValueError, "max_attempts is a number from 1 up, not %R", attempts);
        return -1;
    }
    self->max_attempts = (uint32_t)count;
    return 0;
}

static int parse_label(struct atomic *self, PyObject *label)
{
    if (is_left_out(label))
        return 0;
    if (!PyUnicode_Check(label)) {
        PyErr_Format(PyExc_TypeError, "label is a str, not %R", label);
        return -1;
    }
    self->label = Py_NewRef(label);
    return 0;
}

static int parse_store(struct atomic *self, PyObject *store)
{
    if (is_left_out(store))
        return 0;
    if (store_of(self->state, store) == NULL)
        return -1;
    self->store = Py_NewRef(store);
    return 0;
}

int atomic_set_options(struct atomic *self, const struct raw_options *raw)
{
    if (parse_flag(self, raw->read_only, TXN_READ_ONLY) < 0 ||
        parse_flag(self, raw->irrevocable, TXN_SERIAL) < 0)
        return -1;
    if (self->txn_flags == (TXN_READ_ONLY | TXN_SERIAL)) {
        PyErr_SetString(PyExc_ValueError,
                        "read_only and irrevocable exclude each other: a block that only reads "
                        "never runs twice");
        return -1;
    }
    if (parse_isolation(self, raw->isolation) < 0 || parse_timeout(self, raw->timeout) < 0 ||
        parse_attempts(self, raw->max_attempts) < 0 || parse_label(self, raw->label) < 0 ||
        parse_store(self, raw->store) < 0)
        return -1;
    return 0;
}
