/* search.c - every schedule with few pre-emptions.
 *
 * A run goes on with one fibre until it cannot; then each of the others is tried, at no
 * cost.  It is pre-empted at up to `bound` of its points, the accesses to addresses that
 * two fibres use (Musuvathi and Qadeer, 2007); elsewhere a switch makes no difference.
 *   A store buffer counts as a fibre whose turn comes with every store, as on x86: holding
 * a store back pre-empts it, and it goes on when a fence waits for it or when a switch goes
 * to it.  A sleeper that wakes by itself costs as much as a pre-emption.  Deaths, up to the
 * number of the scenario, and one failed allocation cost nothing.
 */
#include "depend.h"

#define DEPTH 64u

struct budget {
    unsigned bound, deaths;
    bool full;
};

/* What else could have happened at the points of the run before. */
struct branches {
    uint32_t count;
    struct point *points;     /* Owned */
    struct step *steps;       /* Owned; what was done there instead */
    unsigned *redundant;      /* Owned; sets of fibres that need not go on there, */
    unsigned *unseen;         /* Owned; and of those whose held stores nobody has missed */
    struct window {           /* for each fibre: if it goes on in place of this one, */
        bool known;
        struct point start;
        struct reach reach;   /* this is what happens until this one goes on */
    } windows[FIBRES];
};

static struct event script[DEPTH];
static struct step steps[DEPTH];
static struct reach reaches[DEPTH]; /* while the step waited, in all runs since it was added */
static uint32_t length, failed_length;
static uint64_t searched, search_limit, redundant;
static uint32_t shared;

static bool explore(uint32_t from, struct budget left);

/* A point might have been missed while it was not known that two fibres use the address. */
static bool outdated(void)
{
    return depend_shared_count() != shared;
}

static void forget_windows(struct branches *branches)
{
    for (unsigned i = 0; i < FIBRES; i++)
        branches->windows[i].known = false;
}

static struct branches *keep_branches(uint32_t from)
{
    uint32_t count = run.point_count;
    struct branches *out = malloc(sizeof *out);
    out->count = count;
    out->points = malloc((count + 1) * sizeof *out->points);
    out->steps = malloc((count + 1) * sizeof *out->steps);
    out->redundant = malloc((count + 1) * sizeof *out->redundant);
    out->unseen = malloc((count + 1) * sizeof *out->unseen);
    forget_windows(out);
    memcpy(out->points, run.points, count * sizeof *out->points);
    for (uint32_t i = from; i < count; i++) {
        const struct point *point = &run.points[i];
        uint32_t next = i + 1 < count ? run.points[i + 1].at : UINT32_MAX;
        depend_step_at(point->at, next, &out->steps[i]);
        out->redundant[i] = out->unseen[i] = 0;
        for (unsigned f = 0; f < run.count; f++) {
            out->redundant[i] |= (unsigned)depend_redundant(f, point->at) << f;
            out->unseen[i] |= (unsigned)depend_unseen(f, &point->held[f], point->at) << f;
        }
    }
    return out;
}

static void free_branches(struct branches *branches)
{
    free(branches->points);
    free(branches->steps);
    free(branches->redundant);
    free(branches->unseen);
    free(branches);
}

/* The branch that is being built: what happens at one point. */
static void add_event(const struct point *point, const struct step *step, enum event_kind kind,
                      unsigned argument)
{
    script[length] = (struct event){point->fibre, point->step, kind, argument, point->where};
    steps[length].count = step->count;
    if (step->count != STEP_UNKNOWN)
        memcpy(steps[length].accesses, step->accesses, step->count * sizeof step->accesses[0]);
    memset(&reaches[length], 0, sizeof reaches[length]);
    length++;
}

static bool try(uint32_t point, struct budget left, uint32_t events)
{
    bool fine = explore(point + 1, left);
    length -= events;
    return fine;
}

static struct budget pay(struct budget left, unsigned cost)
{
    left.bound -= cost;
    return left;
}

/* ---- what else could have happened at a point --------------------------------------------------- */

/* The fibre dies when it is its turn again, if others have looked whether it lives. */
static bool try_late_death(const struct branches *branches, uint32_t i, unsigned other,
                           struct budget left)
{
    const struct point *point = &branches->points[i];
    uintptr_t state = (uintptr_t)&run.fibres[point->fibre].state;
    struct step death = {1, {{state, state + 1, (uint8_t)point->fibre, DEPEND_WRITE}}};
    if (!depend_reaches(&branches->windows[other].reach, &death))
        return true;
    left.deaths--;
    add_event(point, &death, EVENT_SWITCH, other);
    add_event(point, &death, EVENT_KILL_LATE, point->fibre);
    return try(i, left, 2);
}

/* Whether the others can do now what they could do at the point where the window begins. */
static bool same_start(const struct point *one, const struct point *other)
{
    bool same = one->ready == other->ready && one->asleep == other->asleep;
    for (unsigned i = 0; i < run.count; i++)
        same &= one->held[i].stores == other->held[i].stores;
    return same;
}

/* Whether nothing that they do, if they go on now, depends on what this fibre does next; or
 * on the store that it holds back, and there will be no other chance. */
static bool foreseen(const struct branches *branches, uint32_t i, const struct window *window,
                     struct budget left)
{
    const struct point *point = &branches->points[i];
    uintptr_t address = (uintptr_t)point->held[point->fibre].address;
    struct step held = {1, {{address, address + 1, (uint8_t)point->fibre, DEPEND_WRITE}}};
    if (!window->known || !same_start(point, &window->start))
        return false;
    bool in_vain = branches->unseen[i] >> point->fibre & 1 && left.bound == 0;
    return !depend_reaches(&window->reach, &branches->steps[i]) ||
           (in_vain && !depend_reaches(&window->reach, &held));
}

/* Another one goes on. */
static bool try_pre_emption(struct branches *branches, uint32_t i, unsigned other,
                            struct budget left)
{
    struct window *window = &branches->windows[other];
    bool fine = true;
    if (!foreseen(branches, i, window, left)) {
        uint32_t place = length;
        add_event(&branches->points[i], &branches->steps[i], EVENT_SWITCH, other);
        fine = try(i, left, 1);
        *window = (struct window){true, branches->points[i], reaches[place]};
    }
    return fine && (left.deaths == 0 || try_late_death(branches, i, other, left));
}

/* Others go on. */
static bool try_switches(struct branches *branches, uint32_t i, struct budget left)
{
    const struct point *point = &branches->points[i];
    bool forced = point->kind == POINT_FORCED, fine = true;
    unsigned here = forced ? (unsigned)__builtin_ctz(point->ready) : point->fibre;
    for (unsigned other = 0; other < run.count && fine; other++) {
        if (!(point->ready >> other & 1) || other == here || branches->redundant[i] >> other & 1)
            continue;
        if (!forced) {
            fine = try_pre_emption(branches, i, other, pay(left, 1));
            continue;
        }
        add_event(point, &branches->steps[i], EVENT_SWITCH, other);
        fine = try(i, left, 1);
    }
    for (unsigned other = 0; other < run.count && fine; other++) {
        if (!(point->asleep >> other & 1) || left.bound < 1u + !forced)
            continue;
        add_event(point, &branches->steps[i], EVENT_TIMEOUT, other);
        add_event(point, &branches->steps[i], EVENT_SWITCH, other);
        fine = try(i, pay(left, 1u + !forced), 2);
    }
    return fine;
}

/* So many stores of a buffer become visible, and this fibre or another one goes on. */
static bool try_buffer(const struct branches *branches, uint32_t i, unsigned buffer,
                       unsigned stores, struct budget left)
{
    const struct point *point = &branches->points[i];
    const struct step *step = &branches->steps[i];
    unsigned argument = buffer << 8 | stores;
    bool fine = true;
    if (buffer != point->fibre) {
        add_event(point, step, EVENT_EMPTY, argument);
        fine = try(i, left, 1);
    }
    for (unsigned other = 0; other < run.count && fine; other++) {
        if (!(point->ready >> other & 1) || other == point->fibre)
            continue;
        add_event(point, step, EVENT_EMPTY, argument);
        add_event(point, step, EVENT_SWITCH, other);
        fine = try(i, left, 2);
    }
    return fine;
}

static bool try_buffers(const struct branches *branches, uint32_t i, struct budget left)
{
    const struct point *point = &branches->points[i];
    unsigned free_cost = point->kind == POINT_FREE;
    bool fine = true;
    for (unsigned buffer = 0; buffer < run.count; buffer++) {
        if (branches->unseen[i] >> buffer & 1)
            continue;
        for (unsigned stores = 1; stores <= point->held[buffer].stores && fine; stores++) {
            unsigned cost = free_cost + (stores < point->held[buffer].stores);
            if (cost <= left.bound)
                fine = try_buffer(branches, i, buffer, stores, pay(left, cost));
        }
    }
    return fine;
}

/* Whether death at the next point leaves the same. */
static bool dies_alike(const struct branches *branches, uint32_t i)
{
    const struct point *point = &branches->points[i], *next = point + 1;
    return i + 1 < branches->count && next->fibre == point->fibre && next->kind == POINT_FREE &&
           next->digest == point->digest && next->ready == point->ready;
}

static bool try_point(struct branches *branches, uint32_t i, struct budget left)
{
    const struct point *point = &branches->points[i];
    const struct step *step = &branches->steps[i];
    if (point->kind == POINT_ALLOC) {
        if (left.full)
            return true;
        add_event(point, step, EVENT_FULL, 0);
        left.full = true;
        return try(i, left, 1);
    }
    bool fine = true;
    if (point->kind == POINT_FORCED || left.bound > 0)
        fine = try_switches(branches, i, left) && try_buffers(branches, i, left);
    /* Who looks at the address meanwhile has to be let in, by one pre-emption more. */
    if (fine && left.bound > 1 && point->stores && point->held[point->fibre].stores == 0 &&
        world_scenario()->options.delay) {
        add_event(point, step, EVENT_HOLD, 0);
        fine = try(i, pay(left, 1), 1);
    }
    if (fine && left.deaths > 0 && point->kind == POINT_FREE && !dies_alike(branches, i)) {
        add_event(point, step, EVENT_KILL, point->fibre);
        left.deaths--;
        fine = try(i, left, 1);
    }
    return fine;
}

/* What the fibre does now may change what others do from here on. */
static void pass_point(struct branches *branches, uint32_t i)
{
    if (i + 1 < branches->count && branches->points[i + 1].fibre != branches->points[i].fibre)
        forget_windows(branches);
    for (unsigned other = 0; other < FIBRES; other++) {
        struct window *window = &branches->windows[other];
        if (window->known && depend_reaches(&window->reach, &branches->steps[i]))
            window->known = false;
    }
}

/* Runs the script, then all that only differ after its last event. */
static bool explore(uint32_t from, struct budget left)
{
    if (searched >= search_limit || outdated())
        return true;
    searched++;
    run.mortal = left.deaths > 0;
    bool fine = world_run_script(script, steps, length, true);
    redundant += run.redundant;
    depend_reach(steps, reaches);
    if (!fine) {
        failed_length = length;
        return false;
    }
    if (length + 2 > DEPTH)
        sim_fail("the search does not go so deep");
    struct branches *branches = keep_branches(from);
    for (uint32_t i = from; i < branches->count && fine; i++) {
        fine = try_point(branches, i, left);
        pass_point(branches, i);
    }
    free_branches(branches);
    return fine;
}

static bool explore_from_start(unsigned bound)
{
    const struct scenario *scenario = world_scenario();
    bool fine = true;
    searched = redundant = 0;
    for (unsigned first = 0; first < scenario->fibres && fine; first++) {
        script[0] = (struct event){FIBRES, 0, EVENT_SWITCH, first, "the start"};
        length = 1;
        fine = explore(0, (struct budget){bound, scenario->options.deaths, false});
    }
    return fine;
}

uint64_t search_all(unsigned bound, uint64_t limit, uint64_t *not_needed)
{
    bool fine = true;
    search_limit = limit;
    depend_learn(true);
    for (uint64_t seed = 1; seed <= 500; seed++)
        world_run_seed(seed);
    for (shared = UINT32_MAX; fine && outdated();) {
        shared = depend_shared_count();
        fine = explore_from_start(bound);
    }
    depend_learn(false);
    *not_needed = redundant;
    return searched;
}

const struct event *search_failed(uint32_t *count)
{
    *count = failed_length;
    return script;
}
