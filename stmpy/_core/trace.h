/* trace.h - the events of a run, named as the actions of the models.
 *
 * TRACE(slot, action, order, value) says that the thread of the slot (NULL: the one that
 * calls) has just taken a step: `order` tells the key (struct key), or is 0, and `value` is
 * what the step saw or made.  It stands after the shared access that is the step, and before
 * the next one.  It is nothing unless STMPY_TRACE is defined, as in the build of tests/replay,
 * which replays what it records against the models.  (After the traces of etcd's raft and TLA+.)
 */
#ifndef STMPY_TRACE_H
#define STMPY_TRACE_H

#include "store.h"

#define TRACE_ABSENT UINT64_MAX

/* The value of a look-up: when the version that it found was committed. */
static inline uint64_t trace_ts(const struct store *store, region_ref version)
{
    return version == 0 ? TRACE_ABSENT : load_relaxed(&store_version(store, version)->ts);
}

#ifdef STMPY_TRACE
#define TRACE(slot, action, order, value) trace_event((slot), (action), (order), (value))
void trace_event(const struct slot *slot, const char *action, uint32_t order, uint64_t value);
#else
#define TRACE(slot, action, order, value) ((void)sizeof(value))
#endif

#endif
