/* py_block.h - the life of a block: attempts, commit, backing off, serial mode.
 *
 * The two forms, a with statement (py_atomic.c, py_rerun.c) and a function (py_call.c),
 * drive a block through these calls:
 *
 *     block_open -> body -> block_commit -> BLOCK_COMMITTED -> block_close
 *                    ^           |
 *                    +-- block_again <- BLOCK_CONFLICT
 */
#ifndef STMPY_PY_BLOCK_H
#define STMPY_PY_BLOCK_H

#include "py_thread.h"

enum block_outcome { BLOCK_COMMITTED, BLOCK_CONFLICT, BLOCK_ERROR };

/* Starts the first attempt of an outermost block; 0, or -1 with an exception. */
int block_open(struct thread_context *context, const struct block_options *options,
               struct atomic *owner);

/* Tries to make the block's writes final.  BLOCK_ERROR comes with an exception. */
enum block_outcome block_commit(struct thread_context *context);

/* After a conflict: backs off and starts the next attempt; 0, or -1 with an exception that
 * ends the block (Conflict, TransactionTimeout, KeyboardInterrupt). */
int block_again(struct thread_context *context);

/* Ends the outermost block; undoes what was not committed, and calls what on_commit or
 * on_abort were given.  Keeps a raised exception; -1 with a new one if a function failed. */
int block_close(struct thread_context *context);

/* Ends the transaction of an attempt and drops the objects of its entries. */
void block_drop_transaction(struct thread_context *context);

/* As block_close if a block is open: its interpreter or thread goes away, or the object
 * that opened it has. */
void block_abandon(struct thread_context *context);

/* Opens and closes a nested level; 0, or -1 with an exception.  Closing with `keep` joins
 * its writes to the enclosing level, else undoes them. */
int block_nest(struct thread_context *context, struct atomic *owner, bool read_only);
int block_unnest(struct thread_context *context, bool keep);

/* Leaves the levels beyond `depth` without a word: their attempt is over. */
void block_forget_levels(struct thread_context *context, uint32_t depth);

/* Encodes objects that may have been changed in place; 0, or -1 with an exception. */
int block_flush(struct thread_context *context);

/* Asks the test's hook, if there is one, whether to conflict here: 1 and the block is doomed,
 * 0, or -1 with an exception. */
int block_injected(struct thread_context *context);

/* 0 if the thread is in a block that may go on; -1 with the control exception if that
 * block is doomed. */
static inline int block_check(struct thread_context *context)
{
    if (__builtin_expect(context->state->inject != NULL, 0) && !context->block.doomed &&
        block_injected(context) < 0)
        return -1;
    if (__builtin_expect(!context->block.doomed, 1))
        return 0;
    PyErr_SetNone(context->state->rerun);
    return -1;
}

/* Frees memory that nothing needs any more; for a second try after STM_STORE_FULL. */
void block_relieve(struct thread_context *context);

#endif
