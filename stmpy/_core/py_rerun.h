/* py_rerun.h - with blocks that run again: sites, monitoring events, jumps.
 */
#ifndef STMPY_PY_RERUN_H
#define STMPY_PY_RERUN_H

#include "py_thread.h"

/* Finds out what with statement the calling Python code is entering and prepares the
 * context's block for running it again: sets `site`, `frame` and `saved`.  1 if it can be
 * run again, 0 if it must be serial, -1 with an exception. */
int rerun_enter(struct thread_context *context);

/* Why the open with statement is serial from the start, for messages: a new reference, or NULL
 * without an exception if it isn't. */
PyObject *rerun_reason(const struct block *block);

#endif
