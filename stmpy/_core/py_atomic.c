/* py_atomic.c - the context manager.
 *
 * Invariant: an object with open levels is at the places of the context's levels that name
 * it.  The with statement holds the object until it is left, so an open block whose object
 * is freed was left without __exit__ (an exception between two instructions): it is undone.
 * What ends a block that can run again is the event just before __exit__ (py_rerun.c); what
 * __exit__ finds then is a block that has committed, or failed, or met an exception.
 */
#include "py_atomic.h"

#include "py_block.h"
#include "py_errors.h"
#include "py_names.h"
#include "py_rerun.h"


/* ---- making ----------------------------------------------------------------------------------- */

/* A thread begins and drops one block after the other: the room of the last is that of the
 * next. */
static struct atomic *allocate(struct module_state *state)
{
    struct thread_context *context = thread_last(state);
    struct atomic *spare = context == NULL ? NULL : context->spare;
    if (spare == NULL)
        return PyObject_New(struct atomic, state->atomic_type);
    context->spare = NULL;
    return (struct atomic *)PyObject_Init((PyObject *)spare, state->atomic_type);
}

static void release(struct atomic *self)
{
    struct thread_context *context = thread_last(self->state);
    if (context != NULL && context->spare == NULL)
        context->spare = self;
    else
        PyObject_Free(self);
}

static struct atomic *make(struct module_state *state, PyObject *store)
{
    struct atomic *self = allocate(state);
    if (self == NULL)
        return NULL;
    size_t header = offsetof(struct atomic, state);
    memset((char *)self + header, 0, sizeof *self - header);
    self->state = state;
    self->store = Py_XNewRef(store);
    return self;
}

PyObject *atomic_make(struct module_state *state, PyObject *store, PyObject *const *args,
                      Py_ssize_t count, PyObject *names)
{
    if (count == 0 && names == NULL) /* the form that most blocks use */
        return (PyObject *)make(state, store);
    struct raw_options raw = {.store = store};
    struct atomic *self = make(state, NULL);
    if (self == NULL)
        return NULL;
    PyObject *result = (PyObject *)self;
    if (atomic_take_arguments(&raw, args, count, names) < 0 || atomic_set_options(self, &raw) < 0)
        result = NULL;
    else if (raw.function != NULL)
        result = PyObject_CallOneArg((PyObject *)self, raw.function);
    if (result != (PyObject *)self)
        Py_DECREF(self);
    return result;
}

PyObject *atomic_make_snapshot(struct module_state *state, PyObject *store)
{
    struct atomic *self = make(state, store);
    if (self != NULL)
        self->txn_flags = TXN_READ_ONLY;
    return (PyObject *)self;
}

static PyObject *atomic_vectorcall(PyObject *type, PyObject *const *args, size_t nargsf,
                                   PyObject *names)
{
    return atomic_make(PyType_GetModuleState((PyTypeObject *)type), NULL, args,
                       PyVectorcall_NARGS(nargsf), names);
}

/* Only who calls __new__ comes here. */
static PyObject *atomic_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    return PyObject_VectorcallDict((PyObject *)type, ((PyTupleObject *)args)->ob_item,
                                   (size_t)PyTuple_GET_SIZE(args), kwargs);
}

/* ---- entering and leaving --------------------------------------------------------------------- */

static PyObject *refuse(struct atomic *self, const char *text)
{
    errors_format(self->state, ERROR_NESTED_MISUSE, "%s", text);
    return NULL;
}

int atomic_check_nesting(struct thread_context *context, const struct block_options *options)
{
    if (options->store != context->block.options.store)
        return errors_format(context->state, ERROR_NESTED_MISUSE,
                             "this block: a block of one store can't hold a block of another, "
                             "as they could not commit together; leave the outer block first");
    if (options->txn_flags & TXN_SERIAL && !(context->txn.flags & TXN_SERIAL))
        return errors_format(context->state, ERROR_NESTED_MISUSE,
                             "this block: irrevocable inside a block that may run again; make "
                             "the outermost block irrevocable");
    return 0;
}

static int enter_nested(struct atomic *self, struct thread_context *context)
{
    struct block_options options;
    if (atomic_options(self, &options) < 0 || atomic_check_nesting(context, &options) < 0)
        return -1;
    return block_nest(context, self, (options.txn_flags & TXN_READ_ONLY) != 0,
                      options.timeout_ns);
}

static int enter_outermost(struct atomic *self, struct thread_context *context)
{
    struct block_options options;
    if (atomic_options(self, &options) < 0)
        return -1;
    int again = rerun_enter(context);
    if (again < 0)
        return -1;
    if (!again && !(options.txn_flags & TXN_READ_ONLY))
        options.txn_flags |= TXN_SERIAL;
    options.site = names_of_with(context, options.store, self->label);
    if (block_open(context, &options, self) < 0) {
        context->block.site = NULL;
        Py_CLEAR(context->block.saved);
        return -1;
    }
    return 0;
}

static PyObject *atomic_enter(struct atomic *self, PyObject *unused)
{
    (void)unused;
    struct thread_context *context = thread_here(self->state);
    if (context == NULL)
        return NULL;
    if (context->abandoned)
        block_abandon(context);
    if (self->levels > 0 && self->context != context->number)
        return refuse(self, "this block: open in another thread; each thread needs a block of "
                            "its own: write `with stm.atomically():` there");
    if ((context->depth > 0 ? enter_nested(self, context) : enter_outermost(self, context)) < 0)
        return NULL;
    self->context = context->number;
    self->levels++;
    return Py_NewRef(self);
}

void atomic_forget(struct atomic *self)
{
    self->levels = 0;
}

/* Copies what the transaction knows into the object before it is gone. */
static void take_results(struct atomic *self, struct thread_context *context)
{
    self->attempt = context->block.attempt;
    self->serial = context->block.serial;
    Py_XSETREF(self->reason, rerun_reason(&context->block));
    self->version = context->block.committed ? context->txn.committed : 0;
}

static PyObject *leave_nested(struct atomic *self, struct thread_context *context, bool failed)
{
    self->levels--;
    if (!failed && !context->block.doomed && block_flush(context) < 0) {
        PyObject *raised = PyErr_GetRaisedException();
        block_unnest(context, false);
        PyErr_SetRaisedException(raised);
        return NULL;
    }
    if (block_unnest(context, !failed) < 0)
        return NULL;
    Py_RETURN_FALSE;
}

/* No event came before this, so the block can't run again: serial, or read-only. */
static int commit_at_exit(struct thread_context *context)
{
    enum block_outcome outcome = block_commit(context);
    if (outcome == BLOCK_CONFLICT)
        return errors_format(context->state, ERROR_CONFLICT,
                             "this block: lost to another block and could not be run again "
                             "because its monitoring events were taken away (sys.monitoring); "
                             "nothing was changed: run it again");
    return outcome == BLOCK_COMMITTED ? 0 : -1;
}

static PyObject *leave_outermost(struct atomic *self, struct thread_context *context,
                                 PyObject *raised)
{
    int result = 0;
    if (context->block.error != NULL) {
        PyErr_SetRaisedException(Py_NewRef(context->block.error));
        result = -1;
    } else if (raised != NULL && PyErr_GivenExceptionMatches(raised, self->state->rerun)) {
        /* CPython had no memory for the event that runs the block again. */
        PyErr_NoMemory();
        result = -1;
    } else if (raised != NULL) {
        names_note_attempt(context, raised);
    } else if (!context->block.committed) {
        result = commit_at_exit(context);
    }
    self->snapshot = context->txn.snapshot != NO_SNAPSHOT ? context->txn.snapshot : self->snapshot;
    take_results(self, context);
    atomic_forget(self);
    if (block_close(context) < 0 || result < 0)
        return NULL;
    Py_RETURN_FALSE;
}

static PyObject *atomic_exit(struct atomic *self, PyObject *const *args, Py_ssize_t count)
{
    struct thread_context *context = thread_here(self->state);
    if (context == NULL)
        return NULL;
    bool failed = count > 0 && args[0] != Py_None;
    if (context->depth == 0 || context->levels[context->depth - 1].owner != self) {
        if (failed)
            Py_RETURN_FALSE;
        return refuse(self, "this block: not the innermost open block of this thread; a block "
                            "is left by the thread and in the process that entered it, before "
                            "the blocks around it");
    }
    return context->depth > 1 ? leave_nested(self, context, failed)
                              : leave_outermost(self, context, failed ? args[1] : NULL);
}

static void atomic_dealloc(struct atomic *self)
{
    PyTypeObject *type = Py_TYPE(self);
    struct thread_context *context = self->levels > 0 ? thread_here(self->state) : NULL;
    if (context != NULL && context->number != self->context) {
        thread_abandon(self->state, self->context, self);
    } else if (context != NULL) {
        uint32_t depth = context->depth;
        while (depth > 0 && context->levels[depth - 1].owner != self)
            depth--;
        atomic_forget(self);
        while (context->depth > 1 && context->depth >= depth)
            block_unnest(context, false);
        if (depth == 1)
            block_close(context);
    }
    Py_XDECREF(self->store);
    Py_XDECREF(self->label);
    Py_XDECREF(self->reason);
    release(self);
    Py_DECREF(type);
}

/* ---- attributes -------------------------------------------------------------------------------- */

/* The context, if the block is open in the calling thread, else NULL. */
static struct thread_context *running(struct atomic *self)
{
    struct thread_context *context = self->levels > 0 ? thread_here(self->state) : NULL;
    bool here = context != NULL && context->number == self->context && context->depth > 0;
    return here ? context : NULL;
}

static PyObject *get_label(struct atomic *self, void *unused)
{
    (void)unused;
    return Py_NewRef(self->label != NULL ? self->label : Py_None);
}

static PyObject *get_attempt(struct atomic *self, void *unused)
{
    (void)unused;
    struct thread_context *context = running(self);
    return PyLong_FromUnsignedLong(context != NULL ? context->block.attempt : self->attempt);
}

static PyObject *get_snapshot(struct atomic *self, void *unused)
{
    (void)unused;
    struct thread_context *context = running(self);
    bool registered = context != NULL && context->txn.snapshot != NO_SNAPSHOT;
    uint64_t snapshot = registered ? context->txn.snapshot : self->snapshot;
    return PyLong_FromUnsignedLongLong(snapshot);
}

static PyObject *get_version(struct atomic *self, void *unused)
{
    (void)unused;
    if (self->version == 0)
        Py_RETURN_NONE;
    return PyLong_FromUnsignedLongLong(self->version);
}

static PyObject *get_serial(struct atomic *self, void *unused)
{
    (void)unused;
    struct thread_context *context = running(self);
    bool now = context != NULL && (context->block.serial || context->txn.flags & TXN_SERIAL);
    return PyBool_FromLong(context != NULL ? now : self->serial);
}

static PyObject *get_reason(struct atomic *self, void *unused)
{
    (void)unused;
    struct thread_context *context = running(self);
    PyObject *reason = context != NULL ? rerun_reason(&context->block) : Py_XNewRef(self->reason);
    return reason == NULL ? Py_NewRef(Py_None) : reason;
}

/* ---- the decorator -------------------------------------------------------------------------------- */

static PyObject *atomic_call(struct atomic *self, PyObject *args, PyObject *kwargs)
{
    PyObject *function;
    if (kwargs != NULL && PyDict_GET_SIZE(kwargs) > 0) {
        PyErr_SetString(PyExc_TypeError, "atomically(...) decorates one function: it takes no "
                                         "further keywords");
        return NULL;
    }
    if (!PyArg_ParseTuple(args, "O:atomically", &function))
        return NULL;
    return PyObject_CallFunctionObjArgs((PyObject *)self->state->function_type, self, function,
                                        NULL);
}

static PyMethodDef methods[] = {
    {"__enter__", (PyCFunction)atomic_enter, METH_NOARGS, NULL},
    {"__exit__", (PyCFunction)(void (*)(void))atomic_exit, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getters[] = {
    {"label", (getter)get_label, NULL, "The label given to the block, or None.", NULL},
    {"attempt", (getter)get_attempt, NULL, "Which attempt this is, from 1.", NULL},
    {"snapshot", (getter)get_snapshot, NULL, "Number of the commit that the block sees.", NULL},
    {"version", (getter)get_version, NULL,
     "Number of the block's own commit; None before it, or if it wrote nothing.", NULL},
    {"serial", (getter)get_serial, NULL, "Whether the attempt, or the last one, runs where it cannot lose.", NULL},
    {"serial_reason", (getter)get_reason, NULL,
     "Why this with statement can't be run again and is serial from the start, or None.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

/* Without a signature line: the overloads are in the stub. */
static const char doc[] =
    "A block: all of it happens at one moment for everybody else, or none of it.\n\n"
    "As a context manager, `with stm.atomically() as tx:`, or as a decorator of a function of\n"
    "which each call is one block.  The body reads one snapshot; when it ends, what it read is\n"
    "checked and what it wrote becomes visible, or it runs again with its names as before.\n"
    "An exception undoes the block and goes on.  Within another block it nests.\n\n"
    "read_only     refuse writes; such a block keeps no read set and never runs twice\n"
    "isolation     'snapshot' checks only what was written: write skew is possible\n"
    "timeout       seconds over all attempts and waits, then TransactionTimeout\n"
    "max_attempts  attempts that may be lost, then Conflict\n"
    "irrevocable   run once, alone among writers: for what can't be done twice, such as I/O\n"
    "label         a name for statistics\n"
    "store         the Store of the block; the process's default store if left out";

static PyType_Slot slots[] = {
    {Py_tp_new, atomic_new},         {Py_tp_dealloc, atomic_dealloc}, {Py_tp_call, atomic_call},
    {Py_tp_methods, methods},        {Py_tp_getset, getters},         {Py_tp_doc, (void *)doc},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "stmpy._native.atomically",
    .basicsize = sizeof(struct atomic),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

int atomic_type_add(PyObject *module)
{
    PyTypeObject *type = module_add_type(module, &spec);
    if (type == NULL)
        return -1;
    type->tp_vectorcall = atomic_vectorcall;
    module_state_of(module)->atomic_type = type;
    return 0;
}
