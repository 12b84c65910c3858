/* py_errors.c - messages that say what happened, where, and what to do next.
 */
#include "py_errors.h"

#include "py_timeout.h"

#include <errno.h>

int errors_format(struct module_state *state, enum error_kind kind, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    PyErr_FormatV(state->errors[kind], format, arguments);
    va_end(arguments);
    return -1;
}

/* "accounts['alice']", "accounts", or "this block". */
static PyObject *place_of(PyObject *name, PyObject *key)
{
    if (name == NULL)
        return PyUnicode_FromString("this block");
    return key == NULL ? PyUnicode_FromFormat("%U", name)
                       : PyUnicode_FromFormat("%U[%R]", name, key);
}

static int raise_at(struct module_state *state, enum error_kind kind, PyObject *name,
                    PyObject *key, const char *text)
{
    PyObject *place = place_of(name, key);
    if (place != NULL)
        PyErr_Format(state->errors[kind], "%U: %s", place, text);
    Py_XDECREF(place);
    return -1;
}

int errors_raise(struct thread_context *context, enum stm_status status, PyObject *name,
                 PyObject *key)
{
    struct module_state *state = context->state;
    switch (status) {
    case STM_CONFLICT:
        context->block.doomed = true;
        PyErr_SetNone(state->rerun);
        return -1;
    case STM_TOO_OLD:
        return raise_at(state, ERROR_TOO_OLD, name, key,
                        "the snapshot was given up because the history it needs outgrew "
                        "history_bytes; run the block again, read less in one block, or open "
                        "the store with more history_bytes");
    case STM_STORE_FULL:
        return raise_at(state, ERROR_STORE_FULL, name, key,
                        "the store has no room left; nothing was changed: delete something, "
                        "or open the store with more max_bytes");
    case STM_TOO_LARGE:
        return raise_at(state, ERROR_ENCODE, name, key,
                        "one block may write 64 MiB; split the work into several blocks");
    case STM_TIMED_OUT:
        return timeout_raise(context, TIMEOUT_LOCKED, NULL, NULL);
    case STM_NO_SLOT:
        return errors_format(state, ERROR_STM,
                             "all %u places for threads in this store are taken; end threads "
                             "that use it, or share the work among fewer",
                             REGION_SLOTS);
    case STM_NO_MEMORY:
        PyErr_NoMemory();
        return -1;
    case STM_SYSTEM:
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    case STM_OK:
    case STM_MOVED:
    case STM_BUSY:
    case STM_INTERRUPTED:
    case STM_FAILED:
    case STM_UNKNOWN:
        break;
    }
    PyErr_Format(PyExc_SystemError, "unexpected status %d of the store", (int)status);
    return -1;
}
