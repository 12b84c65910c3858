/* py_hub.h - what an interpreter waits for without a thread that sleeps.
 *
 * A Hub has a slot of its own, to which waiters belong that outlive their blocks (wait.h).
 * An Interest is one of them: it tells whether something that a block has read was changed
 * since.  Tasks of an event loop wait so, and derived values know so whether they hold.
 */
#ifndef STMPY_PY_HUB_H
#define STMPY_PY_HUB_H

#include "py_seat.h"

struct hub {
    struct seat seat;
    region_ref *dropped; /* Owned: waiters that are to be taken back */
    uint32_t dropped_count, dropped_room;
};

/* Leaves a waiter of the hub for the open block's read set in context->block.waiter;
 * STM_CONFLICT if that has changed.  STM_INTERRUPTED with an exception. */
enum stm_status hub_leave_waiter(struct thread_context *context, struct hub *hub);

/* Calls a function in a block of the hub's store.  Where it retries, the result is NULL
 * without an exception, and the waiter stands for the rest of the block.  With `observes`
 * the function may only read, and the waiter tells when its result holds no longer. */
PyObject *call_on_hub(struct atomic *options, struct hub *hub, bool observes, PyObject *function,
                      PyObject *arguments, region_ref *waiter);

#endif
