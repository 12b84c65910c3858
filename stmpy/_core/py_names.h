/* py_names.h - what blocks are called in statistics.
 *
 * A block goes by its label, or else by its function, file and line; one of stmpy itself,
 * such as those of its queues, by the method that was called.  The region gives each name a
 * number (site.h), which is remembered where the code is.
 */
#ifndef STMPY_PY_NAMES_H
#define STMPY_PY_NAMES_H

#include "py_atomic.h"

/* The number of the block that a with statement is entering, after rerun_enter.  0 if it
 * can't be named: it is counted with all such others. */
uint32_t names_of_with(struct thread_context *context, struct store *store, PyObject *label);

/* The same of a block that is a call of a function, which may have a place of its own to
 * remember it.  `label` may be NULL in both. */
uint32_t names_of_call(struct thread_context *context, struct store *store, PyObject *label,
                       PyObject *function, shared_u64 *place);

/* Tells an exception that leaves a block which ran more than once in which attempt it was
 * raised (PEP 678).  No note is worth an error. */
void names_note_attempt(struct thread_context *context, PyObject *exception);

#endif
