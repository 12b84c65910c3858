/* py_blind.h - what the commit of a block does about functions given to commute().
 */
#ifndef STMPY_PY_BLIND_H
#define STMPY_PY_BLIND_H

#include "py_var.h"

/* Runs those functions again whose keys have moved; 0, or -1 with an exception. */
int blind_run_again(struct thread_context *context);

#endif
