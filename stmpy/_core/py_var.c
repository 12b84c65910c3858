/* py_var.c - the types Var and Ref.
 *
 * Var has what a mapping needs to be fast; stmpy.TVar adds the rest in Python.
 */
#include "py_var.h"

#include "py_errors.h"
#include "variable.h"

#include <structmember.h>

/* Finds or makes the variable; on the slow path detached from the interpreter. */
static enum stm_status open_variable(struct thread_context *context, struct store *store,
                                     const char *name, uint32_t length, uint32_t kind,
                                     region_ref *out)
{
    struct slot *slot = thread_slot(context, store);
    if (slot == NULL)
        return STM_INTERRUPTED; /* an exception is set */
    enum stm_status status = variable_open(store, slot, name, length, kind, false, out);
    while (status == STM_BUSY) {
        Py_BEGIN_ALLOW_THREADS
        status = variable_open(store, slot, name, length, kind, true, out);
        Py_END_ALLOW_THREADS
        if (status == STM_INTERRUPTED)
            status = thread_check_signals(context) < 0 ? STM_INTERRUPTED : STM_BUSY;
    }
    return status;
}

static int check_kind(struct var *self, uint32_t kind)
{
    static const char *const names[] = {"nothing", "TVar", "TRef", "label of a block"};
    uint32_t found = store_variable(self->store, self->variable)->kind & VAR_KINDS;
    if (found == (kind & VAR_KINDS))
        return 0;
    return errors_format(self->state, ERROR_STM,
                         "%U: this name belongs to a %s in this store, not to a %s; choose "
                         "another name",
                         self->name, names[found], names[kind & VAR_KINDS]);
}

static int bind(struct var *self, PyObject *store, PyObject *name, uint32_t kind)
{
    Py_ssize_t length;
    const char *text = PyUnicode_AsUTF8AndSize(name, &length);
    self->store = text == NULL ? NULL : store_of(self->state, store);
    if (self->store == NULL)
        return -1;
    if (length < 1 || length > (Py_ssize_t)VARIABLE_NAME_LIMIT) {
        PyErr_Format(PyExc_ValueError, "the name of a variable has 1 to %u bytes, not %zd",
                     VARIABLE_NAME_LIMIT, length);
        return -1;
    }
    struct thread_context *context = thread_here(self->state);
    if (context == NULL)
        return -1;
    if (store_over(self->store))
        return errors_format(self->state, ERROR_STORE_CLOSED,
                             "%U: the store is closed; open it again and make the variable "
                             "from the new store",
                             name);
    enum stm_status status = open_variable(context, self->store, text, (uint32_t)length, kind,
                                           &self->variable);
    self->store_object = Py_NewRef(store);
    self->name = Py_NewRef(name);
    if (status == STM_INTERRUPTED)
        return -1;
    if (status != STM_OK)
        return errors_raise(context, status, name, NULL);
    return check_kind(self, kind);
}

static PyObject *new_of_kind(PyTypeObject *type, PyObject *args, uint32_t kind)
{
    PyObject *store, *name, *module = PyType_GetModuleByDef(type, &native_module);
    int bare = 0;
    if (module == NULL || !PyArg_ParseTuple(args, "OU|p", &store, &name, &bare))
        return NULL;
    struct var *self = (struct var *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->state = module_state_of(module);
    if (bind(self, store, name, bare ? kind | VAR_BARE : kind) < 0)
        Py_CLEAR(self);
    return (PyObject *)self;
}

static PyObject *var_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    (void)kwargs; /* subclasses take keywords in __init__ */
    return new_of_kind(type, args, VAR_MAPPING);
}

static PyObject *ref_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    (void)kwargs;
    return new_of_kind(type, args, VAR_REFERENCE);
}

static void var_dealloc(struct var *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(self->store_object);
    Py_XDECREF(self->name);
    type->tp_free(self);
    Py_DECREF(type);
}

/* ---- the mapping ------------------------------------------------------------------------------- */

/* Given the key alone, PyErr_SetObject would take a tuple for the arguments. */
void var_raise_key_error(PyObject *key)
{
    PyObject *error = PyObject_CallOneArg(PyExc_KeyError, key);
    if (error != NULL)
        PyErr_SetObject(PyExc_KeyError, error);
    Py_XDECREF(error);
}

static PyObject *var_subscript(struct var *self, PyObject *key)
{
    PyObject *value = NULL;
    int found = var_load(self, key, &value);
    if (found == 0)
        var_raise_key_error(key);
    return found > 0 ? value : NULL;
}

static int var_assign(struct var *self, PyObject *key, PyObject *value)
{
    int done = var_save(self, key, value);
    if (done == 0)
        var_raise_key_error(key);
    return done > 0 ? 0 : -1;
}

static int var_contains(struct var *self, PyObject *key)
{
    PyObject *value = NULL;
    int found = var_load(self, key, &value);
    Py_XDECREF(value);
    return found;
}

static PyObject *get(struct var *self, PyObject *const *args, Py_ssize_t count)
{
    if (count < 1 || count > 2) {
        PyErr_Format(PyExc_TypeError, "get(key, default=None) takes 1 or 2 arguments, not %zd",
                     count);
        return NULL;
    }
    PyObject *value = NULL;
    int found = var_load(self, args[0], &value);
    if (found == 0)
        value = Py_NewRef(count == 2 ? args[1] : Py_None);
    return found < 0 ? NULL : value;
}

static PyObject *pop(struct var *self, PyObject *const *args, Py_ssize_t count)
{
    if (count < 1 || count > 2) {
        PyErr_Format(PyExc_TypeError, "pop(key[, default]) takes 1 or 2 arguments, not %zd", count);
        return NULL;
    }
    PyObject *value = NULL;
    int found = var_load(self, args[0], &value);
    if (found > 0 && var_save(self, args[0], NULL) < 0)
        Py_CLEAR(value);
    if (found == 0 && count == 2)
        value = Py_NewRef(args[1]);
    else if (found == 0)
        var_raise_key_error(args[0]);
    return value;
}

static bool arguments_fit(const char *signature, Py_ssize_t count, Py_ssize_t least,
                          Py_ssize_t most)
{
    if (count >= least && count <= most)
        return true;
    PyErr_Format(PyExc_TypeError, "%s takes %zd to %zd arguments, not %zd", signature, least, most,
                 count);
    return false;
}

static PyObject *add(struct var *self, PyObject *const *args, Py_ssize_t count)
{
    if (!arguments_fit("add(key, n=1)", count, 1, 2))
        return NULL;
    return var_add(self, args[0], count == 2 ? args[1] : NULL);
}

static PyObject *commute(struct var *self, PyObject *const *args, Py_ssize_t count)
{
    if (!arguments_fit("commute(key, fn)", count, 2, 2))
        return NULL;
    return var_commute(self, args[0], args[1]);
}

static PyObject *ensure(struct var *self, PyObject *const *args, Py_ssize_t count)
{
    if (!arguments_fit("ensure(key[, default])", count, 1, 2))
        return NULL;
    return var_ensure(self, args[0], count == 2 ? args[1] : NULL);
}

static PyObject *get_store(struct var *self, void *unused)
{
    (void)unused;
    return Py_NewRef(self->store_object);
}

static PyObject *get_bare(struct var *self, void *unused)
{
    (void)unused;
    return PyBool_FromLong(store_variable(self->store, self->variable)->kind & VAR_BARE);
}

static PyMethodDef var_methods[] = {
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS,
     "TVar[str, int] is for type checkers."},
    {"get", (PyCFunction)(void (*)(void))get, METH_FASTCALL,
     "get($self, key, default=None, /)\n--\n\nThe value of the key, or the default."},
    {"pop", (PyCFunction)(void (*)(void))pop, METH_FASTCALL,
     "pop($self, key, default=<unrepresentable>, /)\n--\n\nDelete the key and return its value."},
    {"add", (PyCFunction)(void (*)(void))add, METH_FASTCALL,
     "add($self, key, n=1, /)\n--\n\n"
     "Add a number to the value; never conflicts with another addition.\n\n"
     "The sum is made at the commit, of what the key holds then; an absent key counts from 0\n"
     "and is inserted. Reading the key in the same block, before or after, makes it an ordinary\n"
     "read and write. So does a value or sum of more than 64 bits, or of another number type\n"
     "than int and float. Floats are added up in the order of the commits. A concurrent\n"
     "deletion of the key runs the block again. Raises NotANumber where the value or n is no\n"
     "number. (As FoundationDB's atomic ADD.)"},
    {"commute", (PyCFunction)(void (*)(void))commute, METH_FASTCALL,
     "commute($self, key, fn, /)\n--\n\n"
     "Set the value to fn(value), without depending on the value: no conflict on the key.\n\n"
     "fn is called now, with what the block sees, and again at the commit for as long as others\n"
     "have changed the key; None stands for an absent key. So it should use its argument alone.\n"
     "Nothing is returned: what fn made now need not be what is committed. Reading the key in\n"
     "the same block, before or after, makes it an ordinary read and write. (As in Clojure.)"},
    {"ensure", (PyCFunction)(void (*)(void))ensure, METH_FASTCALL,
     "ensure($self, key, default=<unrepresentable>, /)\n--\n\n"
     "Read the key, and let the block commit only if nobody else has changed it.\n\n"
     "That is what every read does, except under isolation='snapshot': there it prevents write\n"
     "skew on this key. Without a default, KeyError if the key is absent; its absence is\n"
     "ensured all the same. (As in Clojure.)"},
    {"copy", (PyCFunction)var_copy, METH_NOARGS,
     "copy($self, /)\n--\n\nAll keys and values, at one snapshot, as a dict."},
    {"get_many", (PyCFunction)(void (*)(void))var_get_many, METH_VARARGS | METH_KEYWORDS,
     "get_many($self, /, keys, default=None)\n--\n\nA dict of the keys' values, at one snapshot."},
    {"_look", (PyCFunction)var_look, METH_NOARGS,
     "_look($self, /)\n--\n\nHow many keys there are, and some of them; the block has read none."},
    {"_look_at", (PyCFunction)var_look_at, METH_O,
     "_look_at($self, key, /)\n--\n\nThe value or None; the block has not read it."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef members[] = {
    {"name", Py_T_OBJECT_EX, offsetof(struct var, name), Py_READONLY, "The variable's name."},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef var_getters[] = {
    {"store", (getter)get_store, NULL, "The store that the variable belongs to.", NULL},
    {"_bare", (getter)get_bare, NULL, "Whether it was made without an initial value.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot var_slots[] = {
    {Py_tp_new, var_new},
    {Py_tp_dealloc, var_dealloc},
    {Py_tp_methods, var_methods},
    {Py_tp_members, members},
    {Py_tp_getset, var_getters},
    {Py_mp_subscript, var_subscript},
    {Py_mp_ass_subscript, var_assign},
    {Py_mp_length, var_length},
    {Py_sq_contains, var_contains},
    {Py_tp_iter, var_iterate},
    {Py_tp_doc, "The part of a TVar that is written in C."},
    {0, NULL},
};

static PyType_Spec var_spec = {
    .name = "stmpy._native.Var",
    .basicsize = sizeof(struct var),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = var_slots,
};

/* ---- the single value ----------------------------------------------------------------------------- */

static PyObject *ref_get(struct var *self, void *unused)
{
    (void)unused;
    PyObject *value = NULL;
    int found = var_load(self, Py_None, &value);
    return found == 0 ? Py_NewRef(Py_None) : value;
}

static int ref_set(struct var *self, PyObject *value, void *unused)
{
    (void)unused;
    if (value == NULL) {
        PyErr_SetString(PyExc_AttributeError, "value can't be deleted; set it to None");
        return -1;
    }
    return var_save(self, Py_None, value) < 0 ? -1 : 0;
}

static PyObject *ref_add(struct var *self, PyObject *const *args, Py_ssize_t count)
{
    if (!arguments_fit("add(n=1)", count, 0, 1))
        return NULL;
    return var_add(self, Py_None, count == 1 ? args[0] : NULL);
}

static PyObject *ref_commute(struct var *self, PyObject *function)
{
    return var_commute(self, Py_None, function);
}

static PyObject *ref_ensure(struct var *self, PyObject *unused)
{
    (void)unused;
    return var_ensure(self, Py_None, Py_None);
}

static PyMethodDef ref_methods[] = {
    {"add", (PyCFunction)(void (*)(void))ref_add, METH_FASTCALL,
     "add($self, n=1, /)\n--\n\n"
     "Add a number to the value; never conflicts with another addition.\n\n"
     "As TVar.add: counts from 0 until a value is set."},
    {"commute", (PyCFunction)ref_commute, METH_O,
     "commute($self, fn, /)\n--\n\n"
     "Set the value to fn(value), without depending on the value: no conflict.\n\n"
     "As TVar.commute: fn is called now, and again at the commit if the value has moved."},
    {"ensure", (PyCFunction)ref_ensure, METH_NOARGS,
     "ensure($self, /)\n--\n\n"
     "The value, read such that it is validated under isolation='snapshot' as well."},
    {"_look_at", (PyCFunction)var_look_at, METH_O,
     "_look_at($self, key, /)\n--\n\nThe value, given None; the block has not read it."},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, "TRef[int] is for type checkers."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef ref_getters[] = {
    {"store", (getter)get_store, NULL, "The store that the variable belongs to.", NULL},
    {"_bare", (getter)get_bare, NULL, "Whether it was made without an initial value.", NULL},
    {"value", (getter)ref_get, (setter)ref_set, "The value; None until one is set.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot ref_slots[] = {
    {Py_tp_new, ref_new},
    {Py_tp_dealloc, var_dealloc},
    {Py_tp_methods, ref_methods},
    {Py_tp_members, members},
    {Py_tp_getset, ref_getters},
    {Py_tp_doc, "The part of a TRef that is written in C."},
    {0, NULL},
};

static PyType_Spec ref_spec = {
    .name = "stmpy._native.Ref",
    .basicsize = sizeof(struct var),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = ref_slots,
};

int var_type_add(PyObject *module)
{
    struct module_state *state = module_state_of(module);
    state->var_type = module_add_type(module, &var_spec);
    state->ref_type = module_add_type(module, &ref_spec);
    if (state->var_type == NULL || state->ref_type == NULL)
        return -1;
    return 0;
}
