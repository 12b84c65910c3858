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

/* Opens and closes a nested level; 0, or -1 with an exception.  A timeout, unless it is 0,
 * brings the deadline of the block forward while the level is open.  Closing with `keep`
 * joins its writes to the enclosing level, else undoes them. */
int block_nest(struct thread_context *context, struct atomic *owner, bool read_only,
               uint64_t timeout_ns);
int block_unnest(struct thread_context *context, bool keep);

/* Leaves the levels beyond `depth` without a word: their attempt is over. */
void block_forget_levels(struct thread_context *context, uint32_t depth);

/* Encodes objects that may have been changed in place; 0, or -1 with an exception. */
int block_flush(struct thread_context *context);

/* The points at which the hook of stmpy.testing is called, in the thread that comes to them. */
enum block_point {
    POINT_BEGIN,  /* an attempt is about to begin; key: its number */
    POINT_READ,   /* of a key, or of all if there is none; also outside blocks */
    POINT_WRITE,  /* likewise */
    POINT_CALL,   /* a call of another kind within a block */
    POINT_COMMIT,
    POINT_WAIT,   /* the block has registered and is about to sleep; key: its timeout or None */
};

/* Calls the hook, which is there.  1 if it said yes: at POINT_BEGIN that the block's timeout
 * is the hook's business, at POINT_WAIT that it is over, else that the block loses here and
 * is doomed; 0 if not, -1 with an exception.  Serial blocks have no points between, as nobody
 * else could commit meanwhile. */
int block_at_point(struct thread_context *context, enum block_point point, PyObject *variable,
                   PyObject *key);

static inline int block_pass(struct thread_context *context, enum block_point point,
                             PyObject *variable, PyObject *key)
{
    if (__builtin_expect(context->state->hook == NULL, 1))
        return 0;
    return block_at_point(context, point, variable, key);
}

/* 0 if the thread is in a block that may go on; -1 with the control exception if that
 * block is doomed. */
static inline int block_may_go_on(struct thread_context *context)
{
    if (__builtin_expect(!context->block.doomed, 1))
        return 0;
    PyErr_SetNone(context->state->rerun);
    return -1;
}

/* The same at POINT_CALL. */
static inline int block_check(struct thread_context *context)
{
    if (block_pass(context, POINT_CALL, Py_None, Py_None) < 0)
        return -1;
    return block_may_go_on(context);
}

/* Frees memory that nothing needs any more; for a second try after STM_STORE_FULL. */
void block_relieve(struct thread_context *context);

#endif
