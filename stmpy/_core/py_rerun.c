/* py_rerun.c - the event just before __exit__, and the jump back to the body.
 *
 * A with statement is analysed once (stmpy._sites) and gets LINE events on its code object
 * alone.  The event at one of its exits is where the block commits; after a conflict the
 * frame is moved back to the first instruction of the body (stmpy._frames).  Seen from the
 * program, the body has run once.
 *   Nothing may be raised from the event: what went wrong waits in block.error for
 * __exit__.  The event at the block's exception handler comes before the exception can be
 * seen, so there only a doomed block runs again, and every other one is left to __exit__.
 * (sys.monitoring is PEP 669, assignable f_locals PEP 667.)
 */
#include "py_rerun.h"

#include "py_block.h"
#include "py_errors.h"

struct exit_point {
    int offset;     /* of the instruction whose LINE event ends the body */
    PyObject *plan; /* Borrowed from the analysis: lines to jump through */
};

struct site {
    struct site *next;     /* Owned: further sites of the same code object */
    int offset;            /* of the instruction that entered the block */
    bool rerunnable;
    bool saves;            /* names must be put back before a re-run */
    int handler;           /* offset of the exception handler, or -1 */
    PyObject *analysis;    /* Owned: stmpy._sites.Site */
    Py_ssize_t exits;
    struct exit_point exit[];
};

/* What a code object keeps; setting a second one would free the first. */
struct code_sites {
    struct site *first; /* Owned */
};

static PyObject *borrow_field(PyObject *analysis, const char *name)
{
    PyObject *value = PyObject_GetAttrString(analysis, name);
    Py_XDECREF(value); /* the analysis is immutable and keeps it */
    return value;
}

PyObject *rerun_reason(const struct site *site)
{
    return site == NULL || site->rerunnable ? NULL : borrow_field(site->analysis, "reason");
}

void rerun_free_sites(void *opaque)
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

static PyObject *import_attribute(const char *module, const char *name)
{
    PyObject *imported = PyImport_ImportModule(module);
    PyObject *attribute = imported == NULL ? NULL : PyObject_GetAttrString(imported, name);
    Py_XDECREF(imported);
    return attribute;
}

static int register_callback(struct module_state *state, PyObject *module, const char *event,
                             const char *function)
{
    PyObject *events = PyObject_GetAttrString(state->monitoring, "events");
    PyObject *number = events == NULL ? NULL : PyObject_GetAttrString(events, event);
    PyObject *callback = PyObject_GetAttrString(module, function);
    PyObject *result = NULL;
    if (number != NULL && callback != NULL)
        result = PyObject_CallMethod(state->monitoring, "register_callback", "iOO", state->tool,
                                     number, callback);
    Py_XDECREF(events);
    Py_XDECREF(number);
    Py_XDECREF(callback);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
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

/* 0, or -1 with an exception; state->tool tells whether there is a tool. */
static int set_up(struct module_state *state)
{
    state->analyse = import_attribute("stmpy._sites", "analyse");
    state->save = import_attribute("stmpy._frames", "save");
    state->run_again = import_attribute("stmpy._frames", "run_again");
    state->monitoring = Py_XNewRef(PySys_GetObject("monitoring"));
    if (state->analyse == NULL || state->save == NULL || state->run_again == NULL ||
        state->monitoring == NULL)
        return -1;
    state->disable = PyObject_GetAttrString(state->monitoring, "DISABLE");
    if (state->disable == NULL)
        return -1;
    int tool = take_tool(state);
    if (tool == TOOL_UNKNOWN)
        return -1;
    state->tool = tool;
    if (tool == TOOL_NONE)
        return 0;
    PyObject *native = PyImport_ImportModule("stmpy._native");
    int result = native == NULL ? -1 : register_callback(state, native, "LINE", "_on_line");
    if (result == 0)
        result = register_callback(state, native, "PY_YIELD", "_on_yield");
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
        events |= is_true(site->analysis, "suspends") ? EVENT_PY_YIELD : 0;
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

static struct site *find_site(struct module_state *state, PyObject *code, int offset)
{
    struct code_sites *sites = sites_of(state, code);
    struct site *site = sites == NULL ? NULL : sites->first;
    while (site != NULL && site->offset != offset)
        site = site->next;
    return site != NULL || sites == NULL ? site : analyse(state, code, offset, sites);
}

/* ---- entering ------------------------------------------------------------------------------ */

static int refuse_suspension(struct thread_context *context)
{
    return errors_format(context->state, ERROR_NESTED_MISUSE,
                         "this block: it has a yield or await in it, and would stay open while "
                         "others run; end the block before it");
}

/* Keeps what names are bound to; 1, or 0 if a re-run could be noticed, or -1. */
static int save_names(struct thread_context *context, const struct site *site)
{
    PyObject *frame = (PyObject *)PyEval_GetFrame();
    PyObject *saved =
        PyObject_CallFunctionObjArgs(context->state->save, frame, site->analysis, NULL);
    if (saved == NULL)
        return -1;
    bool noticeable = saved == Py_None;
    if (noticeable)
        Py_CLEAR(saved);
    context->block.saved = saved;
    return !noticeable;
}

int rerun_enter(struct thread_context *context)
{
    struct module_state *state = context->state;
    PyThreadState *thread = PyThreadState_Get();
    struct _PyInterpreterFrame *frame = thread->current_frame;
    struct block *block = &context->block;
    block->site = NULL;
    block->saved = NULL;
    block->frame = frame;
    if (frame == NULL)
        return 0;
    PyObject *code = PyUnstable_InterpreterFrame_GetCode(frame);
    struct site *site = find_site(state, code, PyUnstable_InterpreterFrame_GetLasti(frame));
    Py_DECREF(code); /* the frame keeps it */
    if (site == NULL)
        return -1;
    block->site = site;
    if (state->tool == TOOL_NONE && is_true(site->analysis, "suspends"))
        return refuse_suspension(context);
    /* Within a trace function or another tool's callback no event would come. */
    if (!site->rerunnable || thread->tracing != 0)
        return 0;
    return site->saves ? save_names(context, site) : 1;
}

/* ---- running again -------------------------------------------------------------------------- */

/* The jump has made the exception in flight the handled one.  A generator may handle none
 * itself and yet see the one that its caller handles, hence the two steps. */
static void restore_handled(PyObject *handled)
{
    PyErr_SetHandledException(NULL);
    PyObject *now = PyErr_GetHandledException();
    if (now != handled)
        PyErr_SetHandledException(handled);
    Py_XDECREF(now);
}

static int jump(struct thread_context *context, const struct exit_point *point)
{
    struct module_state *state = context->state;
    const struct site *site = context->block.site;
    PyObject *handled = PyErr_GetHandledException();
    PyObject *frame = (PyObject *)PyEval_GetFrame();
    PyObject *saved = context->block.saved != NULL ? Py_NewRef(context->block.saved)
                                                   : Py_BuildValue("{}{}");
    PyObject *result = saved == NULL
                           ? NULL
                           : PyObject_CallFunctionObjArgs(state->run_again, frame, site->analysis,
                                                          point->plan, saved, NULL);
    Py_XDECREF(saved);
    if (result != NULL && point->offset == site->handler)
        restore_handled(handled);
    Py_XDECREF(handled);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

/* The end of an attempt.  What fails is raised by __exit__. */
static void end_attempt(struct thread_context *context, const struct exit_point *point)
{
    struct block *block = &context->block;
    bool handler = point->offset == block->site->handler;
    if (block->error != NULL || block->committed || (handler && !block->doomed))
        return;
    enum block_outcome outcome = block_commit(context);
    if (outcome == BLOCK_COMMITTED)
        return;
    if (outcome == BLOCK_ERROR || block_again(context) < 0 || jump(context, point) < 0)
        block->error = PyErr_GetRaisedException();
}

static const struct exit_point *find_exit(const struct site *site, int offset)
{
    for (Py_ssize_t i = 0; i < site->exits; i++) {
        if (site->exit[i].offset == offset)
            return &site->exit[i];
    }
    return NULL;
}

static bool is_any_exit(struct module_state *state, PyObject *code, int offset)
{
    struct code_sites *sites = sites_of(state, code);
    if (sites == NULL) {
        PyErr_Clear();
        return true;
    }
    for (struct site *site = sites->first; site != NULL; site = site->next) {
        if (find_exit(site, offset) != NULL)
            return true;
    }
    return false;
}

static PyObject *on_line(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    struct module_state *state = module_state_of(module);
    struct thread_context *context = thread_here(state);
    if (context == NULL || count < 1)
        return NULL;
    struct _PyInterpreterFrame *frame = PyThreadState_Get()->current_frame;
    struct block *block = &context->block;
    int offset = PyUnstable_InterpreterFrame_GetLasti(frame);
    if (context->depth == 1 && block->frame == frame && block->site != NULL) {
        const struct exit_point *point = find_exit(block->site, offset);
        if (point != NULL) {
            end_attempt(context, point);
            Py_RETURN_NONE;
        }
    }
    return Py_NewRef(is_any_exit(state, args[0], offset) ? Py_None : state->disable);
}

static PyObject *on_yield(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)args;
    (void)count;
    struct thread_context *context = thread_here(module_state_of(module));
    if (context == NULL)
        return NULL;
    if (context->depth > 0 && context->block.frame == PyThreadState_Get()->current_frame) {
        refuse_suspension(context);
        return NULL;
    }
    Py_RETURN_NONE;
}

PyMethodDef rerun_methods[] = {
    {"_on_line", (PyCFunction)(void (*)(void))on_line, METH_FASTCALL, NULL},
    {"_on_yield", (PyCFunction)(void (*)(void))on_yield, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};
