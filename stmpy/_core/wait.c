/* wait.c - nodes, buckets and wake words.
 *
 * Invariant: while a slot has nodes, its wake word is 0 until a commit of one of its keys,
 * made after the registration, has marked it.  All three steps, checking the read set and
 * linking the nodes, marking, and unlinking, hold the commit lock.  The word is marked
 * before the lock is released and the sleeper looks at it in the futex call, so it does
 * not matter when the wake-up itself comes; a thread that dies before it leaves the mark,
 * and sleepers look for it now and then.
 */
#include "wait.h"

#include "lock.h"

#define HEARTBEAT_NS 1000000000u /* how often a sleeper looks whether its waker has died */

static shared_u32 *bucket_of(struct store *store, uint32_t order)
{
    return &store->region->waiters[(order * 2654435761u) >> 22];
}

_Static_assert(WAIT_BUCKETS == 1u << 10, "bucket_of keeps the upper 10 bits");

static struct wait_node *node_at(const struct store *store, region_ref ref)
{
    return store_at(store, ref);
}

static void link_node(struct store *store, region_ref ref)
{
    struct wait_node *node = node_at(store, ref);
    shared_u32 *bucket = bucket_of(store, node->order);
    region_ref first = load_relaxed(bucket);
    put_relaxed(&node->previous, 0);
    put_relaxed(&node->next, first);
    if (first != 0)
        put_relaxed(&node_at(store, first)->previous, ref);
    put_relaxed(bucket, ref);
}

static void unlink_node(struct store *store, region_ref ref)
{
    struct wait_node *node = node_at(store, ref);
    region_ref next = load_relaxed(&node->next), previous = load_relaxed(&node->previous);
    if (previous == 0)
        put_relaxed(bucket_of(store, node->order), next);
    else
        put_relaxed(&node_at(store, previous)->next, next);
    if (next != 0)
        put_relaxed(&node_at(store, next)->previous, previous);
}

static uint32_t count_reads(const struct txn *txn)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < txn->count; i++)
        count += (txn->entries[i].flags & ENTRY_READ) != 0;
    return count;
}

static void link_reads(struct txn *txn, region_ref block)
{
    struct slot *slot = txn->slot;
    uint32_t count = 0;
    for (uint32_t i = 0; i < txn->count; i++) {
        if (!(txn->entries[i].flags & ENTRY_READ))
            continue;
        struct wait_node *node = node_at(txn->store, block + count++);
        node->order = txn->entries[i].order;
        node->slot = slot_number(txn->store, slot);
        link_node(txn->store, block + count - 1);
        slot->wait_count = count; /* what wait_forget has to unlink if we die here */
    }
    txn->store->region->waiting += count;
}

enum stm_status wait_register(struct txn *txn, uint64_t deadline_ns)
{
    struct store *store = txn->store;
    struct slot *slot = txn->slot;
    bool serial = (txn->flags & TXN_SERIAL) != 0;
    uint32_t count = count_reads(txn);
    region_ref block = 0;
    enum stm_status status = STM_OK;
    if (count > 0)
        status = arena_alloc(store, slot, count * sizeof(struct wait_node), &block);
    if (status == STM_OK && !serial)
        status = lock_acquire(store, slot, deadline_ns);
    if (status == STM_OK) {
        bool unchanged = PLANTED(PARK_UNCHECKED) || txn_reads_unchanged(txn);
        if (unchanged) {
            slot->wait_block = block;
            slot->wait_room = count;
            slot->wait_count = 0;
            put_relaxed(&slot->wake, 0);
            link_reads(txn, block);
        }
        if (!serial)
            lock_release(store);
        if (unchanged)
            return STM_OK;
        status = STM_CONFLICT;
    }
    if (block != 0)
        arena_free(store, slot, block, count * sizeof(struct wait_node));
    return status;
}

enum stm_status wait_sleep(struct store *store, struct slot *slot, uint64_t deadline_ns)
{
    while (load_acquire(&slot->wake) == 0) { /* Pairs with wait_collect. */
        if (load_acquire(&store->region->closed)) /* Pairs with store_close. */
            return STM_OK;
        uint64_t now = platform_now_ns();
        if (now >= deadline_ns)
            return STM_TIMED_OUT;
        uint64_t left = deadline_ns - now;
        enum platform_wait woken = platform_futex_wait(
            &slot->wake, 0, left < HEARTBEAT_NS ? left : HEARTBEAT_NS);
        if (woken == PLATFORM_TIMED_OUT)
            lock_help(store, slot); /* a dead committer may not have marked whom to wake */
        if (woken != PLATFORM_WOKEN)
            return STM_INTERRUPTED;
    }
    return STM_OK;
}

void wait_forget(struct store *store, struct slot *slot)
{
    for (uint32_t i = 0; i < slot->wait_count; i++)
        unlink_node(store, slot->wait_block + i);
    store->region->waiting -= slot->wait_count;
    slot->wait_count = 0;
}

void wait_unregister(struct store *store, struct slot *slot)
{
    region_ref block = slot->wait_block;
    if (block != 0) {
        while (lock_acquire(store, slot, NO_DEADLINE) != STM_OK) {
            /* A signal came; it is looked at after this, which takes no time. */
        }
        wait_forget(store, slot);
        slot->wait_block = 0;
        lock_release(store);
        arena_free(store, slot, block, slot->wait_room * sizeof(struct wait_node));
    }
}

/* ---- waking ---------------------------------------------------------------------------- */

static void mark(struct store *store, uint32_t number, struct wake_list *list)
{
    struct slot *slot = &store_slots(store)[number];
    if (load_relaxed(&slot->wake) != 0)
        return;
    put_release(&slot->wake, 1); /* Pairs with wait_sleep. */
    if (list->count < WAKE_LIMIT)
        list->slots[list->count++] = number;
    else
        platform_futex_wake(&slot->wake, 1);
}

void wait_collect(struct store *store, region_ref ref, struct wake_list *list)
{
    if (store->region->waiting == 0)
        return;
    const struct cell *cell = store_cell(store, ref);
    uint32_t order = txn_cell_order(cell);
    region_ref at = load_relaxed(bucket_of(store, order));
    for (; at != 0; at = load_relaxed(&node_at(store, at)->next)) {
        const struct wait_node *node = node_at(store, at);
        if (node->order == order)
            mark(store, node->slot, list);
    }
}

void wait_wake(struct store *store, const struct wake_list *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        platform_futex_wake(&store_slots(store)[list->slots[i]].wake, 1);
}

void wait_wake_all(struct store *store)
{
    uint32_t count = load_acquire(&store->region->slots_used); /* Pairs with slot_claim. */
    for (uint32_t i = 0; i < count; i++) {
        put_release(&store_slots(store)[i].wake, 1); /* Pairs with wait_sleep. */
        platform_futex_wake(&store_slots(store)[i].wake, 1);
    }
}
