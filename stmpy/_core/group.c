/* group.c - measuring and writing records.
 *
 * Invariant: what is measured is what is written: parts of a commit that is in the log do
 * not change, and no other commit comes between them.
 */
#include "group.h"

#include <string.h>

#define RECORD_HEAD 8u   /* length and checksum */
#define RECORD_BODY 12u  /* number and count */
#define WRITE_HEAD 12u

/* The name of a variable and what its kind is. */
static const struct variable *variable_of(const struct store *store, const struct log_write *write)
{
    return store_variable(store, write->variable);
}

static size_t part_bytes(const struct store *store, const struct log_part *part)
{
    size_t bytes = 0;
    const struct log_write *write = log_first_write(part);
    for (uint32_t i = 0; i < part->count; i++, write = log_next_write(write))
        bytes += WRITE_HEAD + variable_of(store, write)->name_length + write->key_length +
                 log_value_length(write);
    return bytes;
}

/* The last part of the commit that begins here, the bytes of its record, and its writes. */
static const struct log_part *measure_commit(const struct store *store,
                                             const struct log_part *part, size_t *bytes,
                                             uint32_t *writes)
{
    *bytes = RECORD_HEAD + RECORD_BODY + part_bytes(store, part);
    *writes = part->count;
    while (load_relaxed(&part->more)) {
        part = log_after(store, part);
        *bytes += part_bytes(store, part);
        *writes += part->count;
    }
    return part;
}

void group_measure(const struct store *store, const struct log_part *part, size_t limit,
                   struct group *out)
{
    *out = (struct group){.first = part, .first_ts = load_relaxed(&part->ts)};
    while (part != NULL) {
        size_t bytes;
        uint32_t writes;
        const struct log_part *last = measure_commit(store, part, &bytes, &writes);
        if (out->commits > 0 && out->bytes + bytes > limit)
            return;
        out->bytes += bytes;
        out->commits++;
        out->last = last;
        out->last_ts = load_relaxed(&last->ts);
        part = log_after(store, last);
    }
}

static uint8_t *put_number(uint8_t *out, uint64_t number, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        out[i] = (uint8_t)(number >> 8 * i);
    return out + bytes;
}

static uint8_t *put_bytes(uint8_t *out, const void *bytes, size_t count)
{
    memcpy(out, bytes, count);
    return out + count;
}

static uint8_t *put_writes(const struct store *store, const struct log_part *part, uint8_t *out)
{
    const struct log_write *write = log_first_write(part);
    for (uint32_t i = 0; i < part->count; i++, write = log_next_write(write)) {
        const struct variable *variable = variable_of(store, write);
        uint32_t length = log_value_length(write);
        out = put_number(out, variable->kind, 1);
        out = put_number(out, write->shape & ((1u << VERSION_FLAG_BITS) - 1), 1);
        out = put_number(out, variable->name_length, 2);
        out = put_number(out, write->key_length, 2);
        out = put_number(out, 0, 2);
        out = put_number(out, length, 4);
        out = put_bytes(out, variable->name, variable->name_length);
        out = put_bytes(out, write->bytes, (size_t)write->key_length + length);
    }
    return out;
}

void group_write(const struct store *store, const struct group *group, uint8_t *out)
{
    const struct log_part *part = group->first;
    for (uint64_t i = 0; i < group->commits; i++) {
        size_t bytes;
        uint32_t writes;
        const struct log_part *last = measure_commit(store, part, &bytes, &writes);
        uint8_t *body = out + RECORD_HEAD, *at = put_number(body, load_relaxed(&part->ts), 8);
        at = put_number(at, writes, 4);
        for (at = put_writes(store, part, at); part != last;) {
            part = log_after(store, part);
            at = put_writes(store, part, at);
        }
        put_number(out, (uint64_t)(at - body), 4);
        put_number(out + 4, group_crc(0, body, (size_t)(at - body)), 4);
        out = at;
        part = i + 1 < group->commits ? log_after(store, last) : NULL;
    }
}

uint32_t group_crc(uint32_t before, const uint8_t *bytes, size_t count)
{
    /* Four bits at a time: the polynomial of IEEE 802.3, reflected. */
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    uint32_t crc = ~before;
    for (size_t i = 0; i < count; i++) {
        crc ^= bytes[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}
