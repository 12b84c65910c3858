/* py_options.c - the options of a block, checked where they are given.
 */
#include "py_atomic.h"

int atomic_options(struct atomic *self, struct block_options *out)
{
    PyObject *store = self->store != NULL ? self->store : store_default(self->state);
    if (store == NULL)
        return -1;
    out->store = store_of(self->state, store);
    out->txn_flags = self->txn_flags;
    out->timeout_ns = self->timeout_ns;
    out->max_attempts = self->max_attempts;
    out->hub = NULL;
    out->observes = false;
    return out->store == NULL ? -1 : 0;
}

static int parse_isolation(struct atomic *self, PyObject *isolation)
{
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
    if (timeout == Py_None)
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
    if (attempts == Py_None)
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
    if (label == Py_None)
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
    if (store == Py_None)
        return 0;
    if (store_of(self->state, store) == NULL)
        return -1;
    self->store = Py_NewRef(store);
    return 0;
}

int atomic_set_options(struct atomic *self, const struct raw_options *raw)
{
    if (raw->read_only)
        self->txn_flags |= TXN_READ_ONLY;
    if (raw->irrevocable && raw->read_only) {
        PyErr_SetString(PyExc_ValueError,
                        "read_only and irrevocable exclude each other: a block that only reads "
                        "never runs twice");
        return -1;
    }
    if (raw->irrevocable)
        self->txn_flags |= TXN_SERIAL;
    if ((raw->isolation != NULL && parse_isolation(self, raw->isolation) < 0) ||
        parse_timeout(self, raw->timeout) < 0 || parse_attempts(self, raw->max_attempts) < 0 ||
        parse_label(self, raw->label) < 0 || parse_store(self, raw->store) < 0)
        return -1;
    return 0;
}

