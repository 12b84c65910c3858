/* trace.c - one buffer for the events of all threads of this process.
 *
 * Invariant: the place of an event in the buffer lies between its step and the next step of
 * its thread, as the place is taken by one atomic addition after the step.
 */
#include "events.h"

#include <stdio.h>
#include <stdlib.h>

#define EVENTS 65536u

struct event {
    const char *action;
    const struct slot *slot;
    uint64_t value;
    uint32_t order;
};

static struct event events[EVENTS];
static _Atomic uint32_t used;
static void (*pause_thread)(void);
static _Thread_local const struct slot *own;

void events_start(void (*pause)(void))
{
    atomic_store_explicit(&used, 0, memory_order_relaxed);
    pause_thread = pause;
}

void events_own(const struct slot *slot)
{
    own = slot;
}

void trace_event(const struct slot *slot, const char *action, uint32_t order, uint64_t value)
{
    uint32_t place = atomic_fetch_add_explicit(&used, 1, memory_order_seq_cst);
    if (place >= EVENTS) {
        fprintf(stderr, "more than %u events: give each run less to do\n", EVENTS);
        exit(2);
    }
    events[place] = (struct event){action, slot == NULL ? own : slot, value, order};
    pause_thread();
}

void events_print(const struct slot *first, const char *(*key_name)(uint32_t order))
{
    uint32_t count = atomic_load_explicit(&used, memory_order_relaxed);
    for (uint32_t i = 0; i < count; i++) {
        const struct event *event = &events[i];
        if (event->slot >= first)
            printf("%d %s %s %lld\n", (int)(event->slot - first), event->action,
                   key_name(event->order), (long long)event->value);
    }
}
