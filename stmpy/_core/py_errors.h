/* py_errors.h - from a status of the core to an exception of stmpy.
 */
#ifndef STMPY_PY_ERRORS_H
#define STMPY_PY_ERRORS_H

#include "py_thread.h"

/* Raises what the status means for the block that is running.  `name` and `key` (each may
 * be NULL) say where it happened.  After STM_CONFLICT the block is doomed and the control
 * exception is set.  Always returns -1. */
int errors_raise(struct thread_context *context, enum stm_status status, PyObject *name,
                 PyObject *key);

/* Raises the exception of that kind with a formatted message.  Always returns -1. */
int errors_format(struct module_state *state, enum error_kind kind, const char *format, ...);

#endif
