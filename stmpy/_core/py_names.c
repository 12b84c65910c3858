/* py_names.c - from code to the number of its name.
 *
 * Invariant: a remembered number is one word, with the number of its store, so that
 * threads which come to it at once see all of it or none.  No name is worth an error: what
 * can't be named is number 0.
 */
#include "py_names.h"

#include "py_sites.h"
#include "site.h"

#define NUMBER_BITS 16
#define NUMBER_MASK ((1u << NUMBER_BITS) - 1)

_Static_assert(REGION_SITES <= NUMBER_MASK, "a number fits beside that of its store");

static uint32_t number_of(struct store *store, PyObject *name)
{
    Py_ssize_t length;
    const char *text = name == NULL ? NULL : PyUnicode_AsUTF8AndSize(name, &length);
    if (text != NULL)
        return site_number(store, text, (size_t)length);
    PyErr_Clear(); /* a lone surrogate, or no memory */
    return 0;
}

/* The file with its folder: short, and enough to find it. */
static PyObject *short_file(PyObject *path)
{
    Py_ssize_t length = PyUnicode_GetLength(path);
    Py_ssize_t slash = PyUnicode_FindChar(path, '/', 0, length, -1);
    if (slash > 0)
        slash = PyUnicode_FindChar(path, '/', 0, slash, -1);
    return slash < -1 ? NULL : PyUnicode_Substring(path, slash + 1, length);
}

static uint32_t number_of_code(struct store *store, PyObject *code, PyObject *line)
{
    PyObject *function = PyObject_GetAttrString(code, "co_qualname");
    PyObject *path = PyObject_GetAttrString(code, "co_filename");
    PyObject *file = path == NULL ? NULL : short_file(path), *name = NULL;
    if (function != NULL && file != NULL && line != NULL)
        name = PyUnicode_FromFormat("%U (%U:%S)", function, file, line);
    uint32_t number = number_of(store, name);
    Py_XDECREF(function);
    Py_XDECREF(path);
    Py_XDECREF(file);
    Py_XDECREF(name);
    return number;
}

/* True for a function of stmpy itself. */
static bool is_own(PyObject *function)
{
    PyObject *module = PyFunction_GetModule(function), *own;
    if (module == NULL || !PyUnicode_Check(module) ||
        (own = PyUnicode_FromString("stmpy.")) == NULL)
        return false;
    bool found = PyUnicode_Tailmatch(module, own, 0, PY_SSIZE_T_MAX, -1) == 1;
    Py_DECREF(own);
    return found;
}

/* "TSet.add (stmpy)": without what is local in the method, and where in our files it is. */
static uint32_t number_of_own(struct store *store, PyObject *code)
{
    PyObject *function = PyObject_GetAttrString(code, "co_qualname"), *name = NULL;
    PyObject *local = PyUnicode_FromString(".<locals>");
    if (function != NULL && local != NULL) {
        Py_ssize_t length = PyUnicode_GetLength(function);
        Py_ssize_t end = PyUnicode_Find(function, local, 0, length, 1);
        PyObject *method = PyUnicode_Substring(function, 0, end < 0 ? length : end);
        name = method == NULL ? NULL : PyUnicode_FromFormat("%U (stmpy)", method);
        Py_XDECREF(method);
    }
    uint32_t number = number_of(store, name);
    Py_XDECREF(function);
    Py_XDECREF(local);
    Py_XDECREF(name);
    return number;
}

/* True with the number if the word holds one of this store. */
static bool recall(shared_u64 *word, const struct store *store, uint32_t *out)
{
    uint64_t known = load_relaxed(word);
    *out = (uint32_t)(known & NUMBER_MASK);
    return known >> NUMBER_BITS == store->number;
}

static uint32_t remember(shared_u64 *word, const struct store *store, uint32_t number)
{
    put_relaxed(word, store->number << NUMBER_BITS | number);
    return number;
}

uint32_t names_of_with(struct thread_context *context, struct store *store, PyObject *label)
{
    uint32_t number;
    if (!store->counted)
        return 0;
    if (label != NULL)
        return number_of(store, label);
    struct site *site = context->block.site;
    if (site == NULL)
        return 0;
    if (__builtin_expect(recall(&site->number, store, &number), 1))
        return number;
    PyObject *code = PyUnstable_InterpreterFrame_GetCode(context->block.frame);
    number = number_of_code(store, code, sites_field(site, "with_line"));
    Py_DECREF(code);
    return remember(&site->number, store, number);
}

/* Where the number of a function without a place of its own is remembered: its code. */
static shared_u64 *place_of(struct module_state *state, PyObject *code)
{
    shared_u64 *place = sites_call_number(state, code);
    if (place == NULL)
        PyErr_Clear();
    return place;
}

uint32_t names_of_call(struct thread_context *context, struct store *store, PyObject *label,
                       PyObject *function, shared_u64 *place)
{
    uint32_t number;
    if (!store->counted)
        return 0;
    if (label != NULL)
        return number_of(store, label);
    if (place != NULL && __builtin_expect(recall(place, store, &number), 1))
        return number;
    if (PyMethod_Check(function))
        function = PyMethod_GET_FUNCTION(function);
    if (!PyFunction_Check(function))
        return 0;
    PyObject *code = PyFunction_GET_CODE(function);
    if (place == NULL && ((place = place_of(context->state, code)) == NULL ||
                          recall(place, store, &number)))
        return place == NULL ? 0 : number;
    if (is_own(function))
        return remember(place, store, number_of_own(store, code));
    PyObject *line = PyObject_GetAttrString(code, "co_firstlineno");
    number = number_of_code(store, code, line);
    Py_XDECREF(line);
    return remember(place, store, number);
}

/* ---- in exceptions ----------------------------------------------------------------------------- */

static PyObject *name_of(const struct block_options *options)
{
    const uint8_t *text;
    size_t length;
    if (site_text(options->store, options->site, &text, &length))
        return PyUnicode_DecodeUTF8((const char *)text, (Py_ssize_t)length, "replace");
    return PyUnicode_FromString("this block");
}

void names_note_attempt(struct thread_context *context, PyObject *exception)
{
    const struct block *block = &context->block;
    if (block->attempt < 2)
        return;
    uint32_t waits = block->attempt - 1 - block->losses;
    PyObject *name = name_of(&block->options), *none = NULL;
    if (name != NULL)
        none = PyObject_CallMethod(exception, "add_note", "N",
                                   PyUnicode_FromFormat("stmpy: raised in attempt %u of %U; it lost "
                                                        "%u to other blocks and waited after %u",
                                                        block->attempt, name, block->losses,
                                                        waits));
    Py_XDECREF(name);
    Py_XDECREF(none);
    PyErr_Clear();
}
