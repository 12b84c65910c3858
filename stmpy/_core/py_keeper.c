/* py_keeper.c - the type Keeper: what the keeper's process does with a region.
 *
 * Invariant: a group that was taken stays in the log until `publish` says that it is
 * written: a keeper that dies between the two leaves it to its successor.
 */
#include "py_keeper.h"

#include "durable.h"
#include "lock.h"

int keeper_raise(enum stm_status status)
{
    if (status == STM_SYSTEM)
        PyErr_SetFromErrno(PyExc_OSError);
    else if (status == STM_STORE_FULL)
        PyErr_SetString(PyExc_MemoryError, "max_bytes is too little for what is stored");
    else
        PyErr_Format(PyExc_RuntimeError, "the region answers with status %d", (int)status);
    return -1;
}

/* ---- life ----------------------------------------------------------------------------------- */

static PyObject *keeper_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    (void)kwargs;
    int file;
    PyObject *module = PyType_GetModuleByDef(type, &native_module);
    if (module == NULL || !PyArg_ParseTuple(args, "i", &file))
        return NULL;
    struct keeper *self = (struct keeper *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->state = module_state_of(module);
    enum stm_status status = store_attach(file, &self->store);
    if (status == STM_OK)
        status = slot_claim(self->store, 0, &self->slot);
    if (status != STM_OK) {
        keeper_raise(status);
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

static void keeper_dealloc(struct keeper *self)
{
    PyTypeObject *type = Py_TYPE(self);
    if (self->slot != NULL) {
        txn_free(&self->txn);
        slot_release(self->store, self->slot);
    }
    if (self->store != NULL)
        store_leave(self->store);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *follow(struct keeper *self, PyObject *unused)
{
    (void)unused;
    enum stm_status status;
    PATIENTLY(status, log_follow(self->store, self->slot, LOG_KEEPER, NO_DEADLINE,
                                 &self->follower));
    if (status != STM_OK) {
        keeper_raise(status);
        return NULL;
    }
    durable_name_keeper(self->store);
    return PyLong_FromUnsignedLongLong(self->follower->passed);
}

static PyObject *unfollow(struct keeper *self, PyObject *unused)
{
    (void)unused;
    enum stm_status status;
    PATIENTLY(status, log_unfollow(self->store, self->slot, self->follower, NO_DEADLINE));
    self->follower = NULL;
    Py_RETURN_NONE;
}

/* ---- the log ---------------------------------------------------------------------------------- */

static PyObject *wait_log(struct keeper *self, PyObject *argument)
{
    double seconds = PyFloat_AsDouble(argument);
    if (PyErr_Occurred())
        return NULL;
    uint64_t deadline = platform_now_ns() + (uint64_t)(seconds * 1e9);
    enum stm_status status;
    Py_BEGIN_ALLOW_THREADS
    status = log_sleep(self->store, self->slot, self->follower, deadline);
    Py_END_ALLOW_THREADS
    if (PyErr_CheckSignals() < 0)
        return NULL;
    return PyBool_FromLong(status == STM_OK && load_acquire(&self->follower->at) != 0);
}

/* (records, first, last, commits), or None if nothing is there. */
static PyObject *take(struct keeper *self, PyObject *argument)
{
    size_t limit = PyLong_AsSize_t(argument);
    const struct log_part *part = NULL;
    if (PyErr_Occurred())
        return NULL;
    log_read_begin(self->store, self->follower, &part); /* a keeper is never given up */
    if (part == NULL) {
        log_read_end(self->follower);
        Py_RETURN_NONE;
    }
    group_measure(self->store, part, limit, &self->group);
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)self->group.bytes);
    if (bytes != NULL)
        group_write(self->store, &self->group, (uint8_t *)PyBytes_AS_STRING(bytes));
    log_read_end(self->follower);
    if (bytes == NULL)
        return NULL;
    return Py_BuildValue("(NKKK)", bytes, (unsigned long long)self->group.first_ts,
                         (unsigned long long)self->group.last_ts,
                         (unsigned long long)self->group.commits);
}

/* The group that was taken is on disk. */
static PyObject *publish(struct keeper *self, PyObject *argument)
{
    unsigned long long micros = PyLong_AsUnsignedLongLong(argument);
    if (PyErr_Occurred())
        return NULL;
    if (self->group.commits == 0) {
        PyErr_SetString(PyExc_RuntimeError, "no group was taken");
        return NULL;
    }
    durable_count(self->store, self->group.commits, micros);
    durable_publish(self->store, self->group.last_ts);
    enum stm_status status;
    PATIENTLY(status, log_pass(self->store, self->slot, self->follower, self->group.last,
                               NO_DEADLINE));
    self->group.commits = 0;
    Py_RETURN_NONE;
}

/* ---- the keeper's word --------------------------------------------------------------------------- */

static PyObject *tell(struct keeper *self, PyObject *args)
{
    unsigned state;
    const char *message;
    if (!PyArg_ParseTuple(args, "Is", &state, &message))
        return NULL;
    durable_tell(self->store, (enum durable_state)state, message);
    Py_RETURN_NONE;
}

static PyObject *progress(struct keeper *self, PyObject *args)
{
    unsigned long long loaded, to_load;
    if (!PyArg_ParseTuple(args, "KK", &loaded, &to_load))
        return NULL;
    put_relaxed(&self->store->region->durable.loaded, loaded);
    put_relaxed(&self->store->region->durable.to_load, to_load);
    Py_RETURN_NONE;
}

/* True if the caller is to start a keeper in place of this one, which has died. */
static PyObject *adopt(struct keeper *self, PyObject *unused)
{
    (void)unused;
    return PyBool_FromLong(durable_adopt(self->store));
}

/* The pid of another process than this one that has a thread at the store, or 0. */
static PyObject *get_owner(struct keeper *self, void *unused)
{
    (void)unused;
    struct store *store = self->store;
    uint64_t own = load_relaxed(&self->slot->owner);
    uint32_t count = load_acquire(&store->region->slots_used); /* Pairs with slot_claim. */
    for (uint32_t i = 0; i < count; i++) {
        const struct slot *slot = &store_slots(store)[i];
        uint64_t owner = load_acquire(&slot->owner); /* Pairs with try_claim. */
        if (owner != 0 && owner != own && !slot_dead(slot))
            return PyLong_FromUnsignedLong((unsigned long)(owner >> 32));
    }
    return PyLong_FromLong(0);
}

static PyObject *get_closed(struct keeper *self, void *unused)
{
    (void)unused;
    /* Pairs with store_close. */
    return PyBool_FromLong(load_acquire(&self->store->region->closed));
}

static PyObject *get_state(struct keeper *self, void *unused)
{
    (void)unused;
    return PyLong_FromUnsignedLong(durable_state(self->store));
}

static PyObject *get_version(struct keeper *self, void *unused)
{
    (void)unused;
    return PyLong_FromUnsignedLongLong(load_relaxed(&self->store->region->durable.version));
}

static PyObject *get_clock(struct keeper *self, void *unused)
{
    (void)unused;
    /* Pairs with publish in commit.c. */
    return PyLong_FromUnsignedLongLong(load_acquire(&self->store->region->clock));
}

static PyObject *get_id(struct keeper *self, void *unused)
{
    (void)unused;
    return PyBytes_FromStringAndSize((const char *)self->store->region->id,
                                     sizeof self->store->region->id);
}

static PyMethodDef methods[] = {
    {"follow", (PyCFunction)follow, METH_NOARGS, NULL},
    {"unfollow", (PyCFunction)unfollow, METH_NOARGS, NULL},
    {"wait", (PyCFunction)wait_log, METH_O, NULL},
    {"take", (PyCFunction)take, METH_O, NULL},
    {"publish", (PyCFunction)publish, METH_O, NULL},
    {"variable", (PyCFunction)keeper_variable, METH_VARARGS, NULL},
    {"load", (PyCFunction)keeper_load, METH_VARARGS, NULL},
    {"load_stored", (PyCFunction)keeper_load_stored, METH_VARARGS, NULL},
    {"restore", (PyCFunction)keeper_restore, METH_O, NULL},
    {"tell", (PyCFunction)tell, METH_VARARGS, NULL},
    {"progress", (PyCFunction)progress, METH_VARARGS, NULL},
    {"adopt", (PyCFunction)adopt, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getters[] = {
    {"closed", (getter)get_closed, NULL, NULL, NULL},
    {"state", (getter)get_state, NULL, NULL, NULL},
    {"version", (getter)get_version, NULL, NULL, NULL},
    {"clock", (getter)get_clock, NULL, NULL, NULL},
    {"id", (getter)get_id, NULL, NULL, NULL},
    {"owner", (getter)get_owner, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, keeper_new},  {Py_tp_dealloc, keeper_dealloc}, {Py_tp_methods, methods},
    {Py_tp_getset, getters},  {Py_tp_doc, "The keeper's side of a region."},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "stmpy._native.Keeper",
    .basicsize = sizeof(struct keeper),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

int keeper_type_add(PyObject *module)
{
    PyTypeObject *type = module_add_type(module, &spec);
    Py_XDECREF(type);
    return type == NULL ? -1 : 0;
}
