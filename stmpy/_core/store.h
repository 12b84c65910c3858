/* store.h - a region as this process has it mapped.
 *
 * A `struct store` is shared by every interpreter and thread of the process and by the
 * children it forks; it lives from store_create until the last handle is released.
 */
#ifndef STMPY_STORE_H
#define STMPY_STORE_H

#include "region.h"
#include "status.h"

struct store {
    struct region *region;  /* Owned: the mapping */
    size_t mapped_bytes;    /* Immutable after publish */
    int file;               /* Owned: the memory file */
    int lifeline[2];        /* Owned: a pipe, or -1; Protected by the registry's lock */
    uint64_t number;        /* Immutable after publish: names the store in this process */
    char name[64];          /* Immutable after publish: UTF-8, ends with 0; may be empty */
    struct store *next;     /* Protected by the registry's lock */
    uint64_t handles;       /* Protected by the registry's lock: what keeps the mapping */
    uint64_t users;         /* Protected by the registry's lock: those that can be asked for it */
    bool counted;           /* Immutable after publish: blocks are named and timed */
    shared_u32 dropped;     /* nobody in this process can reach it any more */
};

static inline void *store_at(const struct store *store, region_ref ref)
{
    return (uint8_t *)store->region + ((size_t)ref << 4);
}

static inline struct chunk *store_chunk(const struct store *store, region_ref ref)
{
    return store_at(store, ref);
}

static inline struct cell *store_cell(const struct store *store, region_ref ref)
{
    return store_at(store, ref);
}

static inline struct version *store_version(const struct store *store, region_ref ref)
{
    return store_at(store, ref);
}

/* The version that a snapshot shows, of those from `head` on; 0 if none is as old. */
static inline region_ref store_version_at(const struct store *store, region_ref head,
                                          uint64_t snapshot)
{
    region_ref ref = head;
    while (ref != 0 && load_relaxed(&store_version(store, ref)->ts) > snapshot)
        ref = load_acquire(&store_version(store, ref)->prev); /* Pairs with prune in history.c. */
    return ref;
}

static inline struct variable *store_variable(const struct store *store, region_ref ref)
{
    return store_at(store, ref);
}

static inline region_ref store_ref(const struct store *store, const void *block)
{
    return (region_ref)((size_t)((const uint8_t *)block - (const uint8_t *)store->region) >> 4);
}

static inline struct slot *store_slots(const struct store *store)
{
    return (struct slot *)((uint8_t *)store->region +
                           (sizeof(struct region) + 4095) / 4096 * 4096);
}

/* The bytes that blocks may take: max_bytes of store_open. */
uint64_t store_arena_bytes(const struct store *store);

/* Makes a new region and takes one handle on it.  With a name that a living store of
 * this process has, that store is the result, whatever the sizes.  Sizes in bytes. */
enum stm_status store_open(const char *name, uint64_t max_bytes, uint64_t history_bytes,
                           struct store **out);

/* Makes the pipe of a store on disk, if it has none yet.  Forked children have it too, nobody
 * writes to it, and it is at its end for who reads when the last of them all has ended. */
enum stm_status store_tie(struct store *store);

/* Maps the region of another process, whose memory file this is, and takes one handle on it.
 * STM_SYSTEM with EINVAL if the file is no region of this layout.  Closes the file with it. */
enum stm_status store_attach(int file, struct store **out);

/* Takes one more handle on the store with this number; NULL if it is gone. */
struct store *store_find(uint64_t number);

/* Gives a handle of store_open or store_find back.  After the last of them the store is
 * marked as dropped, and its name is free. */
void store_leave(struct store *store);

/* A handle that only keeps the mapping while a thread has a slot in it.  The last handle
 * of both kinds unmaps the region. */
void store_keep(struct store *store);
void store_release(struct store *store);

/* True if threads may let go of it: it was closed, or dropped by this process. */
static inline bool store_over(const struct store *store)
{
    /* Pairs with store_close and store_leave. */
    return load_acquire(&store->region->closed) || load_acquire(&store->dropped);
}

/* Marks the store as closed for this process and every other, and wakes who waits.
 * The mapping stays until the last handle is released. */
void store_close(struct store *store);

/* Calls `visit` for every store of the process, with the registry locked. */
void store_each(void (*visit)(struct store *store, void *context), void *context);

#endif
