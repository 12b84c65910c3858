/* bytes.h - short runs of bytes, read, compared and copied without a call.
 *
 * Most keys and values take less than 16 bytes, for which memcmp and memcpy are mostly the
 * way there and back.  Two loads that may overlap cover any length from half their sum up.
 */
#ifndef STMPY_BYTES_H
#define STMPY_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t bytes_load8(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

static inline uint32_t bytes_load4(const uint8_t *at)
{
    uint32_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

/* Up to 3 bytes as a number; equal only for equal bytes of one length. */
static inline uint32_t bytes_load_few(const uint8_t *at, size_t count)
{
    return count == 0 ? 0
                      : (uint32_t)at[0] << 16 | (uint32_t)at[count >> 1] << 8 | at[count - 1];
}

static inline bool bytes_equal(const uint8_t *a, const uint8_t *b, size_t count)
{
    if (count > 16)
        return memcmp(a, b, count) == 0;
    if (count >= 8)
        return bytes_load8(a) == bytes_load8(b) &&
               bytes_load8(a + count - 8) == bytes_load8(b + count - 8);
    if (count >= 4)
        return bytes_load4(a) == bytes_load4(b) &&
               bytes_load4(a + count - 4) == bytes_load4(b + count - 4);
    return bytes_load_few(a, count) == bytes_load_few(b, count);
}

static inline void bytes_copy(uint8_t *to, const uint8_t *from, size_t count)
{
    if (count > 16) {
        memcpy(to, from, count);
    } else if (count >= 8) {
        uint64_t first = bytes_load8(from), last = bytes_load8(from + count - 8);
        memcpy(to, &first, sizeof first);
        memcpy(to + count - 8, &last, sizeof last);
    } else if (count >= 4) {
        uint32_t first = bytes_load4(from), last = bytes_load4(from + count - 4);
        memcpy(to, &first, sizeof first);
        memcpy(to + count - 4, &last, sizeof last);
    } else if (count > 0) {
        to[0] = from[0];
        to[count >> 1] = from[count >> 1];
        to[count - 1] = from[count - 1];
    }
}

#endif
