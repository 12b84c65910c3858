/* py_wait.c - retry, or_else, and functions to call after the outcome.
 *
 * retry() dooms the attempt, as a conflict does, and says that the next one waits first.
 * Only or_else takes it back: it undoes the alternative, keeps what that has read, and
 * tries the next.
 */
#include "py_wait.h"

#include "py_atomic.h"
#include "py_block.h"
#include "py_errors.h"
#include "py_hub.h"
#include "py_rerun.h"
#include "py_sites.h"
#include "py_timeout.h"
#include "wait.h"

#include <math.h>

static struct thread_context *context_in_block(struct module_state *state, const char *what)
{
    struct thread_context *context = thread_here(state);
    if (context != NULL && context->depth == 0) {
        errors_format(state, ERROR_TRANSACTION_REQUIRED,
                      "%s: needs a block; call it within `with stm.atomically():`", what);
        return NULL;
    }
    return context;
}

/* ---- retry ------------------------------------------------------------------------------- */

static int refuse_retry(struct thread_context *context, const char *reason)
{
    return errors_format(context->state, ERROR_NESTED_MISUSE,
                         "retry(): this block can't run again, as %s", reason);
}

/* Whether the block may wait and run again. */
static int check_retry(struct thread_context *context)
{
    struct block *block = &context->block;
    if (block_check(context) < 0)
        return -1;
    if (block->choosing > 0)
        return 0; /* another alternative follows; or_else asks again if none does */
    if (context->txn.flags & TXN_READ_ONLY)
        return refuse_retry(context, "it is read-only and keeps no record of what it reads; "
                                     "leave read_only out");
    PyObject *reason = rerun_reason(block);
    if (reason != NULL) {
        errors_format(context->state, ERROR_NESTED_MISUSE,
                      "retry(): this with statement can't run again, as %U; use the function "
                      "form, @stm.atomically",
                      reason);
        Py_DECREF(reason);
        return -1;
    }
    if (block->options.txn_flags & TXN_SERIAL)
        return refuse_retry(context, "it is irrevocable, or was entered within a trace function; "
                                     "use the function form, @stm.atomically");
    return 0;
}

/* Always returns NULL, with the control exception or an error. */
static PyObject *retry_now(struct thread_context *context)
{
    if (check_retry(context) < 0)
        return NULL;
    context->block.doomed = context->block.retrying = true;
    PyErr_SetNone(context->state->rerun);
    return NULL;
}

/* A time of time.monotonic() as nanoseconds; one that has passed is 0. */
static int to_moment(PyObject *until, uint64_t *out)
{
    double seconds = until == Py_None ? HUGE_VAL : PyFloat_AsDouble(until);
    if (seconds == -1.0 && PyErr_Occurred())
        return -1;
    if (isnan(seconds)) {
        PyErr_SetString(PyExc_ValueError, "retry(until=...): a time of time.monotonic(), not nan");
        return -1;
    }
    *out = seconds <= 0 ? 0 : seconds >= 9e9 ? NO_DEADLINE : (uint64_t)(seconds * 1e9);
    return 0;
}

static PyObject *retry(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"until", NULL};
    PyObject *until = Py_None;
    uint64_t wake_ns;
    struct thread_context *context = context_in_block(module_state_of(module), "retry()");
    if (context == NULL || !PyArg_ParseTupleAndKeywords(args, kwargs, "|$O:retry", names, &until) ||
        to_moment(until, &wake_ns) < 0)
        return NULL;
    if (wake_ns < context->block.wake_ns)
        context->block.wake_ns = wake_ns;
    return retry_now(context);
}

static PyObject *check(PyObject *module, PyObject *condition)
{
    struct thread_context *context = context_in_block(module_state_of(module), "check()");
    int holds = context == NULL ? -1 : PyObject_IsTrue(condition);
    if (holds < 0)
        return NULL;
    if (!holds)
        return retry_now(context);
    Py_RETURN_NONE;
}

/* ---- waiting ------------------------------------------------------------------------------- */

static bool reads_nothing(const struct txn *txn)
{
    for (uint32_t i = 0; i < txn->count; i++) {
        if (txn->entries[i].flags & ENTRY_READ)
            return false;
    }
    return true;
}

/* Lets a hook wait in our place: 1 if the block's time is over, 0 if not, -1 with an
 * exception. */
static int pass_wait(struct thread_context *context)
{
    if (context->state->hook == NULL)
        return 0;
    uint64_t timeout_ns = context->block.options.timeout_ns, wake_ns = context->block.wake_ns;
    uint64_t now = platform_now_ns(), left = wake_ns > now ? wake_ns - now : 1;
    if (wake_ns != NO_DEADLINE && (timeout_ns == 0 || left < timeout_ns))
        timeout_ns = left;
    PyObject *timeout =
        timeout_ns == 0 ? Py_NewRef(Py_None) : PyFloat_FromDouble((double)timeout_ns / 1e9);
    int over = timeout == NULL ? -1 : block_at_point(context, POINT_WAIT, Py_None, timeout);
    Py_XDECREF(timeout);
    return over;
}

/* Sleeps with the nodes in place and takes them back; -1 with an exception. */
static int sleep_registered(struct thread_context *context, struct store *store,
                            struct slot *slot)
{
    uint64_t deadline_ns = context->block.deadline_ns, wake_ns = context->block.wake_ns;
    int over = pass_wait(context);
    enum stm_status status = STM_TIMED_OUT;
    bool raised = over < 0;
    /* Python looks at signals in its first thread alone: others sleep on without asking for
     * their interpreter. */
    bool first = platform_thread_id() == platform_process_id();
    while (over == 0) {
        Py_BEGIN_ALLOW_THREADS
        do {
            status = wait_sleep(store, slot, wake_ns < deadline_ns ? wake_ns : deadline_ns);
        } while (status == STM_INTERRUPTED && !first);
        Py_END_ALLOW_THREADS
        raised = status == STM_INTERRUPTED && thread_check_signals(context) < 0;
        if (status != STM_INTERRUPTED || raised)
            break;
    }
    Py_BEGIN_ALLOW_THREADS
    wait_unregister(store, slot);
    Py_END_ALLOW_THREADS
    if (raised)
        return -1;
    if (status == STM_TIMED_OUT && wake_ns < deadline_ns && platform_now_ns() < deadline_ns)
        return 0; /* it is time to look again, not over */
    if (status == STM_TIMED_OUT)
        return timeout_raise(context, TIMEOUT_PARKED, store, slot);
    return status == STM_OK ? 0 : errors_raise(context, status, NULL, NULL);
}

/* Leaves the waiting to the hub: -1 without an exception, `parked` says why. */
static int park_on_hub(struct thread_context *context)
{
    enum stm_status status = hub_leave_waiter(context, context->block.options.hub);
    if (status == STM_INTERRUPTED)
        return -1;
    if (status != STM_OK && status != STM_CONFLICT)
        return errors_raise(context, status, NULL, NULL);
    block_drop_transaction(context);
    context->block.parked = status == STM_OK;
    if (context->block.parked)
        bump_relaxed(&context->txn.counters->waits, 1);
    return status == STM_OK ? -1 : 0;
}

int wait_for_change(struct thread_context *context)
{
    struct txn *txn = &context->txn;
    struct store *store = txn->store;
    struct slot *slot = txn->slot;
    enum stm_status status;
    context->block.retrying = false;
    if (reads_nothing(txn) && context->block.options.timeout_ns == 0 &&
        context->block.wake_ns == NO_DEADLINE)
        return errors_format(context->state, ERROR_STM,
                             "retry(): the block has read nothing, so nothing could wake it; "
                             "read what it waits for first, give it a timeout, or retry(until=...)");
    if (context->block.options.hub != NULL && !context->block.options.observes)
        return park_on_hub(context);
    do {
        Py_BEGIN_ALLOW_THREADS
        status = wait_register(txn, context->block.deadline_ns);
        Py_END_ALLOW_THREADS
        if (status == STM_INTERRUPTED && thread_check_signals(context) < 0)
            return -1;
    } while (status == STM_INTERRUPTED);
    if (status != STM_OK && status != STM_CONFLICT)
        return errors_raise(context, status, NULL, NULL);
    block_drop_transaction(context);
    return status == STM_OK ? sleep_registered(context, store, slot) : 0;
}

/* ---- or_else ---------------------------------------------------------------------------------- */

/* Waiting for all alternatives at once ends with the first deadline of a level in any of them. */
static void narrow(uint64_t *deadline_ns, uint64_t other_ns)
{
    if (other_ns < *deadline_ns)
        *deadline_ns = other_ns;
}

/* One alternative: 1 with its result, 0 if it retried and is undone, -1 with an exception. */
static int try_alternative(struct thread_context *context, PyObject *function, PyObject **out,
                           uint64_t *deadline_ns)
{
    struct module_state *state = context->state;
    uint32_t depth = context->depth;
    if (block_nest(context, NULL, false, 0) < 0)
        return -1;
    context->block.choosing++;
    PyObject *result = PyObject_CallNoArgs(function);
    if (!thread_still(context)) {
        call_refuse_child(state, result);
        return -1;
    }
    context->block.choosing--;
    if (result != NULL && (block_check(context) < 0 || block_flush(context) < 0))
        Py_CLEAR(result);
    PyObject *raised = result == NULL ? PyErr_GetRaisedException() : NULL;
    bool retried = context->block.retrying;
    if (retried) {
        narrow(deadline_ns, context->block.deadline_ns);
        context->block.doomed = context->block.retrying = false;
    }
    while (context->depth > depth) {
        if (block_unnest(context, result != NULL) < 0) {
            Py_XDECREF(raised);
            Py_XDECREF(result);
            return -1;
        }
    }
    if (result != NULL) {
        *out = result;
        return 1;
    }
    if (retried) {
        Py_XDECREF(raised);
        return 0;
    }
    PyErr_SetRaisedException(raised);
    return -1;
}

/* What is wrong with the arguments of or_else: false with TypeError. */
static bool are_functions(PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    if (names != NULL && PyTuple_GET_SIZE(names) > 0) {
        PyErr_Format(PyExc_TypeError,
                     "or_else() takes functions alone, not %U=; options such as a timeout belong "
                     "to the block: stm.atomically(timeout=...)",
                     PyTuple_GET_ITEM(names, 0));
        return false;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        if (!PyCallable_Check(args[i])) {
            PyErr_Format(PyExc_TypeError, "or_else(first, second, ...) takes functions, not %R",
                         args[i]);
            return false;
        }
    }
    if (count < 1)
        PyErr_SetString(PyExc_TypeError, "or_else(first, second, ...) takes at least one function");
    return count >= 1;
}

static PyObject *or_else(PyObject *module, PyObject *const *args, Py_ssize_t count,
                         PyObject *names)
{
    struct module_state *state = module_state_of(module);
    struct thread_context *context = thread_here(state);
    if (context == NULL || !are_functions(args, count, names))
        return NULL;
    if (context->depth == 0)
        return call_in_block(state, module, "or_else", args, count);
    uint64_t deadline_ns = context->block.deadline_ns;
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *result = NULL;
        int done = try_alternative(context, args[i], &result, &deadline_ns);
        if (done != 0)
            return result;
    }
    narrow(&context->block.deadline_ns, deadline_ns);
    return retry_now(context);
}

/* ---- hooks -------------------------------------------------------------------------------------- */

static PyObject *add_hook(PyObject *module, PyObject *function, const char *what, bool commit)
{
    struct thread_context *context = context_in_block(module_state_of(module), what);
    if (context == NULL || block_check(context) < 0)
        return NULL;
    if (!PyCallable_Check(function)) {
        PyErr_Format(PyExc_TypeError, "%s takes a function, not %R", what, function);
        return NULL;
    }
    PyObject **list = commit ? &context->block.on_commit : &context->block.on_abort;
    if (*list == NULL)
        *list = PyList_New(0);
    if (*list == NULL || PyList_Append(*list, function) < 0)
        return NULL;
    return Py_NewRef(function);
}

static PyObject *on_commit(PyObject *module, PyObject *function)
{
    return add_hook(module, function, "on_commit()", true);
}

static PyObject *on_abort(PyObject *module, PyObject *function)
{
    return add_hook(module, function, "on_abort()", false);
}

/* Calls every function; the list of what they raised, or NULL if nothing was. */
static PyObject *call_hooks(PyObject *hooks)
{
    PyObject *errors = NULL;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(hooks); i++) {
        PyObject *result = PyObject_CallNoArgs(PyList_GET_ITEM(hooks, i));
        PyObject *error = result == NULL ? PyErr_GetRaisedException() : NULL;
        Py_XDECREF(result);
        if (error != NULL && errors == NULL)
            errors = PyList_New(0);
        if (error != NULL && (errors == NULL || PyList_Append(errors, error) < 0))
            PyErr_Clear(); /* no memory: the others are called all the same */
        Py_XDECREF(error);
    }
    return errors;
}

int wait_run_hooks(PyObject *hooks, bool committed)
{
    if (hooks == NULL)
        return 0;
    PyObject *raised = PyErr_GetRaisedException();
    PyObject *errors = call_hooks(hooks);
    Py_DECREF(hooks);
    if (errors == NULL) {
        PyErr_SetRaisedException(raised);
        return 0;
    }
    PyObject *module = PyImport_ImportModule("stmpy._hooks");
    PyObject *none = module == NULL ? NULL
                                    : PyObject_CallMethod(module, "failed", "OO",
                                                          committed ? Py_True : Py_False, errors);
    Py_XDECREF(module);
    Py_XDECREF(none);
    Py_DECREF(errors);
    if (raised == NULL)
        return -1;
    PyErr_WriteUnraisable(NULL);
    PyErr_SetRaisedException(raised);
    return 0;
}

PyMethodDef wait_methods[] = {
    {"retry", (PyCFunction)(void (*)(void))retry, METH_VARARGS | METH_KEYWORDS,
     "retry(*, until=None)\n--\n\n"
     "Give the attempt up, wait until something that it has read changes, run again.\n\n"
     "It runs again at the latest when time.monotonic() is `until`: time itself wakes nobody."},
    {"check", check, METH_O, "check(condition, /)\n--\n\nretry() unless the condition holds."},
    {"or_else", (PyCFunction)(void (*)(void))or_else, METH_FASTCALL | METH_KEYWORDS,
     "or_else(first, /, *others)\n--\n\nThe result of the first function that does not retry."},
    {"on_commit", on_commit, METH_O,
     "on_commit(fn, /)\n--\n\nCall fn() once after the block has committed."},
    {"on_abort", on_abort, METH_O,
     "on_abort(fn, /)\n--\n\nCall fn() once after the block was undone."},
    {NULL, NULL, 0, NULL},
};
