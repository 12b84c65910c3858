/* py_durable.h - what a block does about the disk under its store.
 */
#ifndef STMPY_PY_DURABLE_H
#define STMPY_PY_DURABLE_H

#include "py_thread.h"

/* After a commit: waits until what the block wrote, or what it has read, is durable, if the
 * store says so; 0, or -1 with CommitUnknown or what a signal handler raised. */
int durable_acknowledge(struct thread_context *context);

/* Raises DurabilityError for a block that may not write; -1. */
int durable_refuse(struct thread_context *context);

/* What is done while waiting: runs signal handlers, replaces a keeper that has died; 0, or
 * -1 with an exception. */
int durable_look(struct thread_context *context, struct store *store);

#endif
