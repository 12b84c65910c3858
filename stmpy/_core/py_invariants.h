/* py_invariants.h - what has to hold when a block ends.
 */
#ifndef STMPY_PY_INVARIANTS_H
#define STMPY_PY_INVARIANTS_H

#include "py_thread.h"

/* The slow half of invariants_check. */
int invariants_enforce(struct thread_context *context);

/* Checks validators and invariants before a block that writes is committed; 0, or -1 with
 * the exception that ends the block, or with the control exception if it is doomed. */
static inline int invariants_check(struct thread_context *context)
{
    return __builtin_expect(context->state->guard == NULL, 1) ? 0 : invariants_enforce(context);
}

#endif
