/* py_thread.c - contexts, and what happens to them when threads, interpreters and
 * processes end.
 *
 * Invariant: a context is used by its thread alone while attached to its interpreter.  The
 * registry under its mutex is what outlives both: a thread that ends gives its slots back
 * at once but can't touch Python objects, which the interpreter drops later; a module that
 * goes takes the contexts of all threads with it.  In the child of a fork the slots belong
 * to the parent, so the child forgets all contexts.
 */
#include "py_thread.h"

#include "py_atomic.h"
#include "py_block.h"
#include "py_errors.h"

#include <pthread.h>

THREAD_FAST _Thread_local struct thread_known thread_known;

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static struct thread_context *registry; /* Protected by registry_lock */
static shared_u64 contexts_made;        /* numbers them */
static shared_u32 forks;
static pthread_key_t thread_end;        /* Immutable after publish */

static void detach_all(struct thread_context *context)
{
    for (uint32_t i = 0; i < context->attached; i++) {
        slot_release(context->attachments[i].store, context->attachments[i].slot);
        store_release(context->attachments[i].store);
    }
    context->attached = 0;
}

/* Runs in a thread that ends, not attached to any interpreter. */
static void on_thread_end(void *unused)
{
    (void)unused;
    uint64_t self = platform_thread_id();
    thread_known.serial = 0;
    pthread_mutex_lock(&registry_lock);
    for (struct thread_context *it = registry; it != NULL; it = it->next) {
        if (it->thread != self || it->ended)
            continue;
        if (it->txn.snapshot != NO_SNAPSHOT)
            txn_end(&it->txn);
        detach_all(it);
        it->ended = true;
    }
    pthread_mutex_unlock(&registry_lock);
}

static void before_fork(void)
{
    pthread_mutex_lock(&registry_lock);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&registry_lock);
}

static void after_fork_in_child(void)
{
    /* The contexts and the handles in them stay allocated: their Python objects belong to
     * interpreters that may still look at them. */
    registry = NULL;
    thread_known.serial = 0;
    add_relaxed(&forks, 1);
    pthread_mutex_unlock(&registry_lock);
}

uint32_t thread_forks(void)
{
    return load_relaxed(&forks);
}

__attribute__((constructor)) static void prepare(void)
{
    pthread_key_create(&thread_end, on_thread_end);
    pthread_atfork(before_fork, after_fork, after_fork_in_child);
}

static void drop_caches(struct thread_context *context)
{
    struct cached *cache = context->cache;
    context->cache = NULL;
    for (uint32_t i = 0; cache != NULL && i < CACHE_ENTRIES; i++)
        Py_XDECREF(cache[i].object);
    PyMem_RawFree(cache);
    struct known_key *keys = context->keys;
    context->keys = NULL;
    for (uint32_t i = 0; keys != NULL && i < KNOWN_KEYS; i++)
        Py_XDECREF(keys[i].object);
    PyMem_RawFree(keys);
}

/* Attached to the interpreter that the context belongs to. */
static void free_context(struct thread_context *context)
{
    if (!context->ended)
        block_abandon(context);
    for (uint32_t i = 0; i < context->depth; i++) {
        if (context->levels[i].owner != NULL)
            atomic_forget(context->levels[i].owner);
    }
    block_forget_levels(context, 0);
    if (!context->ended)
        detach_all(context);
    drop_caches(context);
    Py_CLEAR(context->block.saved);
    Py_CLEAR(context->block.error);
    Py_CLEAR(context->block.on_commit);
    Py_CLEAR(context->block.on_abort);
    txn_free(&context->txn);
    PyObject_Free(context->spare);
    PyMem_RawFree(context->attachments);
    PyMem_RawFree(context);
}

/* Takes the contexts of this module out of the registry: all, or those of threads that
 * have ended. */
static struct thread_context *take_contexts(struct module_state *state, bool all)
{
    struct thread_context *taken = NULL, **link = &registry;
    pthread_mutex_lock(&registry_lock);
    while (*link != NULL) {
        struct thread_context *context = *link;
        if (context->state != state || !(all || context->ended)) {
            link = &context->next;
            continue;
        }
        *link = context->next;
        context->next = taken;
        taken = context;
    }
    pthread_mutex_unlock(&registry_lock);
    return taken;
}

static void free_contexts(struct thread_context *context)
{
    while (context != NULL) {
        struct thread_context *next = context->next;
        free_context(context);
        context = next;
    }
}

void thread_forget_module(struct module_state *state)
{
    free_contexts(take_contexts(state, true));
    if (thread_known.serial == state->serial)
        thread_known.serial = 0;
}

static struct thread_context *find_of(struct module_state *state, uint64_t thread)
{
    pthread_mutex_lock(&registry_lock);
    struct thread_context *context = registry;
    while (context != NULL &&
           (context->state != state || context->thread != thread || context->ended))
        context = context->next;
    pthread_mutex_unlock(&registry_lock);
    return context;
}

void thread_abandon(struct module_state *state, uint64_t number, const struct atomic *owner)
{
    pthread_mutex_lock(&registry_lock);
    struct thread_context *context = registry;
    while (context != NULL && (context->state != state || context->number != number))
        context = context->next;
    for (uint32_t i = 0; context != NULL && i < context->depth; i++) {
        if (context->levels[i].owner != owner)
            continue;
        /* Safe: that thread needs the interpreter that we are attached to. */
        context->levels[i].owner = NULL;
        context->abandoned = true;
    }
    pthread_mutex_unlock(&registry_lock);
}

static struct thread_context *new_context(struct module_state *state)
{
    struct thread_context *context = PyMem_RawCalloc(1, sizeof *context);
    if (context == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    context->state = state;
    context->thread = platform_thread_id();
    context->number = add_relaxed(&contexts_made, 1) + 1;
    context->random = context->thread * 0x9e3779b97f4a7c15u | 1;
    pthread_setspecific(thread_end, context); /* any value makes on_thread_end run */
    pthread_mutex_lock(&registry_lock);
    context->next = registry;
    registry = context;
    pthread_mutex_unlock(&registry_lock);
    return context;
}

static void forget(struct thread_context *gone)
{
    pthread_mutex_lock(&registry_lock);
    for (struct thread_context **link = &registry; *link != NULL; link = &(*link)->next) {
        if (*link == gone) {
            *link = gone->next;
            break;
        }
    }
    pthread_mutex_unlock(&registry_lock);
    free_context(gone);
}

int thread_check_signals(struct thread_context *context)
{
    struct thread_context *fresh = new_context(context->state);
    if (fresh == NULL)
        return -1;
    thread_known.context = fresh;
    int result = PyErr_CheckSignals();
    if (!thread_still(fresh))
        return result; /* a handler has forked, and this is the child */
    thread_known.context = context;
    PyObject *raised = PyErr_GetRaisedException();
    forget(fresh);
    PyErr_SetRaisedException(raised);
    return result;
}

struct thread_context *thread_find(struct module_state *state)
{
    struct thread_context *context = find_of(state, platform_thread_id());
    if (context == NULL) {
        free_contexts(take_contexts(state, false));
        context = new_context(state);
    }
    if (context != NULL)
        thread_known = (struct thread_known){state->serial, context};
    return context;
}

bool thread_woken(struct module_state *state, uint64_t thread)
{
    const struct thread_context *context = find_of(state, thread);
    for (uint32_t i = 0; context != NULL && i < context->attached; i++) {
        const struct slot *slot = context->attachments[i].slot;
        if (load_relaxed(&slot->waits) != 0 && load_acquire(&slot->wake) != 0) /* Pairs with mark. */
            return true;
    }
    return false;
}

/* ---- stores --------------------------------------------------------------------------- */

/* Lets go of stores that nobody uses any more, so that a thread that opens many keeps none. */
static void detach_closed(struct thread_context *context)
{
    for (uint32_t i = context->attached; i > 0; i--) {
        struct attachment attachment = context->attachments[i - 1];
        if (!store_over(attachment.store))
            continue;
        context->attachments[i - 1] = context->attachments[--context->attached];
        slot_release(attachment.store, attachment.slot);
        store_release(attachment.store);
    }
}

static bool reserve_attachment(struct thread_context *context)
{
    if (context->attached < context->attachment_room)
        return true;
    uint32_t room = context->attachment_room == 0 ? 4 : 2 * context->attachment_room;
    struct attachment *grown =
        PyMem_RawRealloc(context->attachments, room * sizeof *context->attachments);
    if (grown == NULL)
        return false;
    context->attachments = grown;
    context->attachment_room = room;
    return true;
}

static enum stm_status claim(struct store *store, struct slot **out)
{
    uint64_t interpreter = (uint64_t)PyInterpreterState_GetID(PyInterpreterState_Get());
    enum stm_status status = slot_claim(store, interpreter, out);
    if (status != STM_NO_SLOT)
        return status;
    /* Processes that were killed may still hold slots. */
    if (slot_reap(store, NULL, false) > 0)
        status = slot_claim(store, interpreter, out);
    return status;
}

struct slot *thread_claim_slot(struct module_state *state, struct store *store)
{
    struct thread_context *context = thread_here(state);
    struct slot *slot;
    enum stm_status status = context == NULL ? STM_INTERRUPTED : claim(store, &slot);
    if (status == STM_OK)
        return slot;
    if (context != NULL)
        errors_raise(context, status, NULL, NULL);
    return NULL;
}

struct slot *thread_slot(struct thread_context *context, struct store *store)
{
    for (uint32_t i = 0; i < context->attached; i++) {
        if (context->attachments[i].store == store)
            return context->attachments[i].slot;
    }
    if (context->depth == 0)
        detach_closed(context);
    struct slot *slot;
    enum stm_status status = reserve_attachment(context) ? claim(store, &slot) : STM_NO_MEMORY;
    if (status != STM_OK) {
        errors_raise(context, status, NULL, NULL);
        return NULL;
    }
    store_keep(store);
    context->attachments[context->attached++] = (struct attachment){store, slot};
    return slot;
}
