/* log.c - records, the list they are in, and how they go.
 *
 * Invariant: while somebody follows, the list holds the record of every commit between the
 * slowest position and the clock, in order, and no other; but for the one being published,
 * which its slot holds.  Safe because a record gets its number before the clock is stored
 * and joins the list after it, under one hold of the commit lock: the next owner finds the
 * record of a dead one in its slot, and the clock says whether it is to join or to go.
 * Appending it again changes nothing, since the end of the list says how far the dead got.
 *   Nothing is freed that a follower may need: freeing stops at the slowest position.
 */
#include "log.h"

#include "txn.h"

#include <string.h>

#define PART_BYTES SCALED((size_t)64 << 10, 64u) /* a part is larger only for one large write */
#define TRIM_AT_ONCE SCALED(64u, 1u) /* parts freed under one hold of the lock */
#define HEARTBEAT_NS 100000000u      /* how often who waits for room looks whether it may go on */

/* ---- making a record ---------------------------------------------------------------------- */

static bool logged(const struct store *store, struct pending pending)
{
    return pending.cell != 0 &&
           !(load_relaxed(&store_cell(store, pending.cell)->flags) & CELL_STRUCTURE);
}

/* Bytes that a value may still grow by: of a sum that the commit makes. */
static uint32_t spare_bytes(const struct version *version)
{
    return version->shape & VERSION_DELTA ? NUMBER_BYTES - version_length(version) : 0;
}

static size_t pending_bytes(const struct store *store, struct pending pending)
{
    const struct version *version = store_version(store, pending.version);
    return log_write_bytes(store_cell(store, pending.cell)->key_length,
                           version_length(version) + spare_bytes(version));
}

static void copy_value(struct log_write *write, const struct version *version)
{
    write->shape = version->shape;
    memcpy(write->bytes + write->key_length, version->payload, version_length(version));
}

static struct log_write *add_write(const struct store *store, struct log_write *write,
                                   struct pending pending)
{
    const struct cell *cell = store_cell(store, pending.cell);
    const struct version *version = store_version(store, pending.version);
    write->variable = cell->variable;
    write->key_length = cell->key_length;
    write->spare = (uint16_t)spare_bytes(version);
    memcpy(write->bytes, cell->key, cell->key_length);
    copy_value(write, version);
    return (struct log_write *)log_next_write(write);
}

/* A part with the pending versions in [from, to), at the end of the slot's own list. */
static enum stm_status add_part(struct store *store, struct slot *slot, struct log_part **last,
                                uint32_t from, uint32_t to, size_t bytes)
{
    region_ref ref;
    enum stm_status status = arena_alloc(store, slot, bytes, &ref);
    if (status != STM_OK)
        return status;
    struct log_part *part = log_part_at(store, ref);
    put_relaxed(&part->next, 0);
    put_relaxed(&part->more, 0);
    put_relaxed(&part->ts, UINT64_MAX);
    part->bytes = (uint32_t)bytes;
    part->count = 0;
    const struct pending *pending = store_at(store, load_relaxed(&slot->pending_block));
    struct log_write *write = (struct log_write *)(part + 1);
    for (uint32_t i = from; i < to; i++) {
        if (logged(store, pending[i])) {
            write = add_write(store, write, pending[i]);
            part->count++;
        }
    }
    if (*last != NULL)
        put_relaxed(&(*last)->more, 1);
    /* Release: complete before it is on record, for who finds this thread dead. */
    put_release(*last == NULL ? &slot->log_first : &(*last)->next, ref);
    *last = part;
    return STM_OK;
}

enum stm_status log_prepare(struct store *store, struct slot *slot)
{
    const struct pending *pending = store_at(store, load_relaxed(&slot->pending_block));
    uint32_t count = load_relaxed(&slot->pending_count), from = 0, to = 0;
    struct log_part *last = NULL;
    enum stm_status status = STM_OK;
    do {
        size_t bytes = sizeof(struct log_part);
        for (from = to; to < count; to++) {
            size_t more = logged(store, pending[to]) ? pending_bytes(store, pending[to]) : 0;
            if (bytes > sizeof(struct log_part) && bytes + more > PART_BYTES)
                break;
            bytes += more;
        }
        status = add_part(store, slot, &last, from, to, bytes);
    } while (status == STM_OK && to < count);
    if (status != STM_OK)
        log_discard(store, slot);
    return status;
}

/* Takes the first part of a list off its record before it is freed. */
static void free_first(struct store *store, struct slot *slot, shared_u32 *list)
{
    region_ref ref = load_relaxed(list);
    struct log_part *part = log_part_at(store, ref);
    put_release(list, load_relaxed(&part->next));
    arena_free(store, slot, ref, part->bytes);
}

void log_discard(struct store *store, struct slot *slot)
{
    while (load_relaxed(&slot->log_first) != 0)
        free_first(store, slot, &slot->log_first);
}

/* ---- room ------------------------------------------------------------------------------------ */

bool log_crowded(const struct store *store)
{
    const struct log *log = &store->region->log;
    /* The keeper may have got past an end that was read before. */
    return (int64_t)(load_seq_cst(&log->end) - load_seq_cst(&log->kept_from)) >
           (int64_t)log->limit;
}

enum stm_status log_wait_for_room(struct store *store, struct slot *slot, uint64_t deadline_ns)
{
    struct log *log = &store->region->log;
    while (log_crowded(store)) {
        uint64_t now = platform_now_ns();
        if (now >= deadline_ns)
            return STM_TIMED_OUT;
        if (load_acquire(&store->region->closed)) /* Pairs with store_close. */
            return STM_OK;
        uint64_t left = deadline_ns - now;
        /* Sequentially consistent: whoever makes room sees it, or we see the room.  Pairs
         * with log_keep_up. */
        put_seq_cst(&log->crowded, 1);
        if (!log_crowded(store))
            break;
        show_relaxed(&slot->sleep, SLEEP_DISK);
        enum platform_wait woken = platform_futex_wait(
            &log->crowded, 1, left < HEARTBEAT_NS ? left : HEARTBEAT_NS);
        show_relaxed(&slot->sleep, SLEEP_NOT);
        if (woken != PLATFORM_WOKEN)
            return STM_INTERRUPTED;
    }
    return STM_OK;
}

void log_keep_up(struct log *log, uint64_t offset)
{
    put_seq_cst(&log->kept_from, offset);
    if (load_seq_cst(&log->crowded) == 0) /* Both pair with log_wait_for_room. */
        return;
    put_seq_cst(&log->crowded, 0);
    if (PLANTED(ROOM_SILENT))
        return;
    platform_futex_wake(&log->crowded, INT32_MAX);
}

/* ---- freeing ------------------------------------------------------------------------------------ */

/* The oldest part that somebody needs; 0 if nobody needs any. */
static region_ref slowest(const struct store *store)
{
    const struct log *log = &store->region->log;
    region_ref found = 0;
    for (uint64_t set = load_relaxed(&log->followed); set != 0; set &= set - 1) {
        const struct follower *follower = &log->followers[__builtin_ctzll(set)];
        region_ref at = load_relaxed(&follower->at);
        /* Pairs with log_read_begin: either we see that it reads, or it that it is lost. */
        if (at == 0 || (load_seq_cst(&follower->lost) &&
                        (!load_seq_cst(&follower->reading) || PLANTED(LOG_READ_UNSEEN))))
            continue;
        bool older = found == 0 || log_part_at(store, at)->offset < log_part_at(store, found)->offset;
        if (PLANTED(LOG_FREE_EARLY) ? found == 0 || !older : older)
            found = at;
    }
    return found;
}

bool log_trim(struct store *store, struct slot *slot)
{
    struct log *log = &store->region->log;
    region_ref until = slowest(store);
    for (unsigned i = 0; i < TRIM_AT_ONCE; i++) {
        region_ref first = load_relaxed(&log->first);
        if (first == until || first == 0)
            return false;
        region_ref next = load_relaxed(&log_part_at(store, first)->next);
        if (next == 0 && !PLANTED(LOG_KEEP_END))
            put_release(&log->last, 0); /* before `first`: a new record then starts the list */
        put_relaxed(&log->held_from,
                    next == 0 ? load_relaxed(&log->end) : log_part_at(store, next)->offset);
        free_first(store, slot, &log->first);
    }
    return true;
}

/* ---- appending ----------------------------------------------------------------------------------- */

void log_stamp(struct store *store, struct slot *slot, uint64_t ts)
{
    region_ref ref = load_relaxed(&slot->log_first);
    for (; ref != 0; ref = load_relaxed(&log_part_at(store, ref)->next))
        put_relaxed(&log_part_at(store, ref)->ts, ts);
}

void log_settle(struct store *store, struct slot *slot)
{
    const struct pending *pending = store_at(store, load_relaxed(&slot->pending_block));
    region_ref ref = load_relaxed(&slot->log_first);
    for (; ref != 0; ref = load_relaxed(&log_part_at(store, ref)->next)) {
        struct log_part *part = log_part_at(store, ref);
        struct log_write *write = (struct log_write *)(part + 1);
        for (uint32_t i = 0; i < part->count; pending++) {
            if (!logged(store, *pending))
                continue;
            if (write->shape & VERSION_UNSETTLED && !PLANTED(LOG_UNSETTLED)) {
                const struct version *version = store_version(store, pending->version);
                uint32_t room = log_value_length(write) + write->spare;
                copy_value(write, version);
                write->spare = (uint16_t)(room - version_length(version));
            }
            write = (struct log_write *)log_next_write(write);
            i++;
        }
    }
}

/* Watchers that were too far behind already lose their place; who has waited for a part
 * gets the new one, and is to be woken. */
static uint64_t hand_out(struct store *store, region_ref first)
{
    struct log *log = &store->region->log;
    uint64_t end = load_relaxed(&log->end), wake = 0;
    for (uint64_t set = load_relaxed(&log->followed); set != 0; set &= set - 1) {
        unsigned number = (unsigned)__builtin_ctzll(set);
        struct follower *follower = &log->followers[number];
        region_ref at = load_relaxed(&follower->at);
        if (at == 0 && !load_relaxed(&follower->lost)) {
            put_release(&follower->at, first);  /* Pairs with log_read_begin. */
            put_release(&follower->wake, 1);    /* Pairs with log_sleep. */
            wake |= (uint64_t)!PLANTED(LOG_SILENT) << number;
        } else if (at != 0 && follower->kind == LOG_WATCH &&
                   end - log_part_at(store, at)->offset > log->limit) {
            put_seq_cst(&follower->lost, 1);    /* Pairs with log_read_begin. */
        }
    }
    return wake;
}

/* Once more after a death has the same effect. */
static uint64_t append(struct store *store, struct slot *holder)
{
    struct log *log = &store->region->log;
    region_ref first = load_relaxed(&holder->log_first), last = 0;
    uint64_t wake = 0, offset = load_relaxed(&log->end);
    for (region_ref ref = first; ref != 0; ref = load_relaxed(&log_part_at(store, ref)->next))
        last = ref;
    region_ref before = load_relaxed(&log->last);
    if (before != last || PLANTED(LOG_TWICE)) {
        for (region_ref ref = first; ref != 0; ref = load_relaxed(&log_part_at(store, ref)->next)) {
            log_part_at(store, ref)->offset = offset;
            offset += arena_rounded(log_part_at(store, ref)->bytes);
        }
        put_release(before == 0 ? &log->first : &log_part_at(store, before)->next, first);
        wake = hand_out(store, first);
        put_release(&log->last, last); /* Release: linked before it is the end. */
    }
    const struct log_part *end = log_part_at(store, last);
    put_seq_cst(&log->end, end->offset + arena_rounded(end->bytes));
    if (log->keeper == 0)
        log_keep_up(log, load_relaxed(&log->end));
    put_release(&holder->log_first, 0); /* Release: in the list before it is nobody's. */
    return wake;
}

uint64_t log_append(struct store *store, struct slot *slot)
{
    uint64_t wake = load_relaxed(&slot->log_first) == 0 ? 0 : append(store, slot);
    if (load_relaxed(&store->region->log.first) != 0)
        log_trim(store, slot); /* the last who followed may have died */
    return wake;
}

void log_wake(struct store *store, uint64_t followers)
{
    struct log *log = &store->region->log;
    for (; followers != 0; followers &= followers - 1)
        platform_futex_wake(&log->followers[__builtin_ctzll(followers)].wake, INT32_MAX);
}

void log_recover(struct store *store, struct slot *dead)
{
    region_ref first = load_relaxed(&dead->log_first);
    if (first == 0 || PLANTED(LOG_FORGET))
        return;
    uint64_t clock = load_relaxed(&store->region->clock);
    if (load_relaxed(&log_part_at(store, first)->ts) <= clock || PLANTED(LOG_KEEP_UNPUBLISHED))
        append(store, dead);
    log_wake(store, load_relaxed(&store->region->log.followed));
}
