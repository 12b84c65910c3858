/* durable_state.h - the part of a region in which the keeper tells the others about the disk.
 */
#ifndef STMPY_DURABLE_STATE_H
#define STMPY_DURABLE_STATE_H

#include "platform.h"

enum durable_state {
    DURABLE_NONE,    /* a store in memory only */
    DURABLE_OPENING, /* the keeper loads it */
    DURABLE_RUNNING,
    DURABLE_FULL,    /* the disk is full: no new writes until there is room */
    DURABLE_FAILED,  /* the disk has failed: no new writes */
    DURABLE_CLOSED,  /* the keeper has written everything and has left */
};

#define DURABLE_BUCKETS 32u
#define DURABLE_TEXT 4096u

/* What the keeper tells the others.  It alone writes, but for the fields of the opening. */
struct durable {
    shared_u64 version;   /* commits up to this one survive a power cut */
    shared_u32 state;     /* enum durable_state */
    shared_u32 tick;      /* futex word: counts the changes of the two */
    uint32_t relaxed;     /* 1: blocks do not wait; Immutable after the opening */
    uint32_t opener;      /* pid of the program; Immutable after the opening */
    shared_u64 keeper;    /* its process or the one that starts it, as in struct slot; or 0 */
    shared_u64 guard;     /* the process that replaces it, or 0 */
    shared_u64 loaded, to_load; /* keys, while opening */
    shared_u64 groups;    /* written so far */
    shared_u64 sizes[DURABLE_BUCKETS]; /* commits per group */
    shared_u64 micros[DURABLE_BUCKETS]; /* microseconds per write and sync of a group */
    char path[DURABLE_TEXT];    /* ends with 0; Immutable after the opening */
    char message[DURABLE_TEXT]; /* why it failed; Immutable once the state says so */
};

#endif
