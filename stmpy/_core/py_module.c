/* py_module.c - the module stmpy._native: its state in each interpreter.
 *
 * Loads in every interpreter with a GIL of its own.  What interpreters share is in the
 * regions and in the process-wide lists of store.c and py_thread.c, none of which holds a
 * Python object.  Those lists exist once per copy of this library, so a second copy in the
 * process would not share them: it is refused.
 */
#include "py_state.h"

#include "py_sites.h"
#include "py_block.h"

#include <link.h>
#include <pthread.h>

/* ---- one copy per process ------------------------------------------------------------------ */

struct copies {
    const char *own;   /* Borrowed: path of this library */
    char other[512];   /* path of another one, or empty */
    const void *here;  /* an address within this library */
};

static bool contains(const struct dl_phdr_info *info, const void *address)
{
    for (int i = 0; i < info->dlpi_phnum; i++) {
        uintptr_t start = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
        if (info->dlpi_phdr[i].p_type == PT_LOAD && (uintptr_t)address >= start &&
            (uintptr_t)address < start + info->dlpi_phdr[i].p_memsz)
            return true;
    }
    return false;
}

static bool named_like_us(const char *path)
{
    const char *file = strrchr(path, '/');
    const char *folder = file == NULL ? path : file;
    while (folder > path && folder[-1] != '/')
        folder--;
    return strncmp(folder, "stmpy/_native.", strlen("stmpy/_native.")) == 0;
}

static int look_at_library(struct dl_phdr_info *info, size_t size, void *opaque)
{
    struct copies *copies = opaque;
    (void)size;
    if (named_like_us(info->dlpi_name) && !contains(info, copies->here))
        snprintf(copies->other, sizeof copies->other, "%s", info->dlpi_name);
    return 0;
}

static int refuse_second_copy(void)
{
    struct copies copies = {.here = &native_module};
    dl_iterate_phdr(look_at_library, &copies);
    if (copies.other[0] == '\0')
        return 0;
    PyErr_Format(PyExc_ImportError,
                 "stmpy is loaded in this process from %s already; a second copy would not "
                 "share its stores: import stmpy from one place only",
                 copies.other);
    return -1;
}

/* ---- state ------------------------------------------------------------------------------------ */

PyTypeObject *module_add_type(PyObject *module, PyType_Spec *spec)
{
    PyObject *type = PyType_FromModuleAndSpec(module, spec, NULL);
    if (type != NULL && PyModule_AddType(module, (PyTypeObject *)type) < 0)
        Py_CLEAR(type);
    return (PyTypeObject *)type;
}

struct values_state *values_state_of(PyObject *module)
{
    return &module_state_of(module)->values;
}

static const char *const error_names[ERROR_KINDS] = {
    [ERROR_TRANSACTION_REQUIRED] = "TransactionRequired",
    [ERROR_CONFLICT] = "Conflict",
    [ERROR_TIMEOUT] = "TransactionTimeout",
    [ERROR_TOO_OLD] = "SnapshotTooOld",
    [ERROR_READ_ONLY] = "ReadOnly",
    [ERROR_STORE_FULL] = "StoreFull",
    [ERROR_STORE_CLOSED] = "StoreClosed",
    [ERROR_ENCODE] = "EncodeError",
    [ERROR_DECODE] = "DecodeError",
    [ERROR_DURABILITY] = "DurabilityError",
    [ERROR_COMMIT_UNKNOWN] = "CommitUnknown",
    [ERROR_NESTED_MISUSE] = "NestedMisuse",
    [ERROR_NOT_A_NUMBER] = "NotANumber",
    [ERROR_STM] = "StmError",
};

static int load_errors(struct module_state *state)
{
    PyObject *errors = PyImport_ImportModule("stmpy.errors");
    if (errors == NULL)
        return -1;
    for (int kind = 0; kind < ERROR_KINDS; kind++) {
        state->errors[kind] = PyObject_GetAttrString(errors, error_names[kind]);
        if (state->errors[kind] == NULL) {
            Py_DECREF(errors);
            return -1;
        }
    }
    Py_DECREF(errors);
    return 0;
}

static uint64_t next_serial(void)
{
    static shared_u64 serials;
    return add_relaxed(&serials, 1) + 1;
}

static int module_exec(PyObject *module)
{
    struct module_state *state = module_state_of(module);
    if (refuse_second_copy() < 0)
        return -1;
    state->serial = next_serial();
    state->tool = TOOL_UNKNOWN;
    state->code_index = PyUnstable_Eval_RequestCodeExtraIndex(sites_free);
    if (state->code_index < 0) {
        PyErr_SetString(PyExc_ImportError, "no place is left for stmpy in code objects");
        return -1;
    }
    state->rerun = PyErr_NewExceptionWithDoc(
        "stmpy._native.Rerun",
        "Unwinds a block that lost a conflict; never seen outside of the block.",
        PyExc_BaseException, NULL);
    if (state->rerun == NULL || PyModule_AddObjectRef(module, "Rerun", state->rerun) < 0 ||
        load_errors(state) < 0)
        return -1;
    if (keeper_type_add(module) < 0 || PyModule_AddFunctions(module, durable_methods) < 0)
        return -1;
    if (values_init(&state->values, state->errors[ERROR_ENCODE], state->errors[ERROR_DECODE]) < 0)
        return -1;
    if (store_type_add(module) < 0 || var_type_add(module) < 0 || atomic_type_add(module) < 0 ||
        function_type_add(module) < 0 || hub_type_add(module) < 0 ||
        follower_type_add(module) < 0)
        return -1;
    if (PyModule_AddFunctions(module, values_methods) < 0 ||
        PyModule_AddFunctions(module, rerun_methods) < 0 ||
        PyModule_AddFunctions(module, call_methods) < 0 ||
        PyModule_AddFunctions(module, wait_methods) < 0 ||
        PyModule_AddFunctions(module, invariants_methods) < 0 ||
        PyModule_AddFunctions(module, stats_methods) < 0)
        return -1;
    return 0;
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    struct module_state *state = module_state_of(module);
    for (int kind = 0; kind < ERROR_KINDS; kind++)
        Py_VISIT(state->errors[kind]);
    Py_VISIT(state->rerun);
    Py_VISIT(state->store_type);
    Py_VISIT(state->var_type);
    Py_VISIT(state->ref_type);
    Py_VISIT(state->atomic_type);
    Py_VISIT(state->function_type);
    Py_VISIT(state->interest_type);
    Py_VISIT(state->default_store);
    Py_VISIT(state->hook);
    Py_VISIT(state->guard);
    Py_VISIT(state->analyse);
    Py_VISIT(state->save);
    Py_VISIT(state->run_again);
    return values_traverse(&state->values, visit, arg);
}

static int module_clear(PyObject *module)
{
    struct module_state *state = module_state_of(module);
    thread_forget_module(state);
    for (int kind = 0; kind < ERROR_KINDS; kind++)
        Py_CLEAR(state->errors[kind]);
    Py_CLEAR(state->rerun);
    Py_CLEAR(state->default_store);
    Py_CLEAR(state->hook);
    Py_CLEAR(state->guard);
    Py_CLEAR(state->store_type);
    Py_CLEAR(state->var_type);
    Py_CLEAR(state->ref_type);
    Py_CLEAR(state->atomic_type);
    Py_CLEAR(state->function_type);
    Py_CLEAR(state->interest_type);
    Py_CLEAR(state->analyse);
    Py_CLEAR(state->save);
    Py_CLEAR(state->run_again);
    Py_CLEAR(state->monitoring);
    Py_CLEAR(state->disable);
    values_clear(&state->values);
    return 0;
}

static void module_free(void *module)
{
    module_clear(module);
}

static PyObject *interpose(PyObject *module, PyObject *hook)
{
    struct module_state *state = module_state_of(module);
    PyObject *old = state->hook;
    state->hook = hook == Py_None ? NULL : Py_NewRef(hook);
    return old == NULL ? Py_NewRef(Py_None) : old;
}

/* Called when the interpreter begins to shut down, before it waits for its threads: they
 * may be waiting for a block that this thread has left open. */
static PyObject *leave(PyObject *module, PyObject *unused)
{
    (void)unused;
    struct thread_context *context = thread_here(module_state_of(module));
    if (context == NULL)
        return NULL;
    block_abandon(context);
    Py_RETURN_NONE;
}

static PyObject *woken(PyObject *module, PyObject *thread)
{
    unsigned long long id = PyLong_AsUnsignedLongLong(thread);
    if (id == (unsigned long long)-1 && PyErr_Occurred())
        return NULL;
    return PyBool_FromLong(thread_woken(module_state_of(module), id));
}

static PyMethodDef methods[] = {
    {"_leave", leave, METH_NOARGS, "_leave()\n--\n\nUndo the block that is open in this thread."},
    {"_interpose", interpose, METH_O,
     "_interpose(hook, /)\n--\n\n"
     "Call hook(point, variable, key, may_lose) at every point of enum block_point, in each\n"
     "thread of this interpreter; returns the hook before, or None."},
    {"_woken", woken, METH_O,
     "_woken(thread, /)\n--\n\n"
     "Whether the thread with this native id waits in a block and what it waits for has changed."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, module_exec},
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, NULL},
};

struct PyModuleDef native_module = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "stmpy._native",
    .m_doc = "The core of stmpy.",
    .m_size = sizeof(struct module_state),
    .m_methods = methods,
    .m_slots = slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC PyInit__native(void)
{
    return PyModuleDef_Init(&native_module);
}
