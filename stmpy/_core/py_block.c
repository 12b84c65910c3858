/* py_block.c - attempts, commit, backing off, serial mode.
 *
 * Invariant: between block_open and block_close the context's transaction is running, or
 * has ended in a commit or a conflict.  No thread sleeps while attached to an interpreter,
 * and none attaches while it holds the commit lock, except in serial mode: there everybody
 * who waits for the lock has detached first, so the holder always gets its interpreter.
 */
#include "py_block.h"

#include "history.h"
#include "lock.h"
#include "log.h"
#include "py_atomic.h"
#include "py_blind.h"
#include "py_durable.h"
#include "py_errors.h"
#include "py_hub.h"
#include "py_invariants.h"
#include "py_timeout.h"
#include "py_wait.h"
#include "stats.h"

#include <time.h>

#define SERIAL_AFTER 10u  /* losses until a block runs where it cannot lose */
#define PATIENT_FROM 3u   /* the first losses are followed by an attempt at once */
#define BACKOFF_NS 2000u  /* doubled with each further loss */
#define MOVES 4u          /* races that functions of commute lose until they take the lock */

static int check_open(struct thread_context *context)
{
    struct store *store = context->block.options.store;
    if (!load_acquire(&store->region->closed)) /* Pairs with store_close. */
        return 0;
    return errors_format(context->state, ERROR_STORE_CLOSED,
                         "this block: store %s is closed; open it again and make its "
                         "variables from the new store",
                         store->name[0] ? store->name : "(unnamed)");
}

/* ---- objects of the entries --------------------------------------------------------------- */

/* Drops the decoded objects after the transaction has let go of its entries: dropping one
 * may run code that starts a block of its own. */
void block_drop_transaction(struct thread_context *context)
{
    struct txn *txn = &context->txn;
    PyObject *few[16], **objects = few;
    uint32_t count = 0;
    if (txn->count > 16) {
        objects = PyMem_RawMalloc(txn->count * sizeof *objects);
        if (objects == NULL)
            objects = few;
    }
    for (uint32_t i = 0; i < txn->count; i++) {
        PyObject *object = txn->entries[i].object;
        txn->entries[i].object = NULL;
        if (object == NULL)
            continue;
        if (objects == few && count == 16)
            Py_DECREF(object);
        else
            objects[count++] = object;
    }
    txn_end(txn);
    context->block.marked = 0;
    while (count > 0)
        Py_DECREF(objects[--count]);
    if (objects != few)
        PyMem_RawFree(objects);
}

/* ---- starting -------------------------------------------------------------------------------- */

/* Looks at signals that arrived while detached, and at the keeper; -1 with an exception. */
static int look_around(struct thread_context *context, enum stm_status status)
{
    return status == STM_INTERRUPTED ? durable_look(context, context->block.options.store) : 0;
}

/* A place of one's own before everyone else: the commit lock for the whole attempt. */
static int lock_for_serial(struct thread_context *context, struct slot *slot)
{
    struct store *store = context->block.options.store;
    enum stm_status status;
    do {
        Py_BEGIN_ALLOW_THREADS
        status = log_wait_for_room(store, slot, context->block.deadline_ns);
        if (status == STM_OK)
            status = lock_acquire_urgently(store, slot, context->block.deadline_ns);
        Py_END_ALLOW_THREADS
        if (look_around(context, status) < 0)
            return -1;
    } while (status == STM_INTERRUPTED);
    if (status != STM_OK)
        return errors_raise(context, status, NULL, NULL);
    return 0;
}

int block_at_point(struct thread_context *context, enum block_point point, PyObject *variable,
                   PyObject *key)
{
    static const char *const names[] = {"begin", "read", "write", "call", "commit", "wait"};
    bool within = context->depth > 0 && point != POINT_BEGIN && point != POINT_WAIT;
    if (within && (context->block.doomed || context->txn.flags & TXN_SERIAL))
        return 0;
    bool may_lose = within && !(context->txn.flags & TXN_READ_ONLY);
    PyObject *hook = Py_NewRef(context->state->hook); /* it may take itself away */
    PyObject *answer = PyObject_CallFunction(hook, "sOOO", names[point], variable, key,
                                             may_lose ? Py_True : Py_False);
    Py_DECREF(hook);
    int yes = answer == NULL ? -1 : PyObject_IsTrue(answer);
    Py_XDECREF(answer);
    if (yes == 1 && may_lose) {
        context->block.doomed = true;
        context->txn.conflict.reason = CONFLICT_INJECTED;
    }
    return yes;
}

/* Before an attempt takes its snapshot, or the lock. */
static int pass_begin(struct thread_context *context)
{
    if (context->state->hook == NULL)
        return 0;
    PyObject *number = PyLong_FromUnsignedLong(context->block.attempt + 1);
    int yes = number == NULL ? -1 : block_at_point(context, POINT_BEGIN, Py_None, number);
    Py_XDECREF(number);
    if (yes == 1)
        context->block.deadline_ns = NO_DEADLINE;
    return yes < 0 ? -1 : 0;
}

static int start_attempt(struct thread_context *context)
{
    struct block *block = &context->block;
    struct slot *slot = thread_slot(context, block->options.store);
    if (slot == NULL || check_open(context) < 0 || pass_begin(context) < 0)
        return -1;
    uint32_t flags = block->options.txn_flags, shown = block->attempt + 1;
    context->txn.site = block->options.site;
    block->deadline_ns = block->own_deadline_ns;
    bool lost_often = block->losses >= SERIAL_AFTER && !(flags & TXN_READ_ONLY);
    if (lost_often || flags & TXN_SERIAL) {
        flags |= TXN_SERIAL;
        shown |= ATTEMPT_SERIAL;
    }
    stats_begin(&context->txn, block->options.store, slot, shown);
    if (flags & TXN_SERIAL && lock_for_serial(context, slot) < 0) {
        stats_leave(slot);
        return -1;
    }
    block->attempt++;
    block->serial = (flags & TXN_SERIAL) != 0;
    block->doomed = block->committed = block->retrying = block->parked = false;
    block->waiter = 0;
    block->wake_ns = NO_DEADLINE;
    Py_CLEAR(block->on_commit);
    Py_CLEAR(block->on_abort);
    Py_CLEAR(block->commutes);
    block->marked = 0;
    context->attempts_begun++;
    txn_begin(&context->txn, block->options.store, slot, flags);
    if (flags & TXN_SERIAL)
        bump_relaxed(&context->txn.counters->serial, 1);
    return 0;
}

int block_open(struct thread_context *context, const struct block_options *options,
               struct atomic *owner)
{
    struct block *block = &context->block;
    block->options = *options;
    block->own_deadline_ns =
        options->timeout_ns == 0 ? NO_DEADLINE : platform_now_ns() + options->timeout_ns;
    block->nested_since_ns = 0;
    block->attempt = block->losses = block->choosing = 0;
    block->error = block->on_commit = block->on_abort = block->commutes = NULL;
    if (start_attempt(context) < 0)
        return -1;
    context->levels[0] = (struct level){.owner = owner,
                                        .read_only = options->txn_flags & TXN_READ_ONLY ||
                                                     options->observes};
    context->depth = 1;
    return 0;
}

/* ---- committing ---------------------------------------------------------------------------------- */

static enum stm_status commit_now(struct thread_context *context)
{
    struct txn *txn = &context->txn;
    enum stm_status status = txn_commit(txn, false, NO_DEADLINE);
    while (status == STM_BUSY || status == STM_INTERRUPTED) {
        if (look_around(context, status) < 0)
            return STM_INTERRUPTED;
        Py_BEGIN_ALLOW_THREADS
        status = txn_commit(txn, true, context->block.deadline_ns);
        Py_END_ALLOW_THREADS
    }
    return status;
}

/* Has the functions of commute run on newer values; alone once they have lost often.
 * STM_INTERRUPTED with an exception. */
static enum stm_status follow_moves(struct thread_context *context, uint32_t moves)
{
    struct txn *txn = &context->txn;
    if (moves == MOVES) {
        if (lock_for_serial(context, txn->slot) < 0)
            return STM_INTERRUPTED;
        enum stm_status status = txn_become_serial(txn);
        if (status != STM_OK)
            return status;
    }
    if (blind_run_again(context) == 0)
        return STM_OK;
    if (!context->block.doomed)
        return STM_INTERRUPTED;
    PyErr_Clear();
    return STM_CONFLICT;
}

static enum stm_status commit_all(struct thread_context *context)
{
    enum stm_status status = commit_now(context);
    for (uint32_t moves = 1; status == STM_MOVED; moves++) {
        status = follow_moves(context, moves);
        if (status == STM_OK)
            status = commit_now(context);
    }
    return status;
}

/* Makes the block's writes final; or, where it only observes, sees that what it has read is
 * still the newest, and leaves a waiter for the day when it isn't. */
static enum stm_status finish(struct thread_context *context)
{
    const struct block_options *options = &context->block.options;
    return options->observes ? hub_leave_waiter(context, options->hub) : commit_all(context);
}

enum block_outcome block_commit(struct thread_context *context)
{
    struct block *block = &context->block;
    if (block->doomed)
        return BLOCK_CONFLICT;
    if (block_pass(context, POINT_COMMIT, Py_None, Py_None) < 0)
        return BLOCK_ERROR;
    if (block->doomed)
        return BLOCK_CONFLICT;
    if (check_open(context) < 0 || block_flush(context) < 0 || invariants_check(context) < 0)
        return block->doomed ? (PyErr_Clear(), BLOCK_CONFLICT) : BLOCK_ERROR;
    uint64_t began = stats_time_commit(&context->txn);
    enum stm_status status = finish(context);
    if (status == STM_STORE_FULL) {
        block_relieve(context);
        status = finish(context);
    }
    if (status == STM_OK) {
        block->committed = true;
        stats_count_block(&context->txn, block->attempt, began);
        return durable_acknowledge(context) < 0 ? BLOCK_ERROR : BLOCK_COMMITTED;
    }
    if (status == STM_CONFLICT) {
        block->doomed = true;
        return BLOCK_CONFLICT;
    }
    if (status == STM_FAILED)
        durable_refuse(context);
    else if (status != STM_INTERRUPTED)
        errors_raise(context, status, NULL, NULL);
    return BLOCK_ERROR;
}

/* ---- again ------------------------------------------------------------------------------------------ */

static uint64_t next_random(struct thread_context *context)
{
    uint64_t x = context->random;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return context->random = x;
}

/* Sleeps a random part of a time that doubles with every loss, so that two blocks which
 * beat each other fall out of step. */
static void back_off(struct thread_context *context)
{
    uint32_t losses = context->block.losses;
    if (losses < PATIENT_FROM)
        return;
    uint64_t most = BACKOFF_NS << (losses - PATIENT_FROM);
    struct timespec pause = {.tv_nsec = (long)(next_random(context) % most)};
    Py_BEGIN_ALLOW_THREADS
    nanosleep(&pause, NULL);
    Py_END_ALLOW_THREADS
}

/* After a conflict: whether there may be a further attempt, and a pause before it. */
static int take_loss(struct thread_context *context)
{
    struct block *block = &context->block;
    stats_count_conflict(&context->txn);
    block_drop_transaction(context);
    block->losses++;
    if (thread_check_signals(context) < 0)
        return -1;
    if (block->options.max_attempts != 0 && block->losses >= block->options.max_attempts)
        return errors_format(context->state, ERROR_CONFLICT,
                             "this block: lost to other blocks in all of its %u attempts "
                             "(max_attempts); nothing was changed: try again later, or leave "
                             "max_attempts out",
                             block->losses);
    if (block->deadline_ns != NO_DEADLINE && platform_now_ns() >= block->deadline_ns)
        return timeout_raise(context, TIMEOUT_LOST, NULL, NULL);
    back_off(context);
    return 0;
}

int block_again(struct thread_context *context)
{
    block_forget_levels(context, 1); /* whatever was nested runs again as well */
    int result = context->block.retrying ? wait_for_change(context) : take_loss(context);
    return result < 0 ? -1 : start_attempt(context);
}

/* ---- leaving ------------------------------------------------------------------------------------------ */

int block_close(struct thread_context *context)
{
    struct block *block = &context->block;
    PyObject *raised = PyErr_GetRaisedException();
    bool committed = block->committed, parked = block->parked;
    if (!committed && !parked)
        bump_relaxed(&context->txn.counters->aborts, 1);
    stats_leave(context->txn.slot);
    block_forget_levels(context, 0);
    PyObject *saved = block->saved, *error = block->error, *commutes = block->commutes;
    PyObject *hooks = committed ? block->on_commit : block->on_abort;
    PyObject *others = committed ? block->on_abort : block->on_commit;
    block->saved = block->error = block->on_commit = block->on_abort = block->commutes = NULL;
    block->site = NULL;
    block->frame = NULL;
    if (context->txn.store != NULL)
        block_drop_transaction(context);
    Py_XDECREF(saved);
    Py_XDECREF(error);
    Py_XDECREF(commutes);
    Py_XDECREF(others);
    if (parked)
        Py_CLEAR(hooks); /* the outcome is still to come */
    PyErr_SetRaisedException(raised);
    return wait_run_hooks(hooks, committed);
}

void block_abandon(struct thread_context *context)
{
    context->abandoned = false;
    if (context->depth == 0)
        return;
    for (uint32_t i = 0; i < context->depth; i++) {
        if (context->levels[i].owner != NULL)
            atomic_forget(context->levels[i].owner);
    }
    Py_CLEAR(context->block.on_abort); /* nobody is left to call it */
    block_close(context);
}

void block_relieve(struct thread_context *context)
{
    struct txn *txn = &context->txn;
    bool serial = (txn->flags & TXN_SERIAL) != 0;
    if (!serial && lock_try(txn->store, txn->slot) != STM_OK)
        return;
    history_sweep_all(txn->store, txn->slot, false);
    history_sweep_all(txn->store, txn->slot, false); /* frees what the first one unlinked */
    if (!serial)
        lock_release(txn->store);
}
