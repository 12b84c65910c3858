/* py_follow.h - the type Follower: the commits that wrote to some variables, in order.
 */
#ifndef STMPY_PY_FOLLOW_H
#define STMPY_PY_FOLLOW_H

#include "log.h"
#include "py_seat.h"

struct follower_object {
    struct seat seat;
    struct follower *place; /* Owned */
    shared_u32 ending;      /* 1: whoever sleeps leaves */
    uint32_t busy;          /* threads that use the place while detached */
    uint64_t start;         /* Immutable: number of the last commit before it */
    Py_ssize_t count;       /* Immutable: variables that are followed */
    region_ref *variables;  /* Owned, Immutable */
};

/* The calling thread's context if the follower may be used here; NULL with an exception. */
struct thread_context *follow_context(struct follower_object *self);

/* Before and after the place is used without the interpreter's lock: close() in another
 * thread leaves the place to whoever is last. */
static inline void follow_detach(struct follower_object *self)
{
    self->busy++;
}
void follow_attached(struct follower_object *self);

/* follower.take(): a list of what was committed next, empty if there is nothing. */
PyObject *follow_take(struct follower_object *self, PyObject *unused);

#endif
