/* py_values_hash.c - the guard against sets and dicts made to be slow.
 *
 * The hashes of int, tuple, UUID, Decimal and their like are the same in every process, so
 * bytes can be made whose elements all collide.  Applied on both ways, so that whatever can
 * be stored can be read.  Safe because it runs before the container is built.
 */
#include "py_values_parts.h"

/* Hashes of these are drawn per process, or too few share one to matter. */
static int is_harmless(PyObject *object)
{
    return PyUnicode_CheckExact(object) || PyBytes_CheckExact(object) ||
           PyFloat_CheckExact(object) ||
           (PyLong_CheckExact(object) && PyUnstable_Long_IsCompact((PyLongObject *)object));
}

static int hash_compare(const void *left, const void *right)
{
    Py_hash_t a = *(const Py_hash_t *)left, b = *(const Py_hash_t *)right;
    return (a > b) - (a < b);
}

/* Whether any hash stands more than VALUES_HASH_SHARED times in a row. */
static int has_long_run(const Py_hash_t *sorted, Py_ssize_t count)
{
    for (Py_ssize_t i = VALUES_HASH_SHARED; i < count; i++) {
        if (sorted[i] == sorted[i - VALUES_HASH_SHARED]) return 1;
    }
    return 0;
}

int hashes_crowded(PyObject *list)
{
    Py_ssize_t size = PyList_GET_SIZE(list), count = 0;
    if (size <= VALUES_HASH_SHARED) return 0;
    Py_hash_t *hashes = PyMem_New(Py_hash_t, size);
    if (hashes == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < size; i++) {
        PyObject *object = PyList_GET_ITEM(list, i);
        if (is_harmless(object)) continue;
        hashes[count] = PyObject_Hash(object);
        if (hashes[count++] == -1) {
            PyMem_Free(hashes);
            return -1;
        }
    }
    qsort(hashes, (size_t)count, sizeof *hashes, hash_compare);
    int crowded = has_long_run(hashes, count);
    PyMem_Free(hashes);
    return crowded;
}
