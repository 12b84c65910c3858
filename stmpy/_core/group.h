/* group.h - commits of the log as the bytes that go to disk.
 *
 * One record per commit, all numbers little-endian; the format is described for readers in
 * stmpy/durable/README.md:
 *
 *     u32 bytes of the rest after the checksum | u32 CRC-32 of it
 *     u64 commit number | u32 writes, then for each
 *     u8 kind of variable | u8 flags of the version | u16 bytes of name | u16 of key |
 *     u16 0 | u32 of value | name | key | value
 */
#ifndef STMPY_GROUP_H
#define STMPY_GROUP_H

#include "log.h"

/* A run of commits in the log. */
struct group {
    const struct log_part *first, *last; /* Borrowed: until log_pass */
    uint64_t first_ts, last_ts;
    uint64_t commits;
    size_t bytes;                        /* of its records */
};

/* Measures the commits from `part` on that together take up to `limit` bytes, at least
 * one.  Between log_read_begin and log_read_end. */
void group_measure(const struct store *store, const struct log_part *part, size_t limit,
                   struct group *out);

/* Writes the records to `out`, which has room for group->bytes. */
void group_write(const struct store *store, const struct group *group, uint8_t *out);

/* CRC-32 as in zlib and Ethernet, going on from that of what comes before; at first 0. */
uint32_t group_crc(uint32_t before, const uint8_t *bytes, size_t count);

#endif
