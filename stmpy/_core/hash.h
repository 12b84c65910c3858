/* hash.h - the seeded hash of a key within a variable.
 *
 * Multiply-and-fold over 16 bytes at a time, in the family of Wang Yi's wyhash.  The
 * seed is drawn per region, so that nobody outside can choose keys that collide.
 */
#ifndef STMPY_HASH_H
#define STMPY_HASH_H

#include "bytes.h"

static inline uint64_t hash_fold(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* The upper and lower half of up to 16 bytes: they may overlap, which is harmless
 * because the length takes part in the result. */
static inline uint64_t hash_bytes(const uint64_t seed[2], uint32_t variable, const uint8_t *bytes,
                                  size_t length)
{
    uint64_t state = seed[0] ^ (0x9e3779b97f4a7c15u * variable) ^ length;
    while (length > 16) {
        state = hash_fold(bytes_load8(bytes) ^ seed[1], bytes_load8(bytes + 8) ^ state);
        bytes += 16;
        length -= 16;
    }
    uint64_t low, high = 0;
    if (length >= 8) {
        low = bytes_load8(bytes);
        high = bytes_load8(bytes + length - 8);
    } else if (length >= 4) {
        low = bytes_load4(bytes);
        high = bytes_load4(bytes + length - 4);
    } else {
        low = bytes_load_few(bytes, length);
    }
    return hash_fold(hash_fold(low ^ seed[1], high ^ state), 0xd6e8feb86659fd93u ^ seed[0]);
}

#endif
