/* replica.c - the follower of the log: a copy of the store that is made of the keeper's bytes.
 */
#include "replica.h"

#include "group.h"

static struct follower *follower;
static struct content replica[KEYS];
static uint64_t replica_ts; /* the commit that it has got to */

struct key key_of(uint32_t number)
{
    static uint8_t bytes[1 + KEYS]; /* keys of different lengths; alive while they are used */
    size_t length = 1 + number / VARIABLES;
    memset(bytes, (int)number, length);
    return index_key(store, variables[number % VARIABLES], bytes, (uint32_t)length);
}

static uint64_t take(const uint8_t **from, unsigned bytes)
{
    uint64_t number = 0;
    for (unsigned i = 0; i < bytes; i++)
        number |= (uint64_t)*(*from)++ << 8 * i;
    return number;
}

/* One record, as group.h describes it, done to the replica. */
static const uint8_t *apply_record(const uint8_t *from)
{
    uint64_t length = take(&from, 4), crc = take(&from, 4);
    CHECK(crc == group_crc(0, from, length));
    const uint8_t *behind = from + length;
    CHECK(take(&from, 8) == ++replica_ts);
    for (uint64_t writes = take(&from, 4); writes > 0; writes--) {
        take(&from, 1);
        uint64_t flags = take(&from, 1), name = take(&from, 2), key = take(&from, 2);
        CHECK(take(&from, 2) == 0);
        uint64_t size = take(&from, 4);
        CHECK(name == 1 && *from == 'a' + from[1] % VARIABLES);
        uint32_t number = from[1];
        CHECK(number < KEYS && key == key_of(number).length);
        from += name + key;
        replica[number] = flags & VERSION_TOMBSTONE ? nothing : decode(from, size);
        from += size;
    }
    CHECK(from == behind);
    for (uint32_t i = 0; i < KEYS; i++)
        CHECK(same(replica[i], states[replica_ts][i]));
    return behind;
}

bool replica_follows(void)
{
    return follower != NULL;
}

void replica_follow(struct slot *slot)
{
    CHECK(log_follow(store, slot, LOG_WATCH, NO_DEADLINE, &follower) == STM_OK);
    replica_ts = follower->passed;
    memcpy(replica, states[replica_ts], sizeof replica);
}

void replica_unfollow(struct slot *slot)
{
    CHECK(log_unfollow(store, slot, follower, NO_DEADLINE) == STM_OK);
    follower = NULL;
}

/* As bytes that a keeper writes, and done to the replica. */
static void copy_group(const struct log_part *part, size_t limit, struct group *group)
{
    group_measure(store, part, limit, group);
    uint8_t *bytes = malloc(group->bytes);
    CHECK(bytes != NULL);
    group_write(store, group, bytes);
    const uint8_t *from = bytes;
    for (uint64_t i = 0; i < group->commits; i++)
        from = apply_record(from);
    CHECK(from == bytes + group->bytes && replica_ts == group->last_ts);
    free(bytes);
}

bool replica_go_on(struct slot *slot, size_t limit)
{
    const struct log_part *part;
    struct group group;
    if (follower == NULL)
        return false;
    if (log_read_begin(store, follower, &part) != STM_OK) {
        replica_unfollow(slot);
        return false;
    }
    if (part != NULL)
        copy_group(part, limit, &group);
    log_read_end(follower);
    CHECK(part != NULL || replica_ts == newest(store));
    return part != NULL &&
           log_pass(store, slot, follower, group.last, NO_DEADLINE) == STM_OK;
}
