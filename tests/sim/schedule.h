/* schedule.h - what schedule.c and script.c know of each other.
 */
#ifndef SCHEDULE_H
#define SCHEDULE_H

#include "depend.h"

void schedule_kill(struct fibre *victim);
void schedule_time_out(struct fibre *fibre);
/* The set of fibres that can go on. */
unsigned schedule_ready(void);
struct fibre *schedule_pick(unsigned set, uint64_t nth);
/* Nobody can: time passes, if that is not how a lost wake-up would be hidden. */
bool schedule_pass_time(void);

void script_begin(const struct event *events, const struct step *steps, uint32_t count,
                  bool points, bool in_order);
struct fibre *script_first(void);
/* Who goes on; NULL if nobody can. */
struct fibre *script_next(bool forced);
/* Whether that is to happen at this step. */
bool script_says(enum event_kind kind);
/* Notes what else could happen here, if anything could. */
void script_point(enum point_kind kind);

#endif
