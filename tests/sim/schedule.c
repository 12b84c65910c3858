/* schedule.c - who runs next, who dies, what becomes visible.
 *
 * A run follows a seed or a script (script.c).  By seed: a random walk that changes fibres now and
 * then, or priorities that change at a few moments (PCT: Burckhardt, Kothari, Musuvathi
 * and Nagarakatte, 2010).  Whatever is decided against just going on is noted as an event,
 * so that any run can be repeated as a script, and a script made smaller.
 */
#include "schedule.h"

#define STEP_LIMIT 60000u
#define TIMEOUT_LIMIT 400u
#define NEVER UINT64_MAX

static struct {
    enum strategy strategy;
    struct options options;
    uint64_t state;          /* of the random numbers */
    uint64_t stickiness;     /* a change of fibre once in so many steps */
    uint64_t laziness;       /* a store becomes visible once in so many steps */
    bool in_order;           /* stores become visible as on x86 */
    bool arena;              /* also within the arena */
    uint64_t kill_at[2], changes[4], full_at; /* steps, or NEVER */
    unsigned priority[FIBRES], lowest;
} plan;

static uint64_t typical_steps, typical_allocations;

void sim_delay(bool on);

uint64_t draw(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static uint64_t below(uint64_t bound)
{
    return draw(&plan.state) % bound;
}

void schedule_seed(uint64_t seed, unsigned fibres, const struct options *options)
{
    static const uint64_t stickiness[] = {2, 4, 10, 30, 100};
    memset(&plan, 0, sizeof plan);
    plan.state = seed;
    plan.options = *options;
    plan.strategy = below(3) ? STRATEGY_WALK : STRATEGY_PRIORITY;
    plan.stickiness = stickiness[below(5)];
    plan.laziness = 4 << 3 * below(4);
    plan.in_order = below(2);
    plan.arena = below(4) == 0 || options->arena;
    plan.options.delay &= below(2) == 0;
    plan.options.timeouts &= below(2) == 0;
    uint64_t length = typical_steps * 5 / 4;
    for (unsigned i = 0; i < 2; i++)
        plan.kill_at[i] = i < options->deaths && below(3) ? below(length) + 1 : NEVER;
    for (unsigned i = 0; i < 4; i++)
        plan.changes[i] = below(2) ? below(length) + 1 : NEVER;
    plan.full_at = options->full && below(2) ? below(typical_allocations + 5) : NEVER;
    for (unsigned i = 0; i < fibres; i++)
        plan.priority[i] = (unsigned)below(1000) + 1000;
    plan.lowest = 999;
    sim_delay(plan.options.delay);
    depend_reset(false);
}

void schedule_script(const struct event *events, const struct step *steps, uint32_t count,
                     bool points)
{
    struct options options = plan.options;
    bool in_order = plan.in_order;
    memset(&plan, 0, sizeof plan);
    plan.strategy = STRATEGY_SCRIPT;
    plan.options = options;
    plan.in_order = in_order;
    plan.arena = !points || options.arena;
    plan.kill_at[0] = plan.kill_at[1] = plan.full_at = NEVER;
    sim_delay(options.delay && !points);
    depend_reset(points);
    script_begin(events, steps, count, points, in_order);
}

void schedule_learn(uint64_t steps, uint64_t allocations)
{
    if (steps > typical_steps)
        typical_steps = (typical_steps + steps) / 2;
    else
        typical_steps = (typical_steps * 15 + steps) / 16 + 1;
    typical_allocations = (typical_allocations * 15 + allocations) / 16 + 1;
}

/* ---- what is done --------------------------------------------------------------------------- */

static void note(enum event_kind kind, uint32_t argument)
{
    if (run.event_count == EVENTS)
        return;
    const struct fibre *self = run.current;
    run.events[run.event_count++] = (struct event){self->number, (uint32_t)self->steps, kind,
                                                   argument, self->where};
}

void schedule_kill(struct fibre *victim)
{
    if (victim->state != FIBRE_READY && victim->state != FIBRE_WAITING)
        return;
    note(EVENT_KILL, victim->number);
    run.deaths++;
    depend_access(victim->number, &victim->state, sizeof victim->state, DEPEND_WRITE);
    memory_drain_all(victim); /* the kernel's interrupt empties the store buffer */
    if (victim == run.current)
        fibre_block(FIBRE_DEAD);
    else
        victim->state = FIBRE_DEAD;
}

void schedule_time_out(struct fibre *fibre)
{
    if (++run.timeouts > TIMEOUT_LIMIT)
        sim_fail("stuck: %s in vain, again and again", fibre->where);
    fibre->state = FIBRE_READY;
    fibre->woken = PLATFORM_TIMED_OUT;
    if (fibre->deadline_ns > run.now_ns)
        run.now_ns = fibre->deadline_ns;
}

unsigned schedule_ready(void)
{
    unsigned set = 0;
    for (unsigned i = 0; i < run.count; i++) {
        if (run.fibres[i].state == FIBRE_READY)
            set |= 1u << i;
    }
    return set;
}

struct fibre *schedule_pick(unsigned set, uint64_t nth)
{
    for (unsigned i = 0;; i = (i + 1) % run.count) {
        if (set >> i & 1 && nth-- == 0)
            return &run.fibres[i];
    }
}

/* Nobody is ready: time passes, if that is not how a lost wake-up would be hidden. */
bool schedule_pass_time(void)
{
    struct fibre *first = NULL;
    for (unsigned i = 0; i < run.count; i++) {
        struct fibre *fibre = &run.fibres[i];
        if (fibre->state == FIBRE_WAITING &&
            (first == NULL || fibre->deadline_ns < first->deadline_ns))
            first = fibre;
    }
    if (first == NULL)
        return false;
    if (run.deaths == 0)
        sim_fail("every thread sleeps, one in %s: a wake-up was lost", first->where);
    schedule_time_out(first);
    return true;
}

/* ---- by seed ----------------------------------------------------------------------------------- */

static void drain_some(void)
{
    for (unsigned i = 0; i < run.count; i++) {
        struct fibre *fibre = &run.fibres[i];
        if (fibre->buffered == 0 || below(plan.laziness) != 0)
            continue;
        unsigned place = (unsigned)below(fibre->buffered);
        if (!memory_can_drain(fibre, place, plan.in_order))
            continue;
        note(EVENT_DRAIN, i << 8 | place);
        memory_drain_one(fibre, place);
    }
}

static void time_out_some(void)
{
    for (unsigned i = 0; i < run.count; i++) {
        if (run.fibres[i].state == FIBRE_WAITING && below(100) == 0) {
            note(EVENT_TIMEOUT, i);
            schedule_time_out(&run.fibres[i]);
        }
    }
}

static struct fibre *highest(unsigned set)
{
    struct fibre *best = NULL;
    for (unsigned i = 0; i < run.count; i++) {
        if (set >> i & 1 &&
            (best == NULL || plan.priority[i] > plan.priority[best->number]))
            best = &run.fibres[i];
    }
    return best;
}

static struct fibre *choose(unsigned set, bool forced)
{
    if (plan.strategy == STRATEGY_PRIORITY) {
        for (unsigned i = 0; i < 4; i++) {
            if (plan.changes[i] == run.steps && !forced)
                plan.priority[run.current->number] = plan.lowest--;
        }
        return highest(set);
    }
    if (!forced && below(plan.stickiness) != 0)
        return run.current;
    return schedule_pick(set, below((uint64_t)__builtin_popcount(set)));
}

struct fibre *schedule_first(void)
{
    return plan.strategy == STRATEGY_SCRIPT ? script_first() : &run.fibres[0];
}

bool schedule_hold(void)
{
    return plan.strategy == STRATEGY_SCRIPT && script_says(EVENT_HOLD);
}

/* ---- the two kinds of decision ------------------------------------------------------------------- */

struct fibre *schedule_next(bool forced)
{
    if (plan.strategy == STRATEGY_SCRIPT) {
        if (forced)
            script_point(POINT_FORCED);
        return script_next(forced);
    }
    unsigned set = schedule_ready();
    if (set == 0 && !schedule_pass_time())
        return NULL;
    if (set == 0)
        set = schedule_ready();
    struct fibre *next = choose(set, forced);
    if (next != run.current)
        note(EVENT_SWITCH, next->number);
    return next;
}

void schedule_step(const void *address, const char *where)
{
    struct fibre *self = run.current;
    if (++run.steps > STEP_LIMIT)
        sim_fail("stuck: %u steps, and still in %s", STEP_LIMIT, where);
    if (self == NULL)
        return;
    self->where = where;
    self->steps++;
    if (self->in_arena && !plan.arena)
        return;
    if (plan.strategy == STRATEGY_SCRIPT) {
        if (depend_shared(address))
            script_point(POINT_FREE);
        self->stores = false;
        fibre_switch(schedule_next(false));
        if (script_says(EVENT_KILL_LATE))
            schedule_kill(self);
        return;
    }
    if (run.steps == plan.kill_at[0] || run.steps == plan.kill_at[1])
        schedule_kill(&run.fibres[below(run.count)]);
    if (plan.options.delay)
        drain_some();
    if (plan.options.timeouts)
        time_out_some();
    fibre_switch(schedule_next(false));
}

/* A waiting loop: the others go first, or it would be no use to wait. */
void schedule_pause(const char *where)
{
    struct fibre *self = run.current;
    if (self == NULL)
        return;
    self->where = where;
    self->steps++;
    if (plan.strategy == STRATEGY_PRIORITY)
        plan.priority[self->number] = plan.lowest--;
    fibre_switch(schedule_next(false));
}

bool schedule_full(void)
{
    bool full = run.allocations++ == plan.full_at;
    if (plan.strategy == STRATEGY_SCRIPT) {
        if (plan.options.full)
            script_point(POINT_ALLOC);
        return script_says(EVENT_FULL);
    }
    if (full)
        note(EVENT_FULL, 0);
    return full;
}
