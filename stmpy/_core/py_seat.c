/* py_seat.c - what an object has that takes part in a store without being a thread. */
#include "py_seat.h"

struct seat *seat_new(PyTypeObject *type, struct module_state *state, PyObject *store_object)
{
    struct store *store = store_of(state, store_object);
    struct slot *slot = store == NULL ? NULL : thread_claim_slot(state, store);
    if (slot == NULL)
        return NULL;
    struct seat *seat = (struct seat *)type->tp_alloc(type, 0);
    if (seat == NULL) {
        slot_release(store, slot);
        return NULL;
    }
    store_keep(store);
    seat->state = state;
    seat->store_object = Py_NewRef(store_object);
    seat->store = store;
    seat->slot = slot;
    seat->forks = thread_forks();
    return seat;
}

PyObject *seat_file(struct seat *seat, struct follower *place)
{
    if (seat->bell == NULL && bell_open(seat->store, seat->slot, place, &seat->bell) != STM_OK)
        return PyErr_SetFromErrno(PyExc_OSError);
    return PyLong_FromLong(bell_file(seat->bell));
}

void seat_end_bell(struct seat *seat)
{
    if (seat->bell != NULL)
        seat_own(seat) ? bell_close(seat->bell) : bell_forget(seat->bell);
    seat->bell = NULL;
}

void seat_free(struct seat *seat)
{
    PyTypeObject *type = Py_TYPE(seat);
    Py_XDECREF(seat->store_object);
    type->tp_free(seat);
    Py_DECREF(type);
}
