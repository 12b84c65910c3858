/* bell.c - the thread behind an event loop.
 *
 * Invariant: after the wake word was set, or the store closed, the file becomes readable.
 * Safe because the thread takes the word back before it writes, so that what is set later
 * makes it write again.  A follower's word stays set until all is read: there the thread
 * writes once and waits until somebody asks for the next time.
 */
#include "bell.h"

#include "lock.h"
#include "wait.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define STACK_BYTES ((size_t)64 << 10)
#define HEARTBEAT_NS 1000000000u

struct bell {
    struct store *store; /* Borrowed */
    struct slot *slot;   /* Borrowed: the thread uses its wake word alone */
    struct follower *follower; /* Borrowed, or NULL */
    int file;            /* Owned: an eventfd */
    shared_u32 ending;
    shared_u32 armed;    /* futex word: 1 if the loop wants to know of a follower */
    pthread_t thread;    /* Owned */
};

static void ring(struct bell *bell)
{
    uint64_t one = 1;
    while (write(bell->file, &one, sizeof one) < 0 && errno == EINTR)
        continue;
}

/* True when it is time to ring. */
static bool wait_for_follower(struct bell *bell)
{
    if (load_acquire(&bell->armed) == 0) /* Pairs with bell_arm. */
        platform_futex_wait(&bell->armed, 0, HEARTBEAT_NS);
    if (load_acquire(&bell->armed) == 0)
        return false;
    if (log_sleep_or_end(bell->store, bell->slot, bell->follower, &bell->ending, NO_DEADLINE) !=
        STM_OK)
        return false;
    put_release(&bell->armed, 0); /* Before the loop can arm it again. */
    return true;
}

static bool wait_for_slot(struct bell *bell)
{
    if (wait_sleep(bell->store, bell->slot, NO_DEADLINE) != STM_OK)
        return false;
    (void)exchange_acq_rel(&bell->slot->wake, 0); /* Pairs with mark in wait.c. */
    return true;
}

static void *watch(void *opaque)
{
    struct bell *bell = opaque;
    bool closed = false;
    while (!closed && !load_acquire(&bell->ending)) { /* Pairs with bell_close. */
        closed = load_acquire(&bell->store->region->closed); /* Pairs with store_close. */
        if (bell->follower != NULL ? wait_for_follower(bell) : wait_for_slot(bell))
            ring(bell);
    }
    ring(bell);
    return NULL;
}

/* The signals of the process are for the threads of Python. */
static int start(struct bell *bell)
{
    sigset_t all, before;
    pthread_attr_t attributes;
    int failed = pthread_attr_init(&attributes);
    if (failed != 0)
        return failed;
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&bell->thread, &attributes, watch, bell);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return failed;
}

enum stm_status bell_open(struct store *store, struct slot *slot, struct follower *follower,
                          struct bell **out)
{
    struct bell *bell = calloc(1, sizeof *bell);
    if (bell == NULL)
        return STM_NO_MEMORY;
    bell->store = store;
    bell->slot = slot;
    bell->follower = follower;
    bell->file = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int failed = bell->file < 0 ? errno : start(bell);
    if (failed != 0) {
        if (bell->file >= 0)
            close(bell->file);
        free(bell);
        errno = failed;
        return STM_SYSTEM;
    }
    *out = bell;
    return STM_OK;
}

int bell_file(const struct bell *bell)
{
    return bell->file;
}

void bell_arm(struct bell *bell)
{
    put_release(&bell->armed, 1); /* Pairs with wait_for_follower. */
    platform_futex_wake(&bell->armed, 1);
}

void bell_forget(struct bell *bell)
{
    close(bell->file);
    free(bell);
}

void bell_close(struct bell *bell)
{
    put_release(&bell->ending, 1); /* Pairs with watch. */
    if (bell->follower != NULL) {
        bell_arm(bell);
        log_rouse(bell->follower);
    } else {
        put_release(&bell->slot->wake, 1); /* Pairs with wait_sleep. */
        platform_futex_wake(&bell->slot->wake, 1);
    }
    pthread_join(bell->thread, NULL);
    bell_forget(bell);
}
