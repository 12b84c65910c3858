/* sim.h - what the files of the simulator know of each other.
 *
 *     fibre.c      logical threads and how one gives way to another
 *     memory.c     shared accesses: store buffers, and which blocks of the arena are live
 *     schedule.c   who runs next, who dies, what becomes visible;  script.c  by script
 *     process.c    futexes, time and processes as the core sees them
 *     oracle.c     the sequential map, and what each attempt must have seen
 *     block.c      runs the blocks of a scenario against the core
 *     blind.c      and those of their steps that write without reading
 *     follow.c     those who read the log of commits
 *     world.c      a region before and during one schedule;  check.c  and after it
 *     search.c     all schedules up to a bound;  depend.c  those worth running
 *     shrink.c     making a failing one small, and printing it
 *     plants.c     bugs that must be found
 *     scenarios.c  the table of scenarios;  main.c  the command
 */
#ifndef SIM_H
#define SIM_H

#include "history.h"
#include "lock.h"
#include "recover.h"
#include "stats.h"
#include "txn.h"
#include "variable.h"
#include "wait.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIBRES 4u
#define BUFFER 16u

/* ---- fibres ------------------------------------------------------------------------------ */

enum fibre_state { FIBRE_READY, FIBRE_WAITING, FIBRE_DONE, FIBRE_DEAD };

struct buffered {
    void *address;
    uint64_t value;
    uint8_t bytes;
    bool release;
    uint32_t held_from; /* by script, since this access of the run; UINT32_MAX: it is not */
};

/* One logical thread, and the process it is alone in. */
struct fibre {
    enum fibre_state state;
    unsigned number;
    bool in_arena;           /* within arena.c, which looks at free blocks by right */
    bool stores;             /* its next access is a store that may become visible late */
    uint64_t steps;          /* of this fibre, over all of the run */
    const char *where;       /* function of its next access */
    const void *word;        /* futex word it sleeps on */
    uint64_t asleep_since;   /* position in the queue of the word */
    uint64_t deadline_ns;
    enum platform_wait woken;
    struct buffered buffer[BUFFER]; /* stores that nobody else sees yet, oldest first */
    unsigned buffered;
};

/* ---- one run ------------------------------------------------------------------------------ */

/* What differs from "go on with the fibre that runs". */
enum event_kind {
    EVENT_SWITCH,
    EVENT_KILL,
    EVENT_DRAIN,
    EVENT_TIMEOUT,
    EVENT_FULL,
    EVENT_HOLD,     /* its store stays in the buffer */
    EVENT_EMPTY,    /* so many stores of a buffer become visible */
    EVENT_KILL_LATE /* it dies when it would go on after a switch */
};

struct event {
    uint32_t fibre, step; /* when this fibre comes to this step of its own */
    enum event_kind kind;
    uint32_t argument;    /* fibre to switch to, to drain or to time out */
    const char *where;
};

#define EVENTS 8192u
#define POINTS 8192u

/* A step of a scripted run at which something else could have happened. */
enum point_kind {
    POINT_FREE,   /* another fibre could have gone on */
    POINT_FORCED, /* one must, as the fibre itself can't */
    POINT_ALLOC   /* the store could be full */
};
struct point {
    uint32_t fibre, step;
    uint32_t ready, asleep;   /* sets of fibres */
    uint32_t at;              /* accesses of the run before it */
    uint64_t digest;          /* of what a death would leave; 0: not asked for */
    enum point_kind kind;
    bool stores;              /* the step is a store that may become visible late */
    const char *where;
    struct held {             /* what is still to become visible: so many stores, */
        uint32_t stores;
        uint32_t from;        /* of which the first is held since this access of the run */
        const void *address;
    } held[FIBRES];
};

struct run {
    struct fibre fibres[FIBRES];
    unsigned count;
    struct fibre *current; /* NULL in the main program */
    unsigned acting;       /* process the main program acts for */
    uint64_t steps, sleeps, now_ns, timeouts, allocations;
    unsigned deaths;
    bool done;
    const char *failure;   /* NULL: none */
    bool redundant;        /* broken off: another run does the same */
    bool mortal;           /* points are to have a digest, for deaths */
    char message[512];
    struct event events[EVENTS];
    uint32_t event_count;
    struct point points[POINTS];
    uint32_t point_count;
    struct region *region;
};

extern struct run run;

struct step; /* depend.h */

/* Ends the run as failed. */
void sim_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

void fibres_start(unsigned count, void (*body)(unsigned number));
/* Ends the run, which another one stands for. */
void sim_stop(void) __attribute__((noreturn));
/* Runs fibres until all are done or dead, or the run fails. */
void fibres_run(void);
/* Calls the function; false if it, or the run before, failed. */
bool sim_guard(void (*function)(void));
void fibre_switch(struct fibre *next);
/* The current fibre cannot go on: gives way for good or until it is ready again. */
void fibre_block(enum fibre_state state);

/* ---- memory -------------------------------------------------------------------------------- */

/* No store is watched; the next one that allocates is. */
void memory_forget(void);
/* What is live now, memory_reset makes live again. */
void memory_keep(void);
void memory_reset(void);
void memory_drain_all(struct fibre *fibre);
void memory_drain_one(struct fibre *fibre, unsigned place);
/* Of all that a death of the running fibre would leave to others. */
uint64_t memory_digest(const struct store *store);
bool memory_can_drain(const struct fibre *fibre, unsigned place, bool in_order);
bool memory_is_block(region_ref ref, size_t bytes);
uint64_t memory_live_bytes(void);
uint64_t memory_live_blocks(void);
bool memory_is_free(region_ref ref);
/* From here on, or no longer, free blocks are looked at by right. */
void memory_enter_arena(bool inside);

/* ---- schedule ------------------------------------------------------------------------------ */

enum strategy { STRATEGY_WALK, STRATEGY_PRIORITY, STRATEGY_SCRIPT };

struct options {
    unsigned deaths;  /* at most */
    bool full;        /* an allocation may fail */
    bool delay;       /* stores may become visible late */
    bool timeouts;    /* sleepers may wake by themselves */
    bool arena;       /* steps within the arena count in every run */
};

void schedule_seed(uint64_t seed, unsigned fibres, const struct options *options);
/* `points`: notes them; the steps are those of the events, for depend.c. */
void schedule_script(const struct event *events, const struct step *steps, uint32_t count,
                     bool points);
/* Who begins. */
struct fibre *schedule_first(void);
/* Whether the script holds the store of this step back. */
bool schedule_hold(void);
/* Called before each shared access of a fibre. */
void schedule_step(const void *address, const char *where);
void schedule_pause(const char *where);
struct fibre *schedule_next(bool forced);
bool schedule_full(void);
/* How long a run was, and how often it allocated: helps to place what later ones draw. */
void schedule_learn(uint64_t steps, uint64_t allocations);
uint64_t draw(uint64_t *state);

/* ---- scenarios ------------------------------------------------------------------------------ */

/* Keys 0 to 2 are in the first variable, key 3 in the second. */
#define KEYS 4u
#define VARIABLES 2u
#define VARIABLE_OF(key) ((key) / 3)
#define ABSENT UINT64_MAX

enum op_kind {
    END,
    GET,
    PUT,   /* a value that is never written again */
    PUT_7, /* the value that keys have at first */
    DEL,
    ADD,     /* a number */
    COMMUTE, /* a function of the value: see commuted() */
    SIZE,  /* of the variable of the key */
    WALK,
    SAVE,  /* a nested block begins */
    MERGE,
    UNDO,
    AWAIT, /* the key, if it is absent */
    /* In place of a block: */
    SWEEP,
    EVICT,
    CHURN, /* as many blocks of the arena */
    OPEN,  /* a variable that is not there yet */
    FOLLOW, /* the log from here on; as its keeper if the key is 1 */
    READ,   /* so many commits of the log */
    NEXT,   /* one commit, and waits for it */
    REAP,    /* gives back the slots of the dead, without the lock */
    OBSERVE, /* the key, with a waiter that must be marked when it changes */
};
struct op {
    enum op_kind kind;
    unsigned key;
};

#define OPS 10u
struct block {
    uint32_t flags;     /* enum txn_flags */
    struct op ops[OPS]; /* up to END */
};

#define BLOCKS 4u
struct scenario {
    const char *name, *what;
    unsigned live;            /* set of keys that are there at first */
    unsigned tombs;           /* set of keys that were deleted and are not swept yet */
    uint64_t history_bytes;   /* 0: plenty */
    uint64_t max_bytes;       /* 0: plenty */
    struct options options;
    unsigned fibres;
    bool random;              /* blocks are drawn */
    bool small;               /* for a search through all schedules alone */
    bool claims;              /* fibres claim and release their slots themselves */
    struct block blocks[FIBRES][BLOCKS];
};

extern const struct scenario scenarios[];
extern const unsigned scenario_count;

bool world_open(const struct scenario *scenario);
void world_close(void);
/* One run; false if it failed.  Everything about it follows from the seed. */
bool world_run_seed(uint64_t seed);
bool world_run_script(const struct event *events, const struct step *steps, uint32_t count,
                      bool points);
const struct scenario *world_scenario(void);
/* After a run, in the main program. */
void check_world(struct store *store);

/* ---- blocks and what they must see ------------------------------------------------------------ */

/* The keys that the attempt has written, with what. */
struct own {
    unsigned written;
    unsigned added;          /* those of them whose content is added to what is there */
    unsigned commuted;       /* or tells how often the function is applied to it */
    uint64_t contents[KEYS];
};

struct seat {
    struct store *store; /* Borrowed */
    struct slot *slot;   /* Owned */
    region_ref tables[VARIABLES];
    struct txn txn;      /* Owned */
    struct index_hint hints[KEYS]; /* where the keys were found last */
};

extern struct seat seats[FIBRES + 1]; /* the last one is the main program's */
extern struct block drawn_blocks[FIBRES][BLOCKS];

uint64_t key_bytes(unsigned key);
void block_run(unsigned fibre, const struct block *block);
enum stm_status seat_get(struct seat *seat, unsigned key, uint64_t *out);
enum stm_status seat_put(struct seat *seat, unsigned key, uint64_t content);
enum stm_status seat_delete(struct seat *seat, unsigned key);
/* Looks a key up to write it. */
enum stm_status seat_entry(struct seat *seat, unsigned key, struct txn_entry **out);
/* Writes without reading, unless the block depends on the key already: not `blind` then. */
enum stm_status seat_add(struct seat *seat, unsigned key, uint64_t number, bool *blind);
enum stm_status seat_commute(struct seat *seat, unsigned key, bool *blind);
/* Commits, and runs functions again as often as their keys move. */
enum stm_status seat_commit(struct seat *seat, const struct own *own);
/* The function of COMMUTE; ABSENT counts as 0. */
uint64_t commuted(uint64_t content);
uint64_t decode_content(const struct version *version);
/* Fills in the keys of one variable; the others are ABSENT. */
enum stm_status seat_walk(struct seat *seat, unsigned variable, uint64_t contents[KEYS]);

/* Followers of the log: see follow.c. */
void follow_reset(void);
void follow_begin(unsigned fibre, struct seat *seat, bool keeper);
bool follow_read(unsigned fibre, struct seat *seat, unsigned limit);
void follow_await(unsigned fibre, struct seat *seat);
void follow_finish(unsigned fibre, struct seat *seat);
void follow_succeed(struct seat *seat);

void oracle_reset(const uint64_t contents[KEYS]);
void oracle_begin(unsigned fibre, struct txn *txn, const struct own *own);
void oracle_get(unsigned fibre, unsigned key, uint64_t content);
void oracle_size(unsigned fibre, unsigned variable, uint64_t count);
void oracle_walk(unsigned fibre, unsigned variable, const uint64_t contents[KEYS]);
/* The attempt is over; before txn_end.  `snapshot` is what it was before the commit. */
void oracle_end(unsigned fibre, enum stm_status status, uint64_t snapshot);
/* The clock is being set. */
void oracle_clock(uint64_t clock);
const uint64_t *oracle_final(void);
const uint64_t *oracle_map(uint64_t clock);
/* Leaves the keys of one variable. */
void oracle_keep_variable(uint64_t contents[KEYS], unsigned variable);
uint64_t oracle_count(const uint64_t contents[KEYS]);
uint64_t oracle_clock_now(void);

/* ---- search ---------------------------------------------------------------------------------- */

/* All schedules of the open scenario with up to `bound` pre-emptions; how many they were,
 * and how many of these were redundant.  Stops at a failure. */
uint64_t search_all(unsigned bound, uint64_t limit, uint64_t *redundant);
/* The schedule at which it stopped. */
const struct event *search_failed(uint32_t *count);
/* Makes a schedule that fails, one of search_all or not, as small as it can, and prints it. */
void shrink_print(const struct event *events, uint32_t count, bool searched);

/* Hunts for every planted bug, or for one, by chance or through all schedules with up to so
 * many pre-emptions; false if one is not found within the limit. */
bool plants_hunt(const char *only, int bound, uint64_t limit);

#endif
