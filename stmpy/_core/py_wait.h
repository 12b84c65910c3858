/* py_wait.h - waiting for a change, and functions to call after the outcome.
 */
#ifndef STMPY_PY_WAIT_H
#define STMPY_PY_WAIT_H

#include "py_thread.h"

/* After retry(): ends the transaction and sleeps until something it has read was committed
 * by others.  0, or -1 with an exception (a deadline, a signal, nothing was read). */
int wait_for_change(struct thread_context *context);

/* Calls the functions of the list, which it takes over and which may be NULL, outside any
 * block.  0, or -1 with an exception group; while an exception is set, that one stays. */
int wait_run_hooks(PyObject *hooks, bool committed);

#endif
