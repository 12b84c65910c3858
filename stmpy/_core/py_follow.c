/* py_follow.c - following the commits that write to some variables.
 *
 * A follower of the log (log.h) with a filter, and a slot of its own.  In the child of a fork
 * it is of no use: the place is the parent's.
 */
#include "py_follow.h"

#include "lock.h"
#include "py_errors.h"
#include "py_var.h"

static int check_open(struct follower_object *self)
{
    if (self->seat.store == NULL || load_relaxed(&self->ending))
        return errors_format(self->seat.state, ERROR_STM, "this watch: closed; make another one");
    if (!seat_own(&self->seat))
        return errors_format(self->seat.state, ERROR_STM,
                             "this watch: made by the parent process; make another one");
    return 0;
}

struct thread_context *follow_context(struct follower_object *self)
{
    struct thread_context *context = thread_here(self->seat.state);
    if (context == NULL || check_open(self) < 0)
        return NULL;
    if (context->depth == 0)
        return context;
    errors_format(self->seat.state, ERROR_NESTED_MISUSE,
                  "this watch: read within a block, which sees one snapshot and no changes; read "
                  "it outside");
    return NULL;
}

/* ---- waiting ----------------------------------------------------------------------------------
 */

static PyObject *wait(struct follower_object *self, PyObject *timeout)
{
    struct thread_context *context = follow_context(self);
    double seconds = timeout == Py_None ? 1e9 : PyFloat_AsDouble(timeout);
    if (context == NULL || (seconds == -1.0 && PyErr_Occurred()))
        return NULL;
    if (!(seconds >= 0)) {
        PyErr_Format(PyExc_ValueError, "timeout is a number of seconds from 0 up, not %R", timeout);
        return NULL;
    }
    struct store *store = self->seat.store;
    struct slot *slot = thread_slot(context, store);
    if (slot == NULL)
        return NULL;
    uint64_t deadline = seconds < 1e9 ? platform_now_ns() + (uint64_t)(seconds * 1e9) : NO_DEADLINE;
    enum stm_status status;
    bool raised = false;
    follow_detach(self);
    do {
        Py_BEGIN_ALLOW_THREADS
        status = log_sleep_or_end(store, slot, self->place, &self->ending, deadline);
        Py_END_ALLOW_THREADS
        raised = status == STM_INTERRUPTED && thread_check_signals(context) < 0;
    } while (status == STM_INTERRUPTED && !raised);
    bool over = load_acquire(&store->region->closed) && load_acquire(&self->place->at) == 0;
    follow_attached(self);
    if (raised)
        return NULL;
    if (over) {
        errors_format(self->seat.state, ERROR_STORE_CLOSED,
                      "this watch: its store is closed, and all changes are taken");
        return NULL;
    }
    return PyBool_FromLong(status == STM_OK);
}

static PyObject *arm(struct follower_object *self, PyObject *unused)
{
    (void)unused;
    if (check_open(self) < 0)
        return NULL;
    if (self->seat.bell != NULL)
        bell_arm(self->seat.bell);
    Py_RETURN_NONE;
}

static PyObject *file_number(struct follower_object *self, PyObject *unused)
{
    (void)unused;
    if (check_open(self) < 0)
        return NULL;
    return seat_file(&self->seat, self->place);
}

/* ---- life
 * ---------------------------------------------------------------------------------------- */

static int fill_variables(struct follower_object *self, PyObject *variables)
{
    self->count = PyTuple_GET_SIZE(variables);
    self->variables = PyMem_Calloc((size_t)self->count + 1, sizeof *self->variables);
    if (self->variables == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < self->count; i++) {
        PyObject *variable = PyTuple_GET_ITEM(variables, i);
        if (!PyObject_TypeCheck(variable, self->seat.state->var_type) &&
            !PyObject_TypeCheck(variable, self->seat.state->ref_type)) {
            PyErr_Format(PyExc_TypeError, "watch() takes TVars and TRefs, not %R", variable);
            return -1;
        }
        if (((struct var *)variable)->store != self->seat.store)
            return errors_format(self->seat.state, ERROR_NESTED_MISUSE,
                                 "watch(): variables of two stores have no common order; watch "
                                 "each store by itself");
        self->variables[i] = ((struct var *)variable)->variable;
    }
    return 0;
}

static int follow(struct follower_object *self)
{
    struct thread_context *context = thread_here(self->seat.state);
    enum stm_status status = STM_INTERRUPTED;
    if (context == NULL)
        return -1;
    if (context->depth > 0)
        return errors_format(self->seat.state, ERROR_NESTED_MISUSE,
                             "watch(): follows commits, so it is no part of a block; call it "
                             "outside");
    if (store_over(self->seat.store))
        return errors_format(self->seat.state, ERROR_STORE_CLOSED,
                             "watch(): the store is closed; open it again");
    while (status == STM_INTERRUPTED) {
        Py_BEGIN_ALLOW_THREADS
        status =
            log_follow(self->seat.store, self->seat.slot, LOG_WATCH, NO_DEADLINE, &self->place);
        Py_END_ALLOW_THREADS
        if (status == STM_INTERRUPTED && thread_check_signals(context) < 0)
            return -1;
    }
    if (status == STM_NO_SLOT)
        return errors_format(self->seat.state, ERROR_STM,
                             "watch(): all %u places for those who follow commits are taken; close "
                             "one",
                             LOG_FOLLOWERS);
    self->start = status == STM_OK ? self->place->passed : 0;
    return status == STM_OK ? 0 : errors_raise(context, status, NULL, NULL);
}

static PyObject *follower_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *module = PyType_GetModuleByDef(type, &native_module), *store_object, *variables;
    (void)kwargs;
    if (module == NULL ||
        !PyArg_ParseTuple(args, "OO!:Follower", &store_object, &PyTuple_Type, &variables))
        return NULL;
    struct follower_object *self =
        (struct follower_object *)seat_new(type, module_state_of(module), store_object);
    if (self == NULL)
        return NULL;
    if (fill_variables(self, variables) < 0 || follow(self) < 0)
        Py_CLEAR(self);
    return (PyObject *)self;
}

/* Gives the place and the slot back; if the lock is held, whoever looks for dead processes
 * does so later. */
static void end(struct follower_object *self)
{
    struct store *store = self->seat.store;
    bool own = seat_own(&self->seat);
    put_release(&self->ending, 1); /* Pairs with log_sleep_or_end. */
    if (store == NULL)
        return;
    if (self->place != NULL && own)
        log_rouse(self->place);
    seat_end_bell(&self->seat);
    if (self->busy > 0)
        return; /* the last of them comes here again */
    self->seat.store = NULL;
    if (own && self->place != NULL &&
        log_unfollow(store, self->seat.slot, self->place, 0) != STM_OK)
        log_abandon(self->place);
    if (own)
        slot_release(store, self->seat.slot);
    store_release(store);
}

void follow_attached(struct follower_object *self)
{
    if (--self->busy == 0 && load_relaxed(&self->ending))
        end(self);
}

static void follower_dealloc(struct follower_object *self)
{
    end(self);
    PyMem_Free(self->variables);
    seat_free(&self->seat);
}

static PyObject *close_follower(struct follower_object *self, PyObject *unused)
{
    (void)unused;
    end(self);
    Py_RETURN_NONE;
}

static PyObject *get_closed(struct follower_object *self, void *unused)
{
    (void)unused;
    return PyBool_FromLong(load_relaxed(&self->ending));
}

static PyObject *get_start(struct follower_object *self, void *unused)
{
    (void)unused;
    return PyLong_FromUnsignedLongLong(self->start);
}

static PyMethodDef methods[] = {
    {"take", (PyCFunction)follow_take, METH_NOARGS,
     "take($self, /)\n--\n\nThe next changes: (commit, which variable, key, value, deleted)."},
    {"wait", (PyCFunction)wait, METH_O,
     "wait($self, timeout, /)\n--\n\nWait until there may be changes; False after the timeout."},
    {"arm", (PyCFunction)arm, METH_NOARGS,
     "arm($self, /)\n--\n\nMake the file readable once, when there may be changes."},
    {"fileno", (PyCFunction)file_number, METH_NOARGS,
     "fileno($self, /)\n--\n\nAn eventfd for arm()."},
    {"close", (PyCFunction)close_follower, METH_NOARGS,
     "close($self, /)\n--\n\nFollow no longer; safe to call again."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getters[] = {
    {"closed", (getter)get_closed, NULL, "True after close().", NULL},
    {"start", (getter)get_start, NULL, "Number of the last commit before it.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, follower_new},
    {Py_tp_dealloc, follower_dealloc},
    {Py_tp_methods, methods},
    {Py_tp_getset, getters},
    {Py_tp_doc, "Follows the commits that write to some variables."},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "stmpy._native.Follower",
    .basicsize = sizeof(struct follower_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

int follower_type_add(PyObject *module)
{
    PyTypeObject *type = module_add_type(module, &spec);
    Py_XDECREF(type); /* the module has it */
    return type == NULL ? -1 : 0;
}
