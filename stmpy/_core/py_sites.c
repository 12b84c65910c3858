/* py_sites.c - analysing with statements, and asking the interpreter for events.
 *
 * Invariant: a site never changes and lives as long as its code object, which keeps it in
 * its extra data (PyUnstable_Code_SetExtra).  The analysis is Python (stmpy._sites); here
 * is what an event needs without looking anything up by name.
 */
#include "py_sites.h"

/* What a code object keeps; setting a second one would free the first. */
struct code_sites {
    struct site *first;     /* Owned */
    shared_u64 call_number; /* of the name of blocks that are calls */
};

static PyObject *borrow_field(PyObject *analysis, const char *name)
{
    PyObject *value = PyObject_GetAttrString(analysis, name);
    Py_XDECREF(value); /* the analysis is immutable and keeps it */
    return value;
}

PyObject *sites_field(const struct site *site, const char *name)
{
    return borrow_field(site->analysis, name);
}

void sites_free(void *opaque)
{
    struct code_sites *sites = opaque;
    for (struct site *site = sites->first; site != NULL;) {
        struct site *next = site->next;
        Py_DECREF(site->analysis);
        PyMem_RawFree(site);
        site = next;
    }
    PyMem_RawFree(sites);
}

/* ---- the monitoring tool ------------------------------------------------------------------- */

static int import_attribute(const char *module, const char *name, PyObject **out)
{
    PyObject *imported = PyImport_ImportModule(module);
    PyObject *attribute = imported == NULL ? NULL : PyObject_GetAttrString(imported, name);
    Py_XDECREF(imported);
    if (attribute == NULL)
        return -1;
    Py_XSETREF(*out, attribute);
    return 0;
}

static int set_callback(struct module_state *state, int tool, const char *event,
                        PyObject *callback)
{
    PyObject *events = PyObject_GetAttrString(state->monitoring, "events");
    PyObject *number = events == NULL ? NULL : PyObject_GetAttrString(events, event);
    PyObject *result = NULL;
    if (number != NULL)
        result = PyObject_CallMethod(state->monitoring, "register_callback", "iOO", tool, number,
                                     callback);
    Py_XDECREF(events);
    Py_XDECREF(number);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

static int register_callback(struct module_state *state, int tool, PyObject *module,
                             const char *event, const char *function)
{
    PyObject *callback = PyObject_GetAttrString(module, function);
    int result = callback == NULL ? -1 : set_callback(state, tool, event, callback);
    Py_XDECREF(callback);
    return result;
}

/* Takes the first free tool id, those without a customary owner first. */
static int take_tool(struct module_state *state)
{
    static const int ids[] = {4, 3, 5, 2, 1, 0};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        PyObject *result =
            PyObject_CallMethod(state->monitoring, "use_tool_id", "is", ids[i], "stmpy");
        if (result != NULL) {
            Py_DECREF(result);
            return ids[i];
        }
        if (!PyErr_ExceptionMatches(PyExc_ValueError))
            return TOOL_UNKNOWN;
        PyErr_Clear();
    }
    return TOOL_NONE;
}

/* The callbacks keep this module, and through it all that it uses, beyond the last look of the
 * garbage collector, so that a closed interpreter would give none of its memory back. */
static int release_at_exit(PyObject *native)
{
    PyObject *atexit = PyImport_ImportModule("atexit");
    PyObject *release = PyObject_GetAttrString(native, "_release_tool");
    PyObject *result = NULL;
    if (atexit != NULL && release != NULL)
        result = PyObject_CallMethod(atexit, "register", "O", release);
    Py_XDECREF(atexit);
    Py_XDECREF(release);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

int sites_release_tool(struct module_state *state)
{
    static const char *const events[] = {"LINE", "PY_YIELD"};
    int tool = state->tool;
    state->tool = TOOL_NONE;
    if (tool < 0)
        return 0;
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        if (set_callback(state, tool, events[i], Py_None) < 0)
            return -1;
    }
    PyObject *result = PyObject_CallMethod(state->monitoring, "free_tool_id", "i", tool);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

/* Several threads may come here at once, as importing lets others run.  Nothing in here does,
 * so that one takes a tool, and the others find it with its callbacks in place. */
static int set_up_tool(struct module_state *state, PyObject *native)
{
    if (state->tool != TOOL_UNKNOWN)
        return 0;
    Py_XSETREF(state->monitoring, Py_XNewRef(PySys_GetObject("monitoring")));
    if (state->monitoring == NULL)
        return -1;
    Py_XSETREF(state->disable, PyObject_GetAttrString(state->monitoring, "DISABLE"));
    int tool = state->disable == NULL ? TOOL_UNKNOWN : take_tool(state);
    if (tool == TOOL_UNKNOWN)
        return -1;
    if (tool != TOOL_NONE &&
        (register_callback(state, tool, native, "LINE", "_on_line") < 0 ||
         register_callback(state, tool, native, "PY_YIELD", "_on_yield") < 0 ||
         release_at_exit(native) < 0))
        return -1;
    state->tool = tool;
    return 0;
}

/* 0, or -1 with an exception; state->tool tells whether there is a tool. */
static int set_up(struct module_state *state)
{
    if (import_attribute("stmpy._sites", "analyse", &state->analyse) < 0 ||
        import_attribute("stmpy._frames", "save", &state->save) < 0 ||
        import_attribute("stmpy._frames", "run_again", &state->run_again) < 0)
        return -1;
    PyObject *native = PyImport_ImportModule("stmpy._native");
    int result = native == NULL ? -1 : set_up_tool(state, native);
    Py_XDECREF(native);
    return result;
}

/* ---- sites ------------------------------------------------------------------------------- */

static int fill_exits(struct site *site, PyObject *exits)
{
    for (Py_ssize_t i = 0; i < site->exits; i++) {
        PyObject *pair = PyTuple_GET_ITEM(exits, i);
        site->exit[i].offset = PyLong_AsInt(PyTuple_GET_ITEM(pair, 0));
        site->exit[i].plan = PyTuple_GET_ITEM(pair, 1);
    }
    return PyErr_Occurred() ? -1 : 0;
}

static bool is_true(PyObject *analysis, const char *name)
{
    PyObject *value = borrow_field(analysis, name);
    return value != NULL && PyObject_IsTrue(value) == 1;
}

static struct site *new_site(PyObject *analysis, int offset, bool tool)
{
    PyObject *exits = borrow_field(analysis, "exits");
    PyObject *handler = borrow_field(analysis, "handler");
    if (exits == NULL || handler == NULL)
        return NULL;
    Py_ssize_t count = PyTuple_GET_SIZE(exits);
    struct site *site = PyMem_RawCalloc(1, sizeof *site + (size_t)count * sizeof site->exit[0]);
    if (site == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    site->offset = offset;
    site->handler = PyLong_AsInt(handler);
    site->exits = count;
    site->rerunnable = tool && is_true(analysis, "rerunnable");
    site->saves = is_true(analysis, "names") || is_true(analysis, "globals") ||
                  is_true(analysis, "must_be_bound");
    site->suspends = is_true(analysis, "suspends");
    if (fill_exits(site, exits) < 0) {
        PyMem_RawFree(site);
        return NULL;
    }
    site->analysis = Py_NewRef(analysis);
    return site;
}

static PyObject *set_events(struct module_state *state, PyObject *code, int events)
{
    return PyObject_CallMethod(state->monitoring, "set_local_events", "iOi", state->tool, code,
                               events);
}

#define EVENT_LINE (1 << 5)     /* sys.monitoring.events.LINE */
#define EVENT_PY_YIELD (1 << 3) /* sys.monitoring.events.PY_YIELD */

/* Events of all sites of the code.  None at all first: that arms locations again which
 * were switched off before this site was known. */
static int arm(struct module_state *state, PyObject *code, const struct site *sites)
{
    int events = 0;
    for (const struct site *site = sites; site != NULL; site = site->next) {
        events |= site->rerunnable ? EVENT_LINE : 0;
        events |= site->suspends ? EVENT_PY_YIELD : 0;
    }
    if (events == 0 || state->tool == TOOL_NONE)
        return 0;
    PyObject *none = set_events(state, code, 0);
    if (none != NULL) {
        Py_DECREF(none);
        none = set_events(state, code, events);
    }
    Py_XDECREF(none);
    return none == NULL ? -1 : 0;
}

/* The code's sites; empty at first.  NULL with an exception. */
static struct code_sites *sites_of(struct module_state *state, PyObject *code)
{
    void *found = NULL;
    if (PyUnstable_Code_GetExtra(code, state->code_index, &found) < 0)
        return NULL;
    if (found != NULL)
        return found;
    struct code_sites *sites = PyMem_RawCalloc(1, sizeof *sites);
    if (sites == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    if (PyUnstable_Code_SetExtra(code, state->code_index, sites) < 0) {
        PyMem_RawFree(sites);
        return NULL;
    }
    return sites;
}

shared_u64 *sites_call_number(struct module_state *state, PyObject *code)
{
    struct code_sites *sites = sites_of(state, code);
    return sites == NULL ? NULL : &sites->call_number;
}

static struct site *analyse(struct module_state *state, PyObject *code, int offset,
                            struct code_sites *sites)
{
    if (state->tool == TOOL_UNKNOWN && set_up(state) < 0)
        return NULL;
    PyObject *analysis = PyObject_CallFunction(state->analyse, "Oi", code, offset);
    if (analysis == NULL)
        return NULL;
    struct site *site = new_site(analysis, offset, state->tool != TOOL_NONE);
    Py_DECREF(analysis);
    if (site == NULL)
        return NULL;
    site->next = sites->first;
    sites->first = site;
    return arm(state, code, site) < 0 ? NULL : site;
}

struct site *sites_find(struct module_state *state, PyObject *code, int offset)
{
    struct code_sites *sites = sites_of(state, code);
    struct site *site = sites == NULL ? NULL : sites->first;
    while (site != NULL && site->offset != offset)
        site = site->next;
    return site != NULL || sites == NULL ? site : analyse(state, code, offset, sites);
}

const struct exit_point *sites_exit(const struct site *site, int offset)
{
    for (Py_ssize_t i = 0; i < site->exits; i++) {
        if (site->exit[i].offset == offset)
            return &site->exit[i];
    }
    return NULL;
}

bool sites_any_exit(struct module_state *state, PyObject *code, int offset)
{
    struct code_sites *sites = sites_of(state, code);
    if (sites == NULL) {
        PyErr_Clear();
        return true;
    }
    for (struct site *site = sites->first; site != NULL; site = site->next) {
        if (sites_exit(site, offset) != NULL)
            return true;
    }
    return false;
}
