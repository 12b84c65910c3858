/* region.h - the layout of the bytes that all participants share.
 *
 *     | header | slots[REGION_SLOTS] | arena ... max_bytes |
 *
 * A region is a memory file mapped MAP_SHARED.  Nothing in it is a pointer: blocks are
 * named by `region_ref`, their offset in units of 16 bytes, so that every process sees
 * the same bytes wherever it maps them.  The sizes are those of a sparse file: memory is
 * used by the pages that were written.
 */
#ifndef STMPY_REGION_H
#define STMPY_REGION_H

#include "durable_state.h"

#include <stdalign.h>

typedef uint32_t region_ref; /* offset / 16; 0 is no block */

#define REGION_MAGIC 0x3159504d54533130u
#define REGION_LAYOUT 5u
#define REGION_SLOTS 4096u
#define REGION_LINE 64 /* bytes of a cache line: what different threads write stays apart */

#define NO_SNAPSHOT 0 /* the clock starts at 1, so that zeroed memory is an idle slot */

/* ---- arena -------------------------------------------------------------------- */

#define ARENA_CLASSES 84u /* 16 steps of 16 bytes, then 4 per doubling up to 32 MiB */

/* Every block starts with two words that are only ever accessed atomically: the free
 * lists live in them, and a thread that lost a race may still look at them. */
struct chunk {
    shared_u32 link;  /* next free block of the same batch */
    shared_u32 batch; /* next batch, in the first block of a batch on a shared stack */
};

struct arena {
    alignas(REGION_LINE) shared_u64 top;                   /* bytes of the file handed out so far */
    alignas(REGION_LINE) shared_u64 stacks[ARENA_CLASSES]; /* first batch | tag << 32 */
    shared_u64 retired_bytes; /* net bytes allocated by slots that were given back */
};

/* What a slot keeps in hand of one size class. */
struct magazine {
    shared_u32 head; /* Owned by the slot: a list linked by chunk.link */
    uint32_t count;  /* Owned by the slot; of no account after its death */
};

/* ---- keys and values ---------------------------------------------------------- */

enum version_flags {
    VERSION_TOMBSTONE = 1, /* the key is absent from here on */
    VERSION_MUTABLE = 2,   /* the decoded value can be changed in place */
    VERSION_DELTA = 4,     /* pending: a number that the commit adds to what is there */
    VERSION_COMMUTED = 8,  /* pending: what a function made of what was there */
};

/* One committed value of one key.  Immutable after publish, except `prev`. */
struct version {
    shared_u32 prev;   /* the older version; Protected by the commit lock */
    shared_u32 site;   /* the block of code that wrote it; in limbo the next block there */
    shared_u64 ts;     /* commit number; set under the commit lock before publishing */
    uint32_t shape;    /* bytes of payload << VERSION_FLAG_BITS | enum version_flags */
    uint8_t payload[]; /* CBOR; in a structure cell the number of live keys as uint64_t */
};

#define VERSION_FLAG_BITS 4
#define VERSION_UNSETTLED ((uint32_t)VERSION_DELTA | VERSION_COMMUTED) /* see txn_blind.c */

static inline uint32_t version_length(const struct version *version)
{
    return version->shape >> VERSION_FLAG_BITS;
}

static inline size_t version_bytes(const struct version *version)
{
    return offsetof(struct version, payload) + version_length(version);
}

static inline bool version_live(const struct version *version)
{
    return (version->shape & VERSION_TOMBSTONE) == 0;
}

enum cell_flags {
    CELL_DEAD = 1,      /* unlinked: whoever still holds it must start again */
    CELL_QUEUED = 2,    /* in the dirty queue */
    CELL_STRUCTURE = 4, /* the structure cell of its variable: in no index */
    CELL_FRESH = 8,     /* made by a block that has not committed: in no list */
};

/* One key of one variable.  Identity is Immutable after publish. */
struct cell {
    shared_u32 next;      /* in the index; Protected by the commit lock */
    shared_u32 head;      /* newest version; Protected by the commit lock */
    uint32_t variable;    /* ref of struct variable */
    uint32_t order;       /* place in the index: its hash, lowest bit set */
    shared_u32 var_next;  /* in the variable's list; Protected by the commit lock */
    uint32_t var_prev;    /* Protected by the commit lock */
    uint32_t dirty_next;  /* in the dirty queue, or in limbo; Protected by the commit lock */
    uint16_t key_length;  /* bytes of key */
    shared_u16 flags;      /* enum cell_flags; Protected by the commit lock */
    uint8_t key[];        /* CBOR in canonical form */
};

static inline size_t cell_bytes(const struct cell *cell)
{
    return offsetof(struct cell, key) + cell->key_length;
}

/* Where a bucket of the index begins in the list of all cells. */
struct bucket {
    shared_u32 next;  /* a cell or a bucket, see index.c; Protected by the commit lock */
    shared_u32 guess; /* the version last made of a cell in here, which may be freed since */
};

/* One named variable: its keys in order of insertion. */
struct variable {
    shared_u32 next;      /* older variable; Immutable after publish */
    shared_u32 first;     /* first cell; Protected by the commit lock */
    uint32_t last;        /* last cell; Protected by the commit lock */
    uint32_t structure;   /* cell that carries the number of live keys; Immutable after publish */
    uint32_t name_length; /* bytes */
    uint32_t kind;        /* what the binding made of it; Immutable after publish */
    uint8_t name[];       /* UTF-8 */
};

/* ---- the log of commits ---------------------------------------------------------- */

/* A commit, or a part of one that is large.  Immutable after publish, except `next`. */
struct log_part {
    shared_u32 next;    /* the part after this one; Protected by the commit lock */
    shared_u32 more;    /* 1: the next part belongs to the same commit */
    shared_u64 ts;      /* commit number; UINT64_MAX until it is known */
    uint64_t offset;    /* bytes that were logged before it; set under the commit lock */
    uint32_t bytes;     /* of this part, writes included */
    uint32_t count;     /* writes in it */
};

/* One key that the commit wrote; the next one begins at a multiple of 8 bytes. */
struct log_write {
    uint32_t variable;   /* ref of struct variable */
    uint32_t shape;      /* of the version: bytes of value and enum version_flags */
    uint16_t key_length; /* bytes of key */
    uint16_t spare;      /* bytes behind the value: a sum may need fewer than were kept for it */
    uint8_t bytes[];     /* the key, then the value */
};

#define LOG_FOLLOWERS 64u

/* One reader of the log. */
struct follower {
    alignas(REGION_LINE) shared_u64 owner; /* its process, as in struct slot; or 0 */
    shared_u32 at;      /* first part it has not passed, 0: none yet; Protected by the commit lock */
    shared_u32 wake;    /* futex word: 1 once there is a part; Protected by the commit lock */
    uint32_t kind;      /* enum log_kind; Protected by the commit lock */
    shared_u32 lost;    /* 1: it was too slow, and its position was given up */
    shared_u32 reading; /* 1 while it looks at parts */
    uint64_t passed;    /* number of the last commit it passed; Protected by the commit lock */
};

struct log {
    alignas(REGION_LINE) shared_u64 followed; /* set of followers; Protected by the commit lock */
    shared_u32 first;     /* oldest part that is held; Protected by the commit lock */
    shared_u32 last;      /* newest one, 0 if there is none; Protected by the commit lock */
    shared_u64 end;       /* bytes logged so far; Protected by the commit lock */
    shared_u64 held_from; /* offset of `first`; Protected by the commit lock */
    shared_u64 kept_from; /* offset of what the keeper has not passed; Protected likewise */
    shared_u32 crowded;   /* futex word: 1 while somebody waits for room */
    uint32_t keeper;      /* 1 + place of the keeper, or 0; Protected by the commit lock */
    uint64_t limit;       /* Immutable after publish: bytes that one follower may be behind */
    struct follower followers[LOG_FOLLOWERS];
};

/* ---- threads ------------------------------------------------------------------- */

struct pending {
    region_ref cell;    /* the key written */
    region_ref version; /* Owned until published */
};

/* Counters and what is shown of a thread: written by that thread alone, read by anyone. */
#define HISTOGRAM_BUCKETS 16u /* bucket b counts values in [2^(b-1), 2^b); bucket 0 counts 0 */
#define TIME_BUCKETS 36u      /* the same of nanoseconds: the last one is from 17 s up */
#define STAT_REASONS 8u       /* room for enum conflict_reason */

struct slot_stats {
    shared_u64 read_set[HISTOGRAM_BUCKETS];  /* entries per committed block */
    shared_u64 write_set[HISTOGRAM_BUCKETS]; /* entries per committed block */
    shared_u64 allocated_bytes;       /* of the arena, minus what this slot freed */
};

/* What one block of code did in the threads of one slot. */
struct site_stats {
    alignas(REGION_LINE) shared_u32 site; /* number of its name; 0: unused, or the last entry */
    shared_u64 commits;               /* blocks committed, writing ones */
    shared_u64 read_only_commits;     /* blocks that wrote nothing */
    shared_u64 attempts[HISTOGRAM_BUCKETS]; /* per committed block that took more than one */
    shared_u64 aborts;                /* blocks left by an exception */
    shared_u64 serial;                /* attempts in serial mode */
    shared_u64 waits;                 /* times it was parked by retry */
    shared_u64 conflicts[STAT_REASONS];
    shared_u64 wasted_ns;             /* in attempts that were lost */
    shared_u64 commit_ns_sum;         /* of the commits that were timed */
    shared_u64 block_ns_sum;          /* of their blocks, from the first attempt on */
    shared_u64 commit_ns[TIME_BUCKETS];
    shared_u64 block_ns[TIME_BUCKETS];
};

/* A slot counts so many blocks of code apart, a power of two, and all others together. */
#define SLOT_SITES SCALED(64u, 4u)

#define KEY_WORDS 5u /* 8 bytes each: longer keys are cut */
struct key_name {
    shared_u32 variable; /* 0: none */
    shared_u32 length;   /* bytes of the whole key */
    shared_u64 words[KEY_WORDS];
};

/* One key that blocks of this thread have lost conflicts over. */
#define HEAT_ENTRIES 32u
struct heat {
    shared_u32 turn;     /* odd while the entry is being changed */
    shared_u32 winner, loser; /* sites; 0 in the table of keys alone */
    shared_u32 spare;
    struct key_name key;
    shared_u64 count;    /* conflicts; after a replacement an upper bound */
    shared_u64 cost_ns;  /* of the attempts lost; likewise */
};

/* The name of a block of code. */
#define REGION_SITES SCALED(1024u, 8u)
#define SITE_TEXT 240u
struct site_name {
    shared_u64 hash;     /* of the text; 0: free */
    shared_u32 ready;    /* 1 once the rest is there */
    uint32_t length;     /* bytes; Immutable after publish */
    uint8_t text[SITE_TEXT]; /* UTF-8, perhaps cut; Immutable after publish */
};

/* What a thread sleeps on. */
enum slot_sleep {
    SLEEP_NOT,
    SLEEP_LOCK,   /* the commit lock */
    SLEEP_CHANGE, /* in retry, until a key it has read changes */
    SLEEP_DISK,   /* until the disk has what it committed or saw, or has room for more */
};

#define ATTEMPT_SERIAL 0x80000000u /* set in slot.attempt while the block holds the lock */

/* Blocks that were unlinked and may still be looked at; freed when their epoch passed:
 * versions when every read operation, cells when every transaction of that time is over. */
enum limbo_kind { LIMBO_VERSIONS, LIMBO_CELLS, LIMBO_KINDS };

struct limbo {
    shared_u32 lists[2]; /* one is filled while the other waits; Protected by the commit lock */
    shared_u32 filled;   /* which one; Protected by the commit lock */
    uint64_t tag;        /* epoch of the list that waits; Protected by the commit lock */
};

/* Whoever waits for some keys; its nodes lie behind it. */
struct waiter {
    shared_u32 mark;  /* 1 once one of the keys was committed */
    shared_u32 next;  /* of the same slot; Protected by the commit lock */
    uint32_t slot;    /* Immutable after publish: number of the slot that it belongs to */
    uint32_t count;   /* Immutable after publish: its nodes */
    shared_u64 counted; /* nodes that region.waiting includes; Protected by the commit lock */
    uint64_t spare;
};

/* One key that is waited for. */
struct wait_node {
    shared_u32 next;     /* in its bucket; Protected by the commit lock */
    uint32_t order;      /* Immutable after publish: of the key, or of a variable's structure */
    uint32_t waiter;     /* Immutable after publish: ref of struct waiter */
    uint32_t spare;
};

#define WAIT_BUCKETS 1024u

/* Cells that have history to prune, linked by dirty_next.  Each thread queues those that it
 * supersedes a version of and sweeps them itself, so that threads which write different
 * keys stay out of each other's cache lines.  Protected by the commit lock. */
struct dirty_queue {
    region_ref first, last;
    uint64_t count;
};

/* One thread of one interpreter of one process, at work on this region. */
struct slot {
    alignas(REGION_LINE) shared_u64 owner; /* a process: pid << 32 | its start time; or 0 */
    uint32_t generation;         /* Protected by `owner`: counts the claims */
    uint64_t interpreter;        /* Protected by `owner` */
    uint64_t thread;             /* Protected by `owner` */

    alignas(REGION_LINE) shared_u64 snapshot; /* NO_SNAPSHOT while not in a block */
    shared_u64 reading;          /* epoch of the read operation that is running, or 0 */
    shared_u64 txn_epoch;        /* epoch at the start of a read-write transaction, or 0 */
    shared_u64 evicted;          /* the snapshot that was given up, or 0 */
    shared_u32 weak;             /* 1 while the transaction runs under snapshot isolation */
    shared_u32 attempt;          /* of the block that is open, from 1; 0: none is.  Shown only */
    shared_u64 started;          /* platform_ticks at its beginning.  Shown only */
    shared_u32 site;             /* number of its name.  Shown only */
    shared_u32 sleep;            /* enum slot_sleep.  Shown only */

    alignas(REGION_LINE) shared_u32 pending_block; /* Owned: array of struct pending */
    shared_u32 pending_count;    /* Owned */
    uint32_t pending_room;       /* Owned */
    shared_u32 log_first;        /* Owned until published: the parts its commit will log */

    alignas(REGION_LINE) shared_u32 wake; /* futex word: 1 once a key waited for was committed */
    shared_u32 waits;            /* its first struct waiter, or 0; Protected by the commit lock */

    alignas(REGION_LINE) struct dirty_queue dirty; /* Protected by the commit lock */
    uint64_t sweep_debt; /* versions superseded since it swept; Protected by the commit lock */

    struct magazine magazines[ARENA_CLASSES]; /* Owned */
    alignas(REGION_LINE) struct slot_stats stats;
    struct heat keys[HEAT_ENTRIES];  /* what was lost most often: keys, */
    struct heat pairs[HEAT_ENTRIES]; /* and keys by who lost them to whom */
    struct key_name waits_for;       /* the first key that it is parked for, */
    shared_u32 waits_for_keys;       /* and of how many it is */
    struct site_stats sites[SLOT_SITES + 1]; /* by number, open addressing; then all others */
};

/* ---- header -------------------------------------------------------------------- */

#define INDEX_FIRST_BITS SCALED(8u, 1u)
#define INDEX_SEGMENTS 24u

struct index {
    shared_u32 bits;                     /* there are 2^bits buckets */
    shared_u32 ready;                    /* those below are linked; Protected by the commit lock */
    uint64_t cells;                      /* Protected by the commit lock */
    shared_u64 removals;                 /* twice the cells unlinked; odd while one is */
    shared_u32 segments[INDEX_SEGMENTS]; /* arrays of struct bucket; Immutable after publish */
};

#define RECENT_CELLS SCALED(256u, 3u)

struct region {
    uint64_t magic;          /* Immutable after publish */
    uint32_t layout;         /* Immutable after publish */
    uint32_t slot_bytes;     /* Immutable after publish: sizeof(struct slot) */
    uint64_t bytes;          /* Immutable after publish: size of the file */
    uint64_t history_limit;  /* Immutable after publish */
    uint64_t hash_seed[2];   /* Immutable after publish */
    uint8_t id[16];          /* Immutable after publish: random name of this region */
    char name[64];           /* Immutable after publish: as in struct store */
    uint64_t opened_ns;      /* Immutable after publish: platform_now_ns */
    uint64_t tick_scale;     /* Immutable after publish: nanoseconds per tick, times 2^32 */

    /* What every commit writes, in one line: it changes hands with the lock. */
    alignas(REGION_LINE) shared_u64 clock; /* number of the last commit: THE commit point */
    shared_u64 recent_count;  /* cells written by all commits so far; Protected by the lock */
    shared_u64 history_bytes; /* superseded versions kept for snapshots; Protected by the lock */
    shared_u32 lock;          /* the commit lock: see lock.c */
    shared_u32 linking;       /* slot + 1 of a commit between first link and end; by the lock */
    shared_u32 maintaining;   /* lists are being edited: rebuild them if the owner died */
    uint32_t spare;
    shared_u64 waiting;       /* nodes linked in all buckets, at most; Protected by the lock */
    shared_u64 recent_wanted; /* a hint: how far `recent` is to be filled, see note_recent */
    shared_u64 recent_blank;  /* behind the last cell that is not in it; Protected by the lock */

    alignas(REGION_LINE) shared_u64 epoch; /* counts grace periods; starts at 1 */
    shared_u32 slots_used;   /* slots at and above were never claimed */
    shared_u32 closed;       /* the store was closed: waiters leave */
    shared_u32 urgent;       /* slot + 1 of a serial block that takes the lock next, or 0 */
    shared_u32 variables;    /* newest variable; Protected by the lock, read without it */
    shared_u32 given_back;   /* slots were given back since their cells were taken over */

    /* Protected by the commit lock from here on. */
    alignas(REGION_LINE) struct index index;
    struct dirty_queue left_over; /* cells of threads that no longer sweep them */
    uint64_t sweeps;         /* counts them; now and then the dead are looked for */
    uint64_t evict_after;    /* cells to sweep before a snapshot may be given up; 0: not over */
    struct limbo limbo[LIMBO_KINDS];
    alignas(REGION_LINE) shared_u32 recent[RECENT_CELLS]; /* newest at recent_count - 1 */
    shared_u32 waiters[WAIT_BUCKETS]; /* first node of each bucket */

    alignas(REGION_LINE) struct durable durable;
    alignas(REGION_LINE) struct log log;
    struct arena arena;
    struct site_name sites[REGION_SITES]; /* by hash, open addressing; none at 0 */
};

_Static_assert(offsetof(struct region, epoch) == offsetof(struct region, clock) + REGION_LINE,
               "a commit writes one line that others write too");

#endif
