/* py_seat.h - what an object has that takes part in a store without being a thread.
 *
 * A slot of its own, a handle that keeps the store mapped, and, once a loop of events asks, a
 * bell that wakes it.  In the child of a fork the slot is the parent's: the object is of no use.
 */
#ifndef STMPY_PY_SEAT_H
#define STMPY_PY_SEAT_H

#include "bell.h"
#include "py_thread.h"

/* The first member of such an object. */
struct seat {
    PyObject_HEAD
    struct module_state *state; /* Borrowed from the type's module */
    PyObject *store_object;     /* Owned: the Store */
    struct store *store;        /* Owned: one handle that keeps it mapped; NULL: closed */
    struct slot *slot;          /* Owned: used while attached, but for its wake word */
    struct bell *bell;          /* Owned, or NULL until a loop asks */
    uint32_t forks;             /* Immutable: forks before it was made */
};

/* An object of the type, of this module's state, zeroed behind the seat; NULL with an exception. */
struct seat *seat_new(PyTypeObject *type, struct module_state *state, PyObject *store_object);

/* False in the child of a fork. */
static inline bool seat_own(const struct seat *seat)
{
    return seat->forks == thread_forks();
}

/* seat.fileno(): the bell's file, made at the first call, for what `place` tells or for waiters. */
PyObject *seat_file(struct seat *seat, struct follower *place);

/* Takes the bell down; the object goes on without. */
void seat_end_bell(struct seat *seat);

/* The last that an object does with its seat, after it has given back store and slot. */
void seat_free(struct seat *seat);

#endif
