/* py_timeout.c - what a block has waited for when its time is over.
 */
#include "py_timeout.h"

#include "py_errors.h"

/* The key that the slot is parked for; a long one was cut, and can't be decoded. */
static PyObject *key_of(struct module_state *state, const struct key_name *name)
{
    uint64_t words[KEY_WORDS];
    uint32_t length = load_relaxed(&name->length);
    for (unsigned i = 0; i < KEY_WORDS; i++)
        words[i] = load_relaxed(&name->words[i]);
    if (length > sizeof words)
        return PyUnicode_FromString("[...]");
    PyObject *key = length == 0 ? NULL
                                : values_decode(&state->values, (const uint8_t *)words, length);
    PyErr_Clear();
    PyObject *text = key == NULL || key == Py_None ? PyUnicode_FromString("")
                                                   : PyUnicode_FromFormat("[%R]", key);
    Py_XDECREF(key);
    return text;
}

/* "waiting for a change of table['key'] or of 2 more keys". */
static PyObject *change_of(struct thread_context *context, struct store *store,
                           const struct slot *slot)
{
    region_ref ref = load_relaxed(&slot->waits_for.variable);
    uint32_t keys = load_relaxed(&slot->waits_for_keys);
    if (ref == 0)
        return PyUnicode_FromString(", waiting for nothing that it has read");
    const struct variable *variable = store_variable(store, ref);
    PyObject *name = PyUnicode_DecodeUTF8((const char *)variable->name, variable->name_length,
                                          "replace");
    PyObject *key = key_of(context->state, &slot->waits_for);
    PyObject *text = NULL;
    if (name != NULL && key != NULL)
        text = keys <= 1 ? PyUnicode_FromFormat(", waiting for a change of %U%U", name, key)
                         : PyUnicode_FromFormat(", waiting for a change of %U%U or of %u more",
                                                name, key, keys - 1);
    Py_XDECREF(name);
    Py_XDECREF(key);
    return text;
}

static PyObject *cause_of(struct thread_context *context, enum timeout_cause cause,
                          struct store *store, const struct slot *slot)
{
    if (cause == TIMEOUT_PARKED)
        return change_of(context, store, slot);
    return PyUnicode_FromString(cause == TIMEOUT_LOCKED
                                    ? ", waiting for the commit lock, which a serial block holds "
                                      "for as long as it runs"
                                    : "");
}

/* "its timeout of 0.5 s"; a nested block may have brought the deadline forward. */
static PyObject *whose(const struct block *block)
{
    char seconds[32];
    if (block->deadline_ns != block->own_deadline_ns)
        return PyUnicode_FromString("the timeout of a block nested in it");
    PyOS_snprintf(seconds, sizeof seconds, "%g", (double)block->options.timeout_ns / 1e9);
    return PyUnicode_FromFormat("its timeout of %s s", seconds);
}

static PyObject *attempts_of(const struct block *block)
{
    if (block->attempt == 0)
        return PyUnicode_FromString("before its first attempt");
    if (block->losses == 0)
        return PyUnicode_FromFormat("in attempt %u", block->attempt);
    return PyUnicode_FromFormat("in attempt %u, after %u that other blocks won", block->attempt,
                                block->losses);
}

int timeout_raise(struct thread_context *context, enum timeout_cause cause, struct store *store,
                  const struct slot *slot)
{
    PyObject *timeout = whose(&context->block), *attempts = attempts_of(&context->block);
    PyObject *waited = cause_of(context, cause, store, slot);
    if (timeout != NULL && attempts != NULL && waited != NULL)
        errors_format(context->state, ERROR_TIMEOUT,
                      "this block: %U passed %U%U; nothing was changed: try again with more time",
                      timeout, attempts, waited);
    Py_XDECREF(timeout);
    Py_XDECREF(attempts);
    Py_XDECREF(waited);
    return -1;
}
