/* replica.h - what blocks.c knows of the store, and a follower of its log that checks it.
 */
#ifndef FUZZ_REPLICA_H
#define FUZZ_REPLICA_H

#include "content.h"

#define VARIABLES 2u
#define KEYS 16u /* half of them in each variable */
#define COMMITS 250u

extern struct store *store;
extern region_ref variables[VARIABLES];
extern struct content states[COMMITS + 2][KEYS]; /* all keys, by commit number */

/* A key of the store; its bytes stay until the next call. */
struct key key_of(uint32_t number);

static inline uint64_t newest(const struct store *store)
{
    return load_relaxed(&store->region->clock);
}

/* The slots are those of the one who follows; all but the first take the commit lock. */
bool replica_follows(void);
void replica_follow(struct slot *slot);
void replica_unfollow(struct slot *slot);

/* Takes a group of at most so many bytes, or of one commit; false if there is none. */
bool replica_go_on(struct slot *slot, size_t limit);

#endif
