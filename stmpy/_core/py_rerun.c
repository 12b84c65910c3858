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
#include "py_sites.h"

PyObject *rerun_reason(const struct block *block)
{
    const struct site *site = block->site;
    if (site == NULL || (site->rerunnable && !block->unbound))
        return NULL;
    PyObject *raised = PyErr_GetRaisedException(); /* the block may be left by it */
    PyObject *reason;
    if (site->rerunnable)
        reason = PyUnicode_FromFormat("one of these local names had no value where it began and is "
                                      "read later: %R (give it one before the block)",
                                      sites_field(site, "must_be_bound"));
    else
        reason = Py_XNewRef(sites_field(site, "reason"));
    PyErr_SetRaisedException(raised);
    return reason;
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
    context->block.unbound = noticeable;
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
    block->unbound = false;
    block->frame = frame;
    if (frame == NULL)
        return 0;
    PyObject *code = PyUnstable_InterpreterFrame_GetCode(frame);
    struct site *site = sites_find(state, code, PyUnstable_InterpreterFrame_GetLasti(frame));
    Py_DECREF(code); /* the frame keeps it */
    if (site == NULL)
        return -1;
    block->site = site;
    if (state->tool == TOOL_NONE && site->suspends)
        return refuse_suspension(context);
    /* Within a trace function or another tool's callback no event would come, nor without a
     * tool, which is given back when the interpreter ends. */
    if (!site->rerunnable || thread->tracing != 0 || state->tool < 0)
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
        const struct exit_point *point = sites_exit(block->site, offset);
        if (point != NULL) {
            end_attempt(context, point);
            Py_RETURN_NONE;
        }
    }
    return Py_NewRef(sites_any_exit(state, args[0], offset) ? Py_None : state->disable);
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

static PyObject *release_tool(PyObject *module, PyObject *unused)
{
    (void)unused;
    if (sites_release_tool(module_state_of(module)) < 0)
        return NULL;
    Py_RETURN_NONE;
}

PyMethodDef rerun_methods[] = {
    {"_release_tool", release_tool, METH_NOARGS, NULL},
    {"_on_line", (PyCFunction)(void (*)(void))on_line, METH_FASTCALL, NULL},
    {"_on_yield", (PyCFunction)(void (*)(void))on_yield, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};
