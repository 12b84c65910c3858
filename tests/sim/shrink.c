/* shrink.c - makes the schedule of a failure small, and prints it.
 */
#include "sim.h"

static struct event small[EVENTS], trial[EVENTS];
static uint32_t small_count;
static bool by_search; /* the schedule is one of search.c */

/* Tries without the events from `at` on; keeps it so if the run still fails. */
static bool try_without(uint32_t at, uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < small_count; i++) {
        if (i < at || i >= at + count)
            trial[kept++] = small[i];
    }
    if (world_run_script(trial, NULL, kept, by_search))
        return false;
    memcpy(small, trial, kept * sizeof *trial);
    small_count = kept;
    return true;
}

static const char *const op_names[] = {"",     "get",   "put",  "put 7", "del",   "add",
                                       "commute", "size", "walk", "save", "merge", "undo",
                                       "await", "sweep", "evict", "churn", "open",
                                       "follow", "read", "next", "reap", "observe"};

static void print_block(unsigned fibre, const struct block *block)
{
    printf("    thread %u:%s%s%s", fibre, block->flags & TXN_READ_ONLY ? " read-only" : "",
           block->flags & TXN_SNAPSHOT ? " snapshot" : "",
           block->flags & TXN_SERIAL ? " serial" : "");
    for (unsigned i = 0; i < OPS && block->ops[i].kind != END; i++)
        printf("%s %s %u", i ? "," : "", op_names[block->ops[i].kind], block->ops[i].key);
    printf("\n");
}

static void print_blocks(void)
{
    for (unsigned i = 0; i < run.count; i++) {
        for (unsigned j = 0; j < BLOCKS && drawn_blocks[i][j].ops[0].kind != END; j++)
            print_block(i, &drawn_blocks[i][j]);
    }
}

static void print_events(void)
{
    static const char *const names[] = {"goes on", "dies", "becomes visible", "wakes by time",
                                        "finds the store full", "holds its store back",
                                        "become visible", "dies when it is its turn again"};
    for (uint32_t i = 0; i < small_count; i++) {
        const struct event *event = &small[i];
        unsigned upper = event->argument >> 8, lower = event->argument & 0xff;
        if (event->fibre == FIBRES)
            printf("    at the start: ");
        else
            printf("    thread %u at its step %u, before %s: ", event->fibre, event->step,
                   event->where);
        if (event->kind == EVENT_FULL || event->kind == EVENT_HOLD)
            printf("%s\n", names[event->kind]);
        else if (event->kind == EVENT_DRAIN)
            printf("store %u of thread %u %s\n", lower, upper, names[event->kind]);
        else if (event->kind == EVENT_EMPTY)
            printf("%u stores of thread %u %s\n", lower, upper, names[event->kind]);
        else
            printf("thread %u %s\n", lower, names[event->kind]);
    }
}

static void shrink(void)
{
    for (uint32_t size = small_count / 2 + 1; size > 0; size /= 2) {
        for (uint32_t at = 0; at < small_count;) {
            if (!try_without(at, size))
                at += size;
        }
    }
}

void shrink_print(const struct event *events, uint32_t count, bool searched)
{
    memcpy(small, events, count * sizeof *small);
    small_count = count;
    by_search = searched;
    if (world_run_script(small, NULL, small_count, by_search)) {
        printf("  (does not fail as a script; not made smaller)\n");
        return;
    }
    shrink();
    world_run_script(small, NULL, small_count, by_search);
    printf("  smallest schedule found: %s\n", run.failure);
    print_blocks();
    print_events();
}
