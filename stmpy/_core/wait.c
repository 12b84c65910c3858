/* wait.c - nodes, buckets, marks and wake words.
 *
 * Invariant: while a waiter's nodes are linked, its mark is 0 until a commit of one of its
 * keys, made after the registration, has set it.  All three steps, checking the read set and
 * linking the nodes, marking, and unlinking, hold the commit lock.  Marks and wake words are
 * set before the lock is released and a sleeper looks at its word in the futex call, so it
 * does not matter when the wake-up itself comes; a thread that dies before it leaves the
 * mark, and sleepers look for it now and then.
 *   The lists have one direction and each step on them is one store, so that whoever dies
 * in it leaves a list; nodes are taken out by looking for them.
 */
#include "wait.h"

#include "lock.h"
#include "stats.h"
#include "trace.h"

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

static struct waiter *waiter_at(const struct store *store, region_ref ref)
{
    return store_at(store, ref);
}

#define HEADER_UNITS ((uint32_t)(sizeof(struct waiter) / 16))
_Static_assert(sizeof(struct waiter) % 16 == 0 && sizeof(struct wait_node) == 16,
               "nodes are named by refs");

static size_t waiter_bytes(uint32_t count)
{
    return sizeof(struct waiter) + count * sizeof(struct wait_node);
}

static void link_node(struct store *store, region_ref ref)
{
    struct wait_node *node = node_at(store, ref);
    shared_u32 *bucket = bucket_of(store, node->order);
    put_relaxed(&node->next, load_relaxed(bucket));
    put_relaxed(bucket, ref);
}

static void unlink_node(struct store *store, region_ref ref)
{
    const struct wait_node *node = node_at(store, ref);
    shared_u32 *link = bucket_of(store, node->order);
    while (load_relaxed(link) != ref && load_relaxed(link) != 0 && !PLANTED(UNLINK_UNSOUGHT))
        link = &node_at(store, load_relaxed(link))->next;
    if (load_relaxed(link) == ref || PLANTED(UNLINK_UNSOUGHT))
        put_relaxed(link, load_relaxed(&node->next));
}

static uint32_t count_reads(const struct txn *txn)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < txn->count; i++)
        count += (txn->entries[i].flags & ENTRY_READ) != 0;
    return count;
}

/* Fills a waiter for the read set; it is not published yet. */
static void fill(const struct txn *txn, const struct slot *owner, region_ref ref, uint32_t count)
{
    struct waiter *waiter = waiter_at(txn->store, ref);
    put_relaxed(&waiter->mark, 0);
    waiter->slot = slot_number(txn->store, owner);
    waiter->count = count;
    put_relaxed(&waiter->counted, 0);
    struct wait_node *node = (struct wait_node *)(waiter + 1);
    for (uint32_t i = 0; i < txn->count; i++) {
        if (!(txn->entries[i].flags & ENTRY_READ))
            continue;
        node->order = txn->entries[i].order;
        node->waiter = ref;
        node++;
    }
}

static void publish(struct store *store, struct slot *owner, region_ref ref)
{
    struct waiter *waiter = waiter_at(store, ref);
    for (uint32_t i = 0; PLANTED(LATE_RECORD) && i < waiter->count; i++)
        link_node(store, ref + HEADER_UNITS + i);
    put_relaxed(&waiter->next, load_relaxed(&owner->waits));
    put_relaxed(&owner->waits, ref);
    /* A death in between leaves `waiting` too high, which costs others little. */
    if (!PLANTED(WAITING_UNCOUNTED))
        put_relaxed(&store->region->waiting,
                    load_relaxed(&store->region->waiting) + waiter->count);
    put_release(&waiter->counted, waiter->count); /* Pairs with who finds us dead. */
    for (uint32_t i = 0; !PLANTED(LATE_RECORD) && i < waiter->count; i++)
        link_node(store, ref + HEADER_UNITS + i);
}

enum stm_status wait_watch(struct txn *txn, struct slot *owner, uint64_t deadline_ns,
                           region_ref *out)
{
    struct store *store = txn->store;
    bool serial = (txn->flags & TXN_SERIAL) != 0;
    uint32_t count = count_reads(txn);
    region_ref ref;
    enum stm_status status = arena_alloc(store, txn->slot, waiter_bytes(count), &ref);
    if (status != STM_OK)
        return status;
    fill(txn, owner, ref, count);
    if (!serial)
        status = lock_acquire(store, txn->slot, deadline_ns);
    if (status == STM_OK) {
        bool unchanged = PLANTED(PARK_UNCHECKED) || txn_reads_unchanged(txn);
        TRACE(txn->slot, "wait_watch.check", 0, unchanged);
        if (unchanged) {
            if (owner == txn->slot)
                put_relaxed(&owner->wake, 0);
            TRACE(txn->slot, "wait_watch.reset", 0, 0);
            publish(store, owner, ref);
        }
        if (!serial)
            lock_release(store);
        if (PLANTED(LATE_RESET))
            put_relaxed(&owner->wake, 0);
        if (unchanged) {
            *out = ref;
            return STM_OK;
        }
        status = STM_CONFLICT;
    }
    arena_free(store, txn->slot, ref, waiter_bytes(count));
    return status;
}

enum stm_status wait_register(struct txn *txn, uint64_t deadline_ns)
{
    region_ref ref;
    enum stm_status status = wait_watch(txn, txn->slot, deadline_ns, &ref);
    if (status == STM_OK)
        stats_show_wait(txn);
    return status;
}

static bool was_woken(struct slot *slot)
{
    bool woken = load_acquire(&slot->wake) != 0; /* Pairs with mark. */
    TRACE(slot, "wait_sleep.look", 0, woken);
    return woken;
}

enum stm_status wait_sleep(struct store *store, struct slot *slot, uint64_t deadline_ns)
{
    while (!was_woken(slot)) {
        bool closed = load_acquire(&store->region->closed) != 0; /* Pairs with store_close. */
        TRACE(slot, "wait_sleep.closed", 0, closed);
        if (closed)
            return STM_OK;
        uint64_t now = platform_now_ns();
        if (now >= deadline_ns) {
            TRACE(slot, "wait_sleep.deadline", 0, 0);
            return STM_TIMED_OUT;
        }
        uint64_t left = deadline_ns - now;
        show_relaxed(&slot->sleep, SLEEP_CHANGE);
        enum platform_wait woken = platform_futex_wait(
            &slot->wake, 0, left < HEARTBEAT_NS ? left : HEARTBEAT_NS);
        show_relaxed(&slot->sleep, SLEEP_NOT);
        TRACE(slot, "platform_futex_wait", 0, woken);
        if (woken == PLATFORM_TIMED_OUT)
            lock_help(store, slot); /* a dead committer may not have marked whom to wake */
        if (woken != PLATFORM_WOKEN)
            return STM_INTERRUPTED;
    }
    return STM_OK;
}

static void unlink_nodes(struct store *store, struct waiter *waiter)
{
    region_ref first = store_ref(store, waiter) + HEADER_UNITS;
    for (uint32_t i = 0; i < waiter->count; i++)
        unlink_node(store, first + i);
    uint64_t counted = load_relaxed(&waiter->counted);
    put_relaxed(&waiter->counted, 0);
    /* Release: a death in between leaves it too high as well.  Pairs with who finds us dead. */
    put_release(&store->region->waiting, load_relaxed(&store->region->waiting) - counted);
}

void wait_forget(struct store *store, struct slot *slot)
{
    region_ref ref = load_relaxed(&slot->waits);
    for (; ref != 0; ref = load_relaxed(&waiter_at(store, ref)->next))
        unlink_nodes(store, waiter_at(store, ref));
}

void wait_free(struct store *store, struct slot *slot)
{
    region_ref ref;
    while ((ref = load_relaxed(&slot->waits)) != 0) {
        struct waiter *waiter = waiter_at(store, ref);
        if (PLANTED(FREE_BEFORE_POP))
            arena_free(store, slot, ref, waiter_bytes(waiter->count));
        put_relaxed(&slot->waits, load_relaxed(&waiter->next));
        if (!PLANTED(FREE_BEFORE_POP))
            arena_free(store, slot, ref, waiter_bytes(waiter->count));
    }
}

void wait_unregister(struct store *store, struct slot *slot)
{
    if (load_relaxed(&slot->waits) == 0)
        return;
    while (lock_acquire(store, slot, NO_DEADLINE) != STM_OK) {
        /* A signal came; it is looked at after this, which takes no time. */
    }
    wait_forget(store, slot);
    lock_release(store);
    wait_free(store, slot);
}

void wait_drop(struct store *store, struct slot *owner, region_ref ref)
{
    struct waiter *waiter = waiter_at(store, ref);
    unlink_nodes(store, waiter);
    shared_u32 *link = &owner->waits;
    while (load_relaxed(link) != ref && load_relaxed(link) != 0)
        link = &waiter_at(store, load_relaxed(link))->next;
    if (load_relaxed(link) == ref)
        put_relaxed(link, load_relaxed(&waiter->next));
}

void wait_free_dropped(struct store *store, struct slot *slot, region_ref ref)
{
    arena_free(store, slot, ref, waiter_bytes(waiter_at(store, ref)->count));
}

/* ---- waking ---------------------------------------------------------------------------- */

static void mark(struct store *store, struct waiter *waiter, struct wake_list *list)
{
    if (load_relaxed(&waiter->mark) != 0)
        return;
    if (PLANTED(WAKE_BEFORE_MARK))
        platform_futex_wake(&store_slots(store)[waiter->slot].wake, 1);
    put_release(&waiter->mark, 1); /* Pairs with wait_marked. */
    /* Pairs with was_woken, and with the exchange that takes the word back: who finds it
     * set has seen our mark. */
    bool first = exchange_acq_rel(&store_slots(store)[waiter->slot].wake, 1) == 0;
    TRACE(NULL, first ? "mark" : "mark.again", 0, waiter->slot);
    if (!first)
        return;
    if (PLANTED(WAKE_BEFORE_MARK))
        return;
    if (list->count < WAKE_LIMIT)
        list->slots[list->count++] = waiter->slot;
    else
        platform_futex_wake(&store_slots(store)[waiter->slot].wake, 1);
}

void wait_collect(struct store *store, region_ref ref, struct wake_list *list)
{
    const struct cell *cell = store_cell(store, ref);
    uint32_t order = txn_cell_order(cell);
    region_ref at = load_relaxed(bucket_of(store, order));
    for (; at != 0; at = load_relaxed(&node_at(store, at)->next)) {
        const struct wait_node *node = node_at(store, at);
        if (node->order == order)
            mark(store, waiter_at(store, node->waiter), list);
    }
}

void wait_wake(struct store *store, const struct wake_list *list)
{
    for (uint32_t i = 0; i < list->count && !PLANTED(NO_WAKE_UP); i++) {
        platform_futex_wake(&store_slots(store)[list->slots[i]].wake, 1);
        TRACE(NULL, "wait_wake", 0, list->slots[i]);
    }
}

void wait_wake_all(struct store *store)
{
    uint32_t count = load_acquire(&store->region->slots_used); /* Pairs with slot_claim. */
    for (uint32_t i = 0; i < count; i++) {
        put_release(&store_slots(store)[i].wake, 1); /* Pairs with was_woken. */
        TRACE(NULL, "wait_mark_all", 0, i);
        platform_futex_wake(&store_slots(store)[i].wake, 1);
        TRACE(NULL, "wait_wake_all", 0, i);
    }
}

void wait_mark_all(struct store *store)
{
    uint32_t count = load_acquire(&store->region->slots_used); /* Pairs with slot_claim. */
    for (uint32_t i = 0; i < count; i++) {
        region_ref ref = load_relaxed(&store_slots(store)[i].waits);
        for (; ref != 0; ref = load_relaxed(&waiter_at(store, ref)->next))
            put_release(&waiter_at(store, ref)->mark, 1); /* Pairs with wait_marked. */
    }
    wait_wake_all(store);
}
