/* follow.c - followers of the log, and what they must be given.
 *
 * Each fibre may follow.  From the commit after its beginning on it must meet every commit
 * once, in order, with what the block wrote and nothing else; a record of what never
 * committed has a number that is not its turn, or other contents than the oracle's map.
 */
#include "log.h"
#include "sim.h"

static struct {
    struct follower *place; /* NULL: does not follow */
    uint64_t next;          /* number of the commit that must come next */
} readers[FIBRES + 1];

void follow_reset(void)
{
    memset(readers, 0, sizeof readers);
}

void follow_begin(unsigned fibre, struct seat *seat, bool keeper)
{
    struct follower *place;
    enum stm_status status;
    do
        status = log_follow(seat->store, seat->slot, keeper ? LOG_KEEPER : LOG_WATCH,
                            NO_DEADLINE, &place);
    while (status == STM_INTERRUPTED);
    if (status == STM_NO_SLOT)
        return; /* the other keeper lives */
    readers[fibre].place = place;
    readers[fibre].next = place->passed + 1;
}

/* What one write of a record does to a map. */
static void apply(const struct seat *seat, const struct log_write *write, uint64_t map[KEYS])
{
    uint64_t bytes, content = ABSENT;
    if (write->key_length != sizeof bytes)
        sim_fail("the log holds a key that never was");
    memcpy(&bytes, write->bytes, sizeof bytes);
    unsigned key = (unsigned)(bytes / 0x1111111111111111u) - 1;
    if (key >= KEYS || bytes != key_bytes(key) || write->variable != seat->tables[VARIABLE_OF(key)])
        sim_fail("the log holds a key that never was");
    if (!(write->shape & VERSION_TOMBSTONE)) {
        struct number number;
        if (write->shape & VERSION_UNSETTLED ||
            !number_read(write->bytes + sizeof bytes, log_value_length(write), &number))
            sim_fail("the log holds a value that never was");
        content = (uint64_t)number.integer;
    }
    map[key] = content;
}

/* Reads one commit from its first part on; the last part of it. */
static const struct log_part *read_commit(struct seat *seat, const struct log_part *part,
                                          uint64_t expected)
{
    uint64_t map[KEYS];
    for (bool first = true;; first = false) {
        uint64_t ts = load_relaxed(&part->ts);
        if (ts != expected)
            sim_fail("the log has commit %llu where %llu is due", (unsigned long long)ts,
                     (unsigned long long)expected);
        if (first)
            memcpy(map, oracle_map(ts - 1), sizeof map);
        const struct log_write *write = log_first_write(part);
        for (uint32_t i = 0; i < part->count; i++, write = log_next_write(write))
            apply(seat, write, map);
        if (!load_relaxed(&part->more))
            break;
        part = log_after(seat->store, part);
        if (part == NULL)
            sim_fail("the log has a part of a commit");
    }
    if (memcmp(map, oracle_map(expected), sizeof map) != 0)
        sim_fail("the log has other writes for commit %llu than it made",
                 (unsigned long long)expected);
    return part;
}

static void pass(unsigned fibre, struct seat *seat, const struct log_part *part)
{
    enum stm_status status;
    do
        status = log_pass(seat->store, seat->slot, readers[fibre].place, part, NO_DEADLINE);
    while (status == STM_INTERRUPTED);
    if (status == STM_TOO_OLD && readers[fibre].place->kind == LOG_KEEPER)
        sim_fail("a keeper was given up");
}

static void end(unsigned fibre, struct seat *seat)
{
    enum stm_status status;
    do
        status = log_unfollow(seat->store, seat->slot, readers[fibre].place, NO_DEADLINE);
    while (status == STM_INTERRUPTED);
    readers[fibre].place = NULL;
}

/* Reads up to `limit` commits; false when there was none. */
bool follow_read(unsigned fibre, struct seat *seat, unsigned limit)
{
    const struct log_part *part, *last = NULL;
    if (readers[fibre].place == NULL)
        return false;
    if (log_read_begin(seat->store, readers[fibre].place, &part) != STM_OK) {
        if (readers[fibre].place->kind == LOG_KEEPER)
            sim_fail("a keeper was given up");
        end(fibre, seat);
        return false;
    }
    for (; part != NULL && limit > 0; limit--, part = log_after(seat->store, last))
        last = read_commit(seat, part, readers[fibre].next++);
    log_read_end(readers[fibre].place);
    if (last != NULL)
        pass(fibre, seat, last);
    return last != NULL;
}

/* Sleeps until there is a commit, and reads it. */
void follow_await(unsigned fibre, struct seat *seat)
{
    while (readers[fibre].place != NULL && !follow_read(fibre, seat, 1)) {
        if (readers[fibre].place != NULL)
            log_sleep(seat->store, seat->slot, readers[fibre].place, NO_DEADLINE);
    }
}

/* At the end, for those who live: nothing that was committed is missing. */
void follow_finish(unsigned fibre, struct seat *seat)
{
    while (follow_read(fibre, seat, UINT32_MAX))
        ;
    if (readers[fibre].place == NULL)
        return;
    if (readers[fibre].next != oracle_clock_now() + 1)
        sim_fail("commit %llu is missing in the log", (unsigned long long)readers[fibre].next);
    end(fibre, seat);
}

/* In place of a keeper that has died, the main program; or for a moment, so that what others
 * have left is freed. */
void follow_succeed(struct seat *seat)
{
    follow_begin(FIBRES, seat, seat->store->region->log.keeper != 0);
    if (readers[FIBRES].place == NULL)
        sim_fail("a keeper that has died can't be replaced");
    follow_finish(FIBRES, seat);
}
