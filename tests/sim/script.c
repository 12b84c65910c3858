/* script.c - runs that are told what to do, and what else could have been done in them.
 */
#include "schedule.h"

static struct {
    const struct event *events; /* Borrowed */
    const struct step *steps;   /* Borrowed, or NULL; by event: what was pre-empted for it */
    uint32_t count;
    bool points;                /* are noted */
    bool in_order;              /* stores become visible as on x86 */
} script;

void script_begin(const struct event *events, const struct step *steps, uint32_t count,
                  bool points, bool in_order)
{
    script.events = events;
    script.steps = steps;
    script.count = count;
    script.points = points;
    script.in_order = in_order;
}

static bool due(const struct event *event)
{
    return event->fibre == run.current->number && event->step == run.current->steps;
}

bool script_says(enum event_kind kind)
{
    for (uint32_t i = 0; i < script.count; i++) {
        if (script.events[i].kind == kind && due(&script.events[i]))
            return true;
    }
    return false;
}

static void empty(struct fibre *fibre, unsigned stores)
{
    while (stores-- > 0 && fibre->buffered > 0)
        memory_drain_one(fibre, 0);
}

/* Does what the event says; returns whom it switches to, if it does. */
static struct fibre *obey(const struct event *event)
{
    struct fibre *other = &run.fibres[event->argument & 0xff];
    struct fibre *buffer = &run.fibres[event->argument >> 8];
    unsigned place = event->argument & 0xff;
    switch (event->kind) {
    case EVENT_SWITCH:
        return other->state == FIBRE_READY ? other : NULL;
    case EVENT_KILL:
        if (run.current->state == FIBRE_READY)
            schedule_kill(other);
        return NULL;
    case EVENT_TIMEOUT:
        if (other->state == FIBRE_WAITING)
            schedule_time_out(other);
        return NULL;
    case EVENT_DRAIN:
        if (place < buffer->buffered && memory_can_drain(buffer, place, script.in_order))
            memory_drain_one(buffer, place);
        return NULL;
    case EVENT_EMPTY:
        empty(buffer, place);
        return NULL;
    default:
        return NULL;
    }
}

/* Who goes on by the script; the step that is pre-empted for it, if one is. */
static struct fibre *follow(const struct step **pre_empted)
{
    struct fibre *next = NULL;
    for (uint32_t i = 0; i < script.count; i++) {
        const struct event *event = &script.events[i];
        if (!due(event))
            continue;
        if (script.steps != NULL && (event->kind == EVENT_SWITCH || event->kind == EVENT_EMPTY))
            *pre_empted = &script.steps[i];
        struct fibre *other = obey(event);
        next = other != NULL ? other : next;
    }
    return next;
}

struct fibre *script_next(bool forced)
{
    const struct step *pre_empted = NULL;
    uint32_t before = depend_position();
    struct fibre *next = follow(&pre_empted);
    if (next == NULL && !forced)
        next = run.current;
    if (next == NULL && schedule_ready() == 0 && !schedule_pass_time())
        return NULL;
    if (next == NULL)
        next = schedule_pick(schedule_ready(), 0);
    if (pre_empted != NULL && !forced)
        depend_rest(run.current->number, before, pre_empted);
    depend_go_on(next->number);
    return next;
}

static unsigned sleeping_set(void)
{
    unsigned set = 0;
    for (unsigned i = 0; i < run.count && world_scenario()->options.timeouts; i++) {
        if (run.fibres[i].state == FIBRE_WAITING)
            set |= 1u << i;
    }
    return set;
}

/* Notes what else could happen here, if anything could. */
void script_point(enum point_kind kind)
{
    const struct fibre *self = run.current;
    unsigned ready = schedule_ready(), asleep = sleeping_set();
    bool others = (ready & (ready - 1)) != 0 || asleep != 0;
    bool deaths = world_scenario()->options.deaths > 0 && kind == POINT_FREE;
    if (!script.points || !(others || deaths || kind == POINT_ALLOC))
        return;
    if (run.point_count == POINTS)
        sim_fail("the simulator notes too few points");
    struct point *point = &run.points[run.point_count++];
    *point = (struct point){self->number, (uint32_t)self->steps, ready, asleep,
                            depend_position(), 0, kind, self->stores, self->where, {{0}}};
    for (unsigned i = 0; i < run.count; i++) {
        const struct fibre *fibre = &run.fibres[i];
        point->held[i] =
            (struct held){fibre->buffered, fibre->buffer[0].held_from, fibre->buffer[0].address};
    }
    if (deaths && run.mortal)
        point->digest = memory_digest(seats[FIBRES].store) + depend_writes();
}

struct fibre *script_first(void)
{
    bool told = script.count > 0 && script.events[0].fibre == FIBRES;
    return &run.fibres[told ? script.events[0].argument : 0];
}
