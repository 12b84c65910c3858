/* search.c - every schedule with few pre-emptions, and small examples of failures.
 *
 * Exhaustive: a run goes on with one fibre until it cannot (then each of the others is
 * tried, at no cost), and is pre-empted at up to `bound` of the accesses to addresses that
 * two fibres use (Musuvathi and Qadeer, 2007).  Elsewhere a switch makes no difference.
 */
#include "sim.h"

#define DEPTH 64u

static struct event script[DEPTH];
static uint64_t searched, search_limit;

static void add_event(uint32_t at, const struct point *point, enum event_kind kind,
                      unsigned argument)
{
    script[at] = (struct event){point->fibre, point->step, kind, argument, ""};
}

static bool may_die(void)
{
    return world_scenario()->options.deaths > 0;
}

/* Runs the script of this length, then all that only differ after its last event. */
static bool explore(uint32_t length, uint32_t from, unsigned bound, bool death)
{
    if (searched >= search_limit)
        return true;
    searched++;
    if (!world_run_script(script, length, true))
        return false;
    if (length + 1 >= DEPTH)
        return true;
    uint32_t count = run.point_count;
    struct point *points = malloc((count + 1) * sizeof *points);
    memcpy(points, run.points, count * sizeof *points);
    bool fine = true;
    for (uint32_t i = from; i < count && fine; i++) {
        unsigned first = (unsigned)__builtin_ctz(points[i].ready);
        for (unsigned other = 0; other < run.count && fine; other++) {
            bool taken = points[i].forced ? other == first : other == points[i].fibre;
            if (!(points[i].ready >> other & 1) || taken || (!points[i].forced && bound == 0))
                continue;
            add_event(length, &points[i], EVENT_SWITCH, other);
            fine = explore(length + 1, i + 1, bound - !points[i].forced, death);
        }
        if (fine && death && !points[i].forced) {
            add_event(length, &points[i], EVENT_KILL, points[i].fibre);
            fine = explore(length + 1, i + 1, bound, false);
        }
    }
    free(points);
    return fine;
}

uint64_t search_all(unsigned bound, uint64_t limit)
{
    searched = 0;
    search_limit = limit;
    memory_learn(true);
    for (uint64_t seed = 1; seed <= 500; seed++)
        world_run_seed(seed);
    memory_learn(false);
    if (run.failure == NULL)
        explore(0, 0, bound, may_die());
    return searched;
}

/* ---- making a failure small --------------------------------------------------------------------- */

static struct event small[EVENTS], trial[EVENTS];
static uint32_t small_count;

/* Tries without the events from `at` on; keeps it so if the run still fails. */
static bool try_without(uint32_t at, uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < small_count; i++) {
        if (i < at || i >= at + count)
            trial[kept++] = small[i];
    }
    if (world_run_script(trial, kept, false))
        return false;
    memcpy(small, trial, kept * sizeof *trial);
    small_count = kept;
    return true;
}

static const char *const op_names[] = {"",     "get",   "put",  "put 7", "del",   "add",
                                       "commute", "size", "walk", "save", "merge", "undo",
                                       "await", "sweep", "evict", "churn", "open",
                                       "follow", "read", "next", "observe"};

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

void search_print(const struct event *events, uint32_t count)
{
    static const char *const names[] = {"goes on", "dies", "becomes visible", "wakes by time",
                                        "finds the store full"};
    for (uint32_t i = 0; i < count; i++) {
        const struct event *event = &events[i];
        unsigned other = event->kind == EVENT_DRAIN ? event->argument >> 8 : event->argument;
        printf("    thread %u at its step %u, before %s: ", event->fibre, event->step,
               event->where);
        if (event->kind == EVENT_FULL)
            printf("%s\n", names[event->kind]);
        else if (event->kind == EVENT_DRAIN)
            printf("store %u of thread %u %s\n", event->argument & 0xff, other,
                   names[event->kind]);
        else
            printf("thread %u %s\n", other, names[event->kind]);
    }
}

void search_shrink(void)
{
    memcpy(small, run.events, run.event_count * sizeof *small);
    small_count = run.event_count;
    if (world_run_script(small, small_count, false)) {
        printf("  (does not fail as a script; not made smaller)\n");
        return;
    }
    for (uint32_t size = small_count / 2 + 1; size > 0; size /= 2) {
        for (uint32_t at = 0; at < small_count;) {
            if (!try_without(at, size))
                at += size;
        }
    }
    world_run_script(small, small_count, false);
    printf("  smallest schedule found: %s\n", run.failure);
    print_blocks();
    search_print(small, small_count);
}
