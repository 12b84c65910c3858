/* py_call.c - blocks in function form: stm.run(fn, ...) and the decorated function.
 *
 * Nothing has to be moved here: the function is called again.  A block inside a block
 * nests.
 */
#include "py_atomic.h"
#include "py_block.h"
#include "py_errors.h"
#include "py_names.h"

#include <structmember.h>

struct call {
    PyObject *function;     /* Borrowed */
    PyObject *const *args;  /* Borrowed: as for PyObject_Vectorcall */
    size_t nargsf;
    PyObject *names;        /* Borrowed, or NULL */
    struct hub *hub;        /* Borrowed, or NULL: see call_on_hub */
    bool observes;
    region_ref *waiter;     /* where the one that was left with the hub is put */
    shared_u64 *number;     /* Borrowed: where that of its name is remembered, or NULL */
};

/* In the child of a fork that was made in the block: the block is the parent's. */
PyObject *call_refuse_child(struct module_state *state, PyObject *result)
{
    Py_XDECREF(result);
    errors_format(state, ERROR_NESTED_MISUSE,
                  "this block: begun in the parent process, which will end it; after a fork, "
                  "begin a block of your own");
    return NULL;
}

static PyObject *call_nested(struct thread_context *context, const struct call *call,
                             const struct block_options *options)
{
    if (block_nest(context, NULL, (options->txn_flags & TXN_READ_ONLY) != 0,
                   options->timeout_ns) < 0)
        return NULL;
    PyObject *result = PyObject_Vectorcall(call->function, call->args, call->nargsf, call->names);
    if (!thread_still(context))
        return call_refuse_child(context->state, result);
    if (result != NULL && (block_check(context) < 0 || block_flush(context) < 0))
        Py_CLEAR(result);
    PyObject *raised = result == NULL ? PyErr_GetRaisedException() : NULL;
    if (block_unnest(context, result != NULL) < 0) {
        Py_XDECREF(raised);
        return NULL;
    }
    if (raised != NULL)
        PyErr_SetRaisedException(raised);
    return result;
}

/* What left a doomed block by an exception runs again, except where somebody wants to end
 * the program. */
static bool may_run_again(struct thread_context *context)
{
    return context->block.doomed && (PyErr_ExceptionMatches(context->state->rerun) ||
                                     PyErr_ExceptionMatches(PyExc_Exception));
}

/* One attempt: 1 with the result, 0 after a conflict, -1 with an exception, -2 with one if the
 * context is not ours any more. */
static int attempt(struct thread_context *context, const struct call *call, PyObject **out)
{
    PyObject *result = PyObject_Vectorcall(call->function, call->args, call->nargsf, call->names);
    if (!thread_still(context)) {
        call_refuse_child(context->state, result);
        return -2;
    }
    if (result == NULL) {
        if (may_run_again(context)) {
            PyErr_Clear();
            return 0;
        }
        PyObject *raised = PyErr_GetRaisedException();
        names_note_attempt(context, raised);
        PyErr_SetRaisedException(raised);
        return -1;
    }
    enum block_outcome outcome = block_commit(context);
    if (outcome == BLOCK_COMMITTED) {
        *out = result;
        return 1;
    }
    Py_DECREF(result);
    return outcome == BLOCK_CONFLICT ? 0 : -1;
}

static int check_not_on_hub(struct thread_context *context, const struct call *call)
{
    if (call->hub == NULL)
        return 0;
    return errors_format(context->state, ERROR_NESTED_MISUSE,
                         "this call: waits outside of the block that is open; leave the block "
                         "first, or call the function itself as part of it");
}

static PyObject *call_block(struct module_state *state, struct atomic *options,
                            PyObject *store_object, const struct call *call)
{
    struct thread_context *context = thread_here(state);
    struct block_options block = {0};
    if (context == NULL)
        return NULL;
    if (context->abandoned)
        block_abandon(context);
    if (options != NULL) {
        if (atomic_options(options, &block) < 0)
            return NULL;
    } else {
        block.store = store_chosen(state, store_object);
        if (block.store == NULL)
            return NULL;
    }
    block.hub = call->hub;
    block.observes = call->observes;
    if (context->depth > 0) {
        if (atomic_check_nesting(context, &block) < 0 || check_not_on_hub(context, call) < 0)
            return NULL;
        return call_nested(context, call, &block);
    }
    context->block.site = NULL;
    context->block.frame = NULL;
    context->block.saved = NULL;
    block.site = names_of_call(context, block.store, options == NULL ? NULL : options->label,
                               call->function, call->number);
    if (block_open(context, &block, NULL) < 0)
        return NULL;
    PyObject *result = NULL;
    int done;
    while ((done = attempt(context, call, &result)) == 0) {
        if (block_again(context) < 0)
            break;
    }
    if (done == -2)
        return NULL;
    if (call->waiter != NULL && (done == 1 || context->block.parked))
        *call->waiter = context->block.waiter;
    if (block_close(context) < 0)
        Py_CLEAR(result);
    return done == 1 ? result : NULL;
}

PyObject *call_on_hub(struct atomic *options, struct hub *hub, bool observes, PyObject *function,
                      PyObject *arguments, region_ref *waiter)
{
    struct call call = {.function = function,
                        .args = ((PyTupleObject *)arguments)->ob_item,
                        .nargsf = (size_t)PyTuple_GET_SIZE(arguments),
                        .hub = hub,
                        .observes = observes,
                        .waiter = waiter};
    return call_block(options->state, options, NULL, &call);
}

/* ---- run ---------------------------------------------------------------------------------- */

PyObject *call_run(struct module_state *state, PyObject *store, PyObject *const *args,
                   Py_ssize_t count, PyObject *names)
{
    if (count < 1 || !PyCallable_Check(args[0])) {
        PyErr_Format(PyExc_TypeError, "run(fn, /, *args, **kwargs) takes a function to call, not %R",
                     count < 1 ? Py_None : args[0]);
        return NULL;
    }
    struct call call = {.function = args[0],
                        .args = args + 1,
                        .nargsf = (size_t)count - 1,
                        .names = names};
    return call_block(state, NULL, store, &call);
}

PyObject *call_in_block(struct module_state *state, PyObject *module, const char *name,
                        PyObject *const *args, Py_ssize_t count)
{
    PyObject *function = PyObject_GetAttrString(module, name);
    if (function == NULL)
        return NULL;
    struct call call = {.function = function,
                        .args = args,
                        .nargsf = (size_t)count,
                        .names = NULL};
    PyObject *result = call_block(state, NULL, NULL, &call);
    Py_DECREF(function);
    return result;
}

static PyObject *run(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    return call_run(module_state_of(module), NULL, args, count, names);
}

static PyObject *in_transaction(PyObject *module, PyObject *unused)
{
    (void)unused;
    struct thread_context *context = thread_here(module_state_of(module));
    return context == NULL ? NULL : PyBool_FromLong(context->depth > 0);
}

PyMethodDef call_methods[] = {
    {"run", (PyCFunction)(void (*)(void))run, METH_FASTCALL | METH_KEYWORDS,
     "run(fn, /, *args, **kwargs)\n--\n\n"
     "Call fn(*args, **kwargs) in a block, again after each conflict; returns its result."},
    {"in_transaction", in_transaction, METH_NOARGS,
     "in_transaction()\n--\n\nTrue within a block of this thread."},
    {NULL, NULL, 0, NULL},
};

/* ---- the decorated function ------------------------------------------------------------------ */

struct function {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    struct atomic *options; /* Owned */
    PyObject *wrapped;      /* Owned */
    shared_u64 number;      /* of its name: see py_names.c */
    PyObject *dict;         /* Owned: __name__, __doc__ and so on, as functools puts them */
};

static PyObject *function_vectorcall(struct function *self, PyObject *const *args, size_t nargsf,
                                     PyObject *names)
{
    struct call call = {.function = self->wrapped,
                        .args = args,
                        .nargsf = nargsf & ~PY_VECTORCALL_ARGUMENTS_OFFSET,
                        .names = names,
                        .number = &self->number};
    return call_block(self->options->state, self->options, NULL, &call);
}

static PyObject *function_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"", "", NULL};
    PyObject *options, *wrapped;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO:AtomicFunction", names, &options, &wrapped))
        return NULL;
    PyObject *module = PyType_GetModuleByDef(type, &native_module);
    if (module == NULL)
        return NULL;
    if (!Py_IS_TYPE(options, module_state_of(module)->atomic_type) || !PyCallable_Check(wrapped)) {
        PyErr_Format(PyExc_TypeError, "atomically decorates a function, not %R", wrapped);
        return NULL;
    }
    struct function *self = (struct function *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->vectorcall = (vectorcallfunc)function_vectorcall;
    self->options = (struct atomic *)Py_NewRef(options);
    self->wrapped = Py_NewRef(wrapped);
    PyObject *functools = PyImport_ImportModule("stmpy._wrap");
    PyObject *result = functools == NULL
                           ? NULL
                           : PyObject_CallMethod(functools, "adopt", "OO", self, wrapped);
    Py_XDECREF(functools);
    if (result == NULL)
        Py_CLEAR(self);
    Py_XDECREF(result);
    return (PyObject *)self;
}

static PyObject *function_get(PyObject *self, PyObject *object, PyObject *type)
{
    (void)type;
    return object == NULL || object == Py_None ? Py_NewRef(self) : PyMethod_New(self, object);
}

static int function_traverse(struct function *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->options);
    Py_VISIT(self->wrapped);
    Py_VISIT(self->dict);
    return 0;
}

static int function_clear(struct function *self)
{
    Py_CLEAR(self->wrapped);
    Py_CLEAR(self->dict);
    return 0;
}

static void function_dealloc(struct function *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    function_clear(self);
    Py_XDECREF(self->options);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMemberDef members[] = {
    {"__vectorcalloffset__", Py_T_PYSSIZET, offsetof(struct function, vectorcall), Py_READONLY,
     NULL},
    {"__dictoffset__", Py_T_PYSSIZET, offsetof(struct function, dict), Py_READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyMethodDef methods[] = {
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS,
     "AtomicFunction[[int], str] is for type checkers."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getters[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, function_new},           {Py_tp_dealloc, function_dealloc},
    {Py_tp_traverse, function_traverse}, {Py_tp_clear, function_clear},
    {Py_tp_call, PyVectorcall_Call},     {Py_tp_descr_get, function_get},
    {Py_tp_members, members},            {Py_tp_getset, getters},
    {Py_tp_methods, methods},
    {Py_tp_doc, "A function of which each call is one block."},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "stmpy._native.AtomicFunction",
    .basicsize = sizeof(struct function),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL |
             Py_TPFLAGS_METHOD_DESCRIPTOR,
    .slots = slots,
};

int function_type_add(PyObject *module)
{
    PyTypeObject *type = module_add_type(module, &spec);
    module_state_of(module)->function_type = type;
    return type == NULL ? -1 : 0;
}
