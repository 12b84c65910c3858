/* py_atomic.h - what `stm.atomically(...)` returns: options, context manager, decorator.
 */
#ifndef STMPY_PY_ATOMIC_H
#define STMPY_PY_ATOMIC_H

#include "py_thread.h"

struct atomic {
    PyObject_HEAD
    struct module_state *state;     /* Borrowed from the type's module */
    PyObject *store;                /* Owned: a Store, or NULL for the default store */
    PyObject *label;                /* Owned: str, or NULL */
    uint32_t txn_flags;             /* Immutable: TXN_READ_ONLY, TXN_SNAPSHOT, TXN_SERIAL */
    uint64_t timeout_ns;            /* Immutable: 0 is none */
    uint32_t max_attempts;          /* Immutable: 0 is no limit */
    uint32_t attempt;               /* of the block that is open or was last */
    uint64_t snapshot;              /* of its last attempt */
    uint64_t version;               /* its commit number; 0: it wrote nothing */
    uint64_t context;               /* number of the context that has it open */
    uint32_t levels;                /* how many levels this object has open */
    bool serial;                    /* whether its last attempt could not lose */
    PyObject *reason;               /* Owned: why the last block was serial from the start, or NULL */
};

/* Arguments as atomically() gets them: Borrowed, NULL where they were left out. */
struct raw_options {
    PyObject *function;
    PyObject *read_only, *isolation, *timeout, *max_attempts, *irrevocable, *label, *store;
};

/* Takes the arguments of a vectorcall apart; 0, or -1 with TypeError. */
int atomic_take_arguments(struct raw_options *raw, PyObject *const *args, Py_ssize_t count,
                          PyObject *names);

/* Fills the object from its arguments; 0, or -1 with ValueError or TypeError. */
int atomic_set_options(struct atomic *self, const struct raw_options *raw);

/* What atomically() returns for these arguments of a vectorcall, on this store unless it is
 * NULL: a block, or a function that was decorated. */
PyObject *atomic_make(struct module_state *state, PyObject *store, PyObject *const *args,
                      Py_ssize_t count, PyObject *names);

/* A block that only reads, on this store. */
PyObject *atomic_make_snapshot(struct module_state *state, PyObject *store);

/* The options for block_open.  NULL store means the default one.  -1 with an exception. */
int atomic_options(struct atomic *self, struct block_options *out);

/* Whether a block with these options may be nested in the one that is open; 0, or -1 with
 * NestedMisuse. */
int atomic_check_nesting(struct thread_context *context, const struct block_options *options);

/* The block that this object opened is over, without its __exit__. */
void atomic_forget(struct atomic *self);

#endif
