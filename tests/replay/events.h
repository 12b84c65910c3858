/* events.h - what trace.c keeps of a run.
 */
#ifndef EVENTS_H
#define EVENTS_H

#include "trace.h"

/* Forgets all events.  `pause` is called at each one, in the thread that has taken the step. */
void events_start(void (*pause)(void));

/* Whose the events of the calling thread are that name no slot. */
void events_own(const struct slot *slot);

/* Prints a line for each event of the slots from `first` on: number of the slot, counted from
 * there, action, name of the key, value. */
void events_print(const struct slot *first, const char *(*key_name)(uint32_t order));

#endif
