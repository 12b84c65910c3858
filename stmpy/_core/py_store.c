/* py_store.c - the type Store: one handle on a region.
 */
#include "py_atomic.h"
#include "py_errors.h"

struct store_object {
    PyObject_HEAD
    struct module_state *state; /* Borrowed from the type's module */
    struct store *store;        /* Owned: one handle */
};

struct store *store_of(struct module_state *state, PyObject *object)
{
    if (!PyObject_TypeCheck(object, state->store_type)) {
        PyErr_Format(PyExc_TypeError, "store is a Store, as stmpy.open returns it, not %R", object);
        return NULL;
    }
    return ((struct store_object *)object)->store;
}

/* The default store of the process, made when it is first asked for.  Borrowed. */
static PyObject *default_store(struct module_state *state)
{
    if (state->default_store == NULL) {
        PyObject *module = PyImport_ImportModule("stmpy._store");
        PyObject *made = module == NULL ? NULL : PyObject_CallMethod(module, "default_store", NULL);
        Py_XDECREF(module);
        if (made != NULL && store_of(state, made) == NULL)
            Py_CLEAR(made);
        state->default_store = made;
    }
    return state->default_store;
}

struct store *store_chosen(struct module_state *state, PyObject *chosen)
{
    PyObject *object = chosen != NULL ? chosen : default_store(state);
    return object == NULL ? NULL : ((struct store_object *)object)->store;
}

static int raise_open(struct module_state *state, enum stm_status status, uint64_t max_bytes)
{
    if (status == STM_NO_MEMORY) {
        PyErr_NoMemory();
        return -1;
    }
    if (status == STM_STORE_FULL)
        return errors_format(state, ERROR_STORE_FULL,
                             "max_bytes=%llu is too little for an empty store; give 64 KiB or more",
                             (unsigned long long)max_bytes);
    PyErr_SetFromErrno(PyExc_OSError);
    return -1;
}

/* Store(name, max_bytes, history_bytes) opens; Store(number) takes a handle on one that is
 * open in this process. */
static PyObject *store_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    (void)kwargs;
    PyObject *module = PyType_GetModuleByDef(type, &native_module);
    const char *name = NULL;
    unsigned long long max_bytes = 0, history_bytes = 0, number = 0;
    bool attach = PyTuple_GET_SIZE(args) == 1;
    if (module == NULL || (attach ? !PyArg_ParseTuple(args, "K", &number)
                                  : !PyArg_ParseTuple(args, "sKK", &name, &max_bytes,
                                                      &history_bytes)))
        return NULL;
    struct module_state *state = module_state_of(module);
    struct store *store;
    if (attach) {
        store = store_find(number);
        if (store == NULL)
            errors_format(state, ERROR_STORE_CLOSED,
                          "store number %llu is not open in this process; handles travel "
                          "between interpreters of one process and to its forked children",
                          number);
    } else {
        enum stm_status status = store_open(name, max_bytes, history_bytes, &store);
        if (status != STM_OK) {
            raise_open(state, status, max_bytes);
            store = NULL;
        }
    }
    if (store == NULL)
        return NULL;
    struct store_object *self = (struct store_object *)type->tp_alloc(type, 0);
    if (self == NULL) {
        store_leave(store);
        return NULL;
    }
    self->state = state;
    self->store = store;
    return (PyObject *)self;
}

static void store_dealloc(struct store_object *self)
{
    PyTypeObject *type = Py_TYPE(self);
    if (self->store != NULL)
        store_leave(self->store);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *close_store(struct store_object *self, PyObject *unused)
{
    (void)unused;
    store_close(self->store);
    Py_RETURN_NONE;
}

static PyObject *run(struct store_object *self, PyObject *const *args, Py_ssize_t count,
                     PyObject *names)
{
    return call_run(self->state, (PyObject *)self, args, count, names);
}

static PyObject *atomically(struct store_object *self, PyObject *const *args, Py_ssize_t count,
                            PyObject *names)
{
    return atomic_make(self->state, (PyObject *)self, args, count, names);
}

static PyObject *snapshot(struct store_object *self, PyObject *unused)
{
    (void)unused;
    return atomic_make_snapshot(self->state, (PyObject *)self);
}

static PyObject *get_file(struct store_object *self, void *unused)
{
    (void)unused;
    return PyLong_FromLong(self->store->file);
}

static PyObject *get_number(struct store_object *self, void *unused)
{
    (void)unused;
    return PyLong_FromUnsignedLongLong(self->store->number);
}

static PyObject *get_id(struct store_object *self, void *unused)
{
    (void)unused;
    const uint8_t *id = self->store->region->id;
    return PyBytes_FromStringAndSize((const char *)id, sizeof self->store->region->id);
}

static PyObject *get_name(struct store_object *self, void *unused)
{
    (void)unused;
    return PyUnicode_FromString(self->store->name);
}

static PyObject *get_closed(struct store_object *self, void *unused)
{
    (void)unused;
    return PyBool_FromLong(load_acquire(&self->store->region->closed)); /* Pairs with close. */
}

static PyMethodDef methods[] = {
    {"atomically", (PyCFunction)(void (*)(void))atomically, METH_FASTCALL | METH_KEYWORDS,
     "`stmpy.atomically` on this store: the same forms, the same options."},
    {"close", (PyCFunction)close_store, METH_NOARGS,
     "close($self, /)\n--\n\nRefuse all further use, in every interpreter; safe to call again."},
    {"run", (PyCFunction)(void (*)(void))run, METH_FASTCALL | METH_KEYWORDS,
     "run($self, fn, /, *args, **kwargs)\n--\n\nCall fn in a block on this store."},
    {"snapshot", (PyCFunction)snapshot, METH_NOARGS,
     "snapshot($self, /)\n--\n\n`stmpy.snapshot` on this store."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getters[] = {
    {"_file", (getter)get_file, NULL, "Descriptor of the region's memory file.", NULL},
    {"_number", (getter)get_number, NULL, "Names the store in this process.", NULL},
    {"_id", (getter)get_id, NULL, "Names the region among those of all processes.", NULL},
    {"name", (getter)get_name, NULL, "The store's name, or ''.", NULL},
    {"closed", (getter)get_closed, NULL, "True after close().", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, store_new},     {Py_tp_dealloc, store_dealloc}, {Py_tp_methods, methods},
    {Py_tp_getset, getters},    {Py_tp_doc, "The part of a Store that is written in C."},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "stmpy._native.Store",
    .basicsize = sizeof(struct store_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

int store_type_add(PyObject *module)
{
    PyTypeObject *type = module_add_type(module, &spec);
    module_state_of(module)->store_type = type;
    return type == NULL ? -1 : 0;
}
