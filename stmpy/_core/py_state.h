/* py_state.h - the state of the module in one interpreter.
 */
#ifndef STMPY_PY_STATE_H
#define STMPY_PY_STATE_H

#include "py_values.h"
#include "store.h"

enum error_kind {
    ERROR_TRANSACTION_REQUIRED,
    ERROR_CONFLICT,
    ERROR_TIMEOUT,
    ERROR_TOO_OLD,
    ERROR_READ_ONLY,
    ERROR_STORE_FULL,
    ERROR_STORE_CLOSED,
    ERROR_ENCODE,
    ERROR_DECODE,
    ERROR_DURABILITY,
    ERROR_COMMIT_UNKNOWN,
    ERROR_NESTED_MISUSE,
    ERROR_NOT_A_NUMBER,
    ERROR_STM,
    ERROR_KINDS,
};

struct module_state {
    uint64_t serial;                 /* Immutable: never the same for two module states */
    struct values_state values;      /* Owned */
    PyObject *errors[ERROR_KINDS];   /* Owned: exception classes */
    PyObject *rerun;                 /* Owned: the control exception of conflicts */
    PyTypeObject *store_type, *var_type, *ref_type, *atomic_type, *function_type, *interest_type; /* Owned */
    PyObject *hook;                  /* Owned: what stmpy.testing looks on with, or NULL */
    PyObject *guard;                 /* Owned: what checks invariants, NULL: none is set */
    PyObject *default_store;         /* Owned, or NULL until it is needed */
    PyObject *analyse;               /* Owned: stmpy._sites.analyse, NULL until it is needed */
    PyObject *save, *run_again;      /* Owned: of stmpy._frames, likewise */
    PyObject *monitoring;            /* Owned: sys.monitoring, NULL until it is needed */
    PyObject *disable;               /* Owned: sys.monitoring.DISABLE */
    int tool;                        /* our tool id; TOOL_UNKNOWN, TOOL_NONE */
    Py_ssize_t code_index;           /* where code objects keep their sites */
};

#define TOOL_UNKNOWN (-1) /* not asked for yet */
#define TOOL_NONE (-2)    /* every id is taken by others */

extern struct PyModuleDef native_module;

static inline struct module_state *module_state_of(PyObject *module)
{
    return PyModule_GetState(module);
}

/* Adds the type made from the spec to the module; NULL with an exception. */
PyTypeObject *module_add_type(PyObject *module, PyType_Spec *spec);

int store_type_add(PyObject *module);
int keeper_type_add(PyObject *module);
int var_type_add(PyObject *module);
int atomic_type_add(PyObject *module);
int function_type_add(PyObject *module);
int hub_type_add(PyObject *module);
int follower_type_add(PyObject *module);
extern PyMethodDef rerun_methods[];
extern PyMethodDef call_methods[];
extern PyMethodDef wait_methods[];
extern PyMethodDef durable_methods[];
extern PyMethodDef invariants_methods[];
extern PyMethodDef stats_methods[];

/* store.run(fn, ...): as the module's run, on this store. */
PyObject *call_run(struct module_state *state, PyObject *store, PyObject *const *args,
                   Py_ssize_t count, PyObject *names);

/* Drops the result and raises NestedMisuse, in the child of a fork that a block was open in. */
PyObject *call_refuse_child(struct module_state *state, PyObject *result);

/* Calls a function of the module in a block of its own on the default store. */
PyObject *call_in_block(struct module_state *state, PyObject *module, const char *name,
                        PyObject *const *args, Py_ssize_t count);

/* The struct behind a Store, or NULL with TypeError. */
struct store *store_of(struct module_state *state, PyObject *object);

/* The struct behind what store_of has taken for a Store, or for NULL that of the process's
 * default store.  NULL with an exception. */
struct store *store_chosen(struct module_state *state, PyObject *chosen);

#endif
