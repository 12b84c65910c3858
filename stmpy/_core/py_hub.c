/* py_hub.c - the types Hub and Interest.
 *
 * Invariant: a waiter of the hub's slot belongs to one Interest, or is in `dropped`.  The
 * lock is only tried for where an Interest dies, as that may happen anywhere, also in a
 * block of this thread that holds it: what can't be taken back then is so later.
 *   In the child of a fork the slot is the parent's: a hub from before looks closed there.
 */
#include "py_hub.h"

#include "lock.h"
#include "py_atomic.h"
#include "py_errors.h"
#include "wait.h"

static bool usable(const struct hub *hub)
{
    return hub->seat.store != NULL && seat_own(&hub->seat);
}

static int check_usable(struct hub *hub)
{
    if (usable(hub))
        return 0;
    return errors_format(hub->seat.state, ERROR_STM,
                         "this hub: closed, or made by the parent process; make another one");
}

enum stm_status hub_leave_waiter(struct thread_context *context, struct hub *hub)
{
    enum stm_status status;
    do {
        Py_BEGIN_ALLOW_THREADS
        status = wait_watch(&context->txn, hub->seat.slot, context->block.deadline_ns,
                            &context->block.waiter);
        Py_END_ALLOW_THREADS
        if (status == STM_INTERRUPTED && thread_check_signals(context) < 0)
            return STM_INTERRUPTED;
    } while (status == STM_INTERRUPTED);
    return status;
}

/* ---- taking waiters back --------------------------------------------------------------------- */

/* With the lock; releases it. */
static void drop_all(struct hub *hub, const region_ref *refs, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        wait_drop(hub->seat.store, hub->seat.slot, refs[i]);
    lock_release(hub->seat.store);
}

/* Takes back what was dropped; without `may_sleep` only if the lock is free. */
static void drain(struct hub *hub, bool may_sleep)
{
    region_ref *refs = hub->dropped;
    uint32_t count = hub->dropped_count;
    if (count == 0)
        return;
    if (lock_try(hub->seat.store, hub->seat.slot) == STM_OK) {
        drop_all(hub, refs, count);
        hub->dropped_count = 0;
    } else if (may_sleep) {
        hub->dropped = NULL; /* others may drop meanwhile */
        hub->dropped_count = hub->dropped_room = 0;
        Py_BEGIN_ALLOW_THREADS
        while (lock_acquire(hub->seat.store, hub->seat.slot, NO_DEADLINE) != STM_OK) {
            /* A signal came; it is looked at after this, which takes no time. */
        }
        drop_all(hub, refs, count);
        Py_END_ALLOW_THREADS
    } else {
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        wait_free_dropped(hub->seat.store, hub->seat.slot, refs[i]);
    if (hub->dropped != refs)
        PyMem_RawFree(refs);
}

/* Without memory to note it, the waiter stays until the hub is closed. */
static void drop(struct hub *hub, region_ref ref)
{
    if (hub->dropped_count == hub->dropped_room) {
        uint32_t room = hub->dropped_room == 0 ? 16 : 2 * hub->dropped_room;
        region_ref *grown = PyMem_RawRealloc(hub->dropped, room * sizeof *grown);
        if (grown == NULL)
            return;
        hub->dropped = grown;
        hub->dropped_room = room;
    }
    hub->dropped[hub->dropped_count++] = ref;
}

/* ---- Interest
 * ------------------------------------------------------------------------------------ */

struct interest {
    PyObject_HEAD
    struct hub *hub;   /* Owned */
    region_ref waiter; /* Owned: of the hub's slot; 0: closed */
    uint64_t wake_ns;  /* Immutable: as in struct block */
};

static PyObject *new_interest(struct hub *hub, region_ref waiter, uint64_t wake_ns)
{
    PyTypeObject *type = hub->seat.state->interest_type;
    struct interest *self = (struct interest *)type->tp_alloc(type, 0);
    if (self == NULL) {
        drop(hub, waiter);
        return NULL;
    }
    self->hub = (struct hub *)Py_NewRef(hub);
    self->waiter = waiter;
    self->wake_ns = wake_ns;
    return (PyObject *)self;
}

static void interest_end(struct interest *self, bool may_sleep)
{
    struct hub *hub = self->hub;
    if (self->waiter != 0 && usable(hub)) {
        drop(hub, self->waiter);
        self->waiter = 0;
        drain(hub, may_sleep);
    }
    self->waiter = 0;
}

static void interest_dealloc(struct interest *self)
{
    PyTypeObject *type = Py_TYPE(self);
    interest_end(self, false);
    Py_DECREF(self->hub);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *interest_close(struct interest *self, PyObject *unused)
{
    (void)unused;
    struct thread_context *context = thread_here(self->hub->seat.state);
    if (context == NULL)
        return NULL;
    interest_end(self, context->depth == 0);
    Py_RETURN_NONE;
}

static PyObject *interest_marked(struct interest *self, void *unused)
{
    (void)unused;
    struct hub *hub = self->hub;
    bool marked = self->waiter == 0 || !usable(hub) || store_over(hub->seat.store) ||
                  wait_marked(hub->seat.store, self->waiter);
    return PyBool_FromLong(marked);
}

static PyObject *interest_until(struct interest *self, void *unused)
{
    (void)unused;
    return self->wake_ns == NO_DEADLINE ? Py_NewRef(Py_None)
                                        : PyFloat_FromDouble((double)self->wake_ns / 1e9);
}

static PyMethodDef interest_methods[] = {
    {"close", (PyCFunction)interest_close, METH_NOARGS,
     "close($self, /)\n--\n\nWait no longer; safe to call again."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef interest_getters[] = {
    {"marked", (getter)interest_marked, NULL, "True once something that was read has changed.",
     NULL},
    {"until", (getter)interest_until, NULL, "When to run again at the latest, or None.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot interest_slots[] = {
    {Py_tp_dealloc, interest_dealloc},
    {Py_tp_methods, interest_methods},
    {Py_tp_getset, interest_getters},
    {Py_tp_doc, "Tells whether something that a block has read was changed since."},
    {0, NULL},
};

static PyType_Spec interest_spec = {
    .name = "stmpy._native.Interest",
    .basicsize = sizeof(struct interest),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = interest_slots,
};

/* ---- Hub
 * ------------------------------------------------------------------------------------------- */

static PyObject *hub_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *module = PyType_GetModuleByDef(type, &native_module), *store_object;
    (void)kwargs;
    if (module == NULL || !PyArg_ParseTuple(args, "O:Hub", &store_object))
        return NULL;
    return (PyObject *)seat_new(type, module_state_of(module), store_object);
}

/* Gives the slot back with its waiters; if the lock is held, whoever looks for dead
 * processes does so later. */
static void hub_end(struct hub *self)
{
    struct store *store = self->seat.store;
    if (store == NULL)
        return;
    bool own = usable(self);
    self->seat.store = NULL;
    seat_end_bell(&self->seat);
    if (own && lock_try(store, self->seat.slot) == STM_OK) {
        wait_forget(store, self->seat.slot);
        lock_release(store);
        slot_release(store, self->seat.slot);
    } else if (own) {
        slot_abandon(self->seat.slot);
    }
    PyMem_RawFree(self->dropped);
    self->dropped = NULL;
    self->dropped_count = self->dropped_room = 0;
    store_release(store);
}

static void hub_dealloc(struct hub *self)
{
    hub_end(self);
    seat_free(&self->seat);
}

static PyObject *hub_close(struct hub *self, PyObject *unused)
{
    (void)unused;
    hub_end(self);
    Py_RETURN_NONE;
}

static PyObject *hub_fileno(struct hub *self, PyObject *unused)
{
    (void)unused;
    if (check_usable(self) < 0)
        return NULL;
    return seat_file(&self->seat, NULL);
}

/* The block of a call with its two endings: a result, or a waiter. */
static PyObject *run(struct hub *self, PyObject *args, bool observes, PyObject **interest)
{
    PyObject *options, *function, *arguments;
    *interest = NULL;
    if (check_usable(self) < 0 || !PyArg_ParseTuple(args, "O!OO!", self->seat.state->atomic_type,
                                                    &options, &function, &PyTuple_Type, &arguments))
        return NULL;
    region_ref waiter = 0;
    drain(self, false);
    PyObject *result =
        call_on_hub((struct atomic *)options, self, observes, function, arguments, &waiter);
    if (waiter != 0)
        *interest = new_interest(self, waiter, thread_here(self->seat.state)->block.wake_ns);
    if (waiter != 0 && *interest == NULL)
        Py_CLEAR(result);
    return result;
}

static PyObject *hub_attempt(struct hub *self, PyObject *args)
{
    PyObject *interest, *result = run(self, args, false, &interest);
    if (interest != NULL || result == NULL)
        return interest;
    PyObject *pair = PyTuple_Pack(1, result);
    Py_DECREF(result);
    return pair;
}

static PyObject *hub_observe(struct hub *self, PyObject *args)
{
    PyObject *interest, *result = run(self, args, true, &interest);
    PyObject *pair = result == NULL ? NULL : PyTuple_Pack(2, result, interest);
    Py_XDECREF(result);
    Py_XDECREF(interest);
    return pair;
}

/* Names the slot, also after it was given back and claimed by another. */
static PyObject *hub_token(struct hub *self, void *unused)
{
    (void)unused;
    if (check_usable(self) < 0)
        return NULL;
    return Py_BuildValue("II", slot_number(self->seat.store, self->seat.slot),
                         self->seat.slot->generation);
}

static PyObject *hub_lives(struct hub *self, PyObject *token)
{
    unsigned number, generation;
    if (check_usable(self) < 0 ||
        !PyArg_Parse(token, "(II);lives() takes what token gives", &number, &generation))
        return NULL;
    if (number >= REGION_SLOTS)
        Py_RETURN_FALSE;
    const struct slot *slot = &store_slots(self->seat.store)[number];
    /* Read in this order: a slot that is claimed anew has a new generation after its owner. */
    bool owned = load_acquire(&slot->owner) != 0 && !slot_dead(slot); /* Pairs with try_claim. */
    return PyBool_FromLong(owned && slot->generation == generation);
}

static PyMethodDef hub_methods[] = {
    {"attempt", (PyCFunction)hub_attempt, METH_VARARGS,
     "attempt($self, block, fn, args, /)\n--\n\n"
     "A tuple of fn's result; or, where it retries, an Interest in what it has read."},
    {"observe", (PyCFunction)hub_observe, METH_VARARGS,
     "observe($self, block, fn, args, /)\n--\n\n"
     "The result of fn, which only reads, and an Interest in what it has read."},
    {"fileno", (PyCFunction)hub_fileno, METH_NOARGS,
     "fileno($self, /)\n--\n\nAn eventfd: readable when an Interest may be marked."},
    {"lives", (PyCFunction)hub_lives, METH_O,
     "lives($self, token, /)\n--\n\nWhether the interpreter with the hub of this token is there."},
    {"close", (PyCFunction)hub_close, METH_NOARGS,
     "close($self, /)\n--\n\nGive everything back; safe to call again."},
    {NULL, NULL, 0, NULL},
};

static PyObject *hub_closed(struct hub *self, void *unused)
{
    (void)unused;
    return PyBool_FromLong(!usable(self) || store_over(self->seat.store));
}

static PyGetSetDef hub_getters[] = {
    {"token", (getter)hub_token, NULL, "A name for lives(), for all interpreters and processes.",
     NULL},
    {"closed", (getter)hub_closed, NULL, "True if it is of no use any more.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot hub_slots[] = {
    {Py_tp_new, hub_new},
    {Py_tp_dealloc, hub_dealloc},
    {Py_tp_methods, hub_methods},
    {Py_tp_getset, hub_getters},
    {Py_tp_doc, "Waits for changes on behalf of many."},
    {0, NULL},
};

static PyType_Spec hub_spec = {
    .name = "stmpy._native.Hub",
    .basicsize = sizeof(struct hub),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = hub_slots,
};

int hub_type_add(PyObject *module)
{
    struct module_state *state = module_state_of(module);
    state->interest_type = module_add_type(module, &interest_spec);
    PyTypeObject *hub_type = module_add_type(module, &hub_spec);
    Py_XDECREF(hub_type); /* the module has it */
    return state->interest_type == NULL || hub_type == NULL ? -1 : 0;
}
