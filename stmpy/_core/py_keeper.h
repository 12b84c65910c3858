/* py_keeper.h - the type Keeper, between the files that make it.
 */
#ifndef STMPY_PY_KEEPER_H
#define STMPY_PY_KEEPER_H

#include "group.h"
#include "py_thread.h"

struct keeper {
    PyObject_HEAD
    struct module_state *state; /* Borrowed from the type's module */
    struct store *store;        /* Owned: one handle */
    struct slot *slot;          /* Owned */
    struct follower *follower;  /* Owned, or NULL before follow() */
    struct group group;         /* the one that was taken; commits == 0: none */
    struct txn txn;             /* Owned: for loading */
};

/* Sleeps are short here, and nobody else needs this interpreter. */
#define PATIENTLY(status, call) \
    do                          \
        status = (call);        \
    while (status == STM_INTERRUPTED)

/* Raises what the status means to a keeper; -1. */
int keeper_raise(enum stm_status status);

/* Methods: what is on disk goes into the region. */
PyObject *keeper_variable(struct keeper *self, PyObject *args);
PyObject *keeper_load(struct keeper *self, PyObject *args);
PyObject *keeper_load_stored(struct keeper *self, PyObject *args);
PyObject *keeper_restore(struct keeper *self, PyObject *argument);

#endif
