/* arena.h - memory of the region.
 *
 * Blocks come in 84 size classes.  Each slot keeps some free blocks of each class in a
 * magazine that no other thread touches; whole batches move between magazines and one
 * lock-free stack per class (Bonwick's magazines over Treiber's stack).  Whoever dies
 * anywhere in here leaves all lists sound and loses at most the batch in its hands.
 */
#ifndef STMPY_ARENA_H
#define STMPY_ARENA_H

#include "store.h"

#define ARENA_MAX_BLOCK ((size_t)32 << 20)

/* A block of at least `bytes` bytes, of undefined contents, owned by the caller.
 * STM_STORE_FULL when the region has none; STM_TOO_LARGE above ARENA_MAX_BLOCK. */
enum stm_status arena_alloc(struct store *store, struct slot *slot, size_t bytes, region_ref *out);

/* Gives a block back that was allocated with this size, by any slot. */
void arena_free(struct store *store, struct slot *slot, region_ref ref, size_t bytes);

/* Hands every block of the slot's magazines to the shared stacks. */
void arena_flush(struct store *store, struct slot *slot);

/* The bytes that a request of this size really takes. */
size_t arena_rounded(size_t bytes);

/* Bytes in use: allocated and not freed, by living and former slots. */
uint64_t arena_used(struct store *store);

#endif
