/* py_timeout.h - TransactionTimeout, with what the block has waited for.
 */
#ifndef STMPY_PY_TIMEOUT_H
#define STMPY_PY_TIMEOUT_H

#include "py_thread.h"

enum timeout_cause {
    TIMEOUT_LOST,   /* attempts, no wait */
    TIMEOUT_LOCKED, /* the commit lock */
    TIMEOUT_PARKED, /* a change of what was read; the slot says what that is */
};

/* Raises TransactionTimeout.  `store` and `slot` may be NULL unless it was parked.  Always
 * returns -1. */
int timeout_raise(struct thread_context *context, enum timeout_cause cause, struct store *store,
                  const struct slot *slot);

#endif
