/* number.h - the numbers that the core itself can add: ints of 64 bits, and floats.
 *
 * They add up as in Python: an int and a float make a float.  Where Python's int would
 * outgrow 64 bits there is no sum, and whoever asked does it in Python.
 */
#ifndef STMPY_NUMBER_H
#define STMPY_NUMBER_H

#include "codec.h"

struct number {
    bool is_float;
    int64_t integer; /* the value if it is no float */
    double real;     /* and if it is one */
};

/* Decodes a value; false if it is no such number. */
static inline bool number_read(const uint8_t *bytes, size_t length, struct number *out)
{
    struct codec_in in;
    struct codec_head head;
    codec_in_init(&in, bytes, length);
    if (codec_read_head(&in, &head) != CODEC_OK || in.at != in.end)
        return false;
    bool is_float = head.major == CODEC_SIMPLE && head.info >= CODEC_HALF;
    bool is_integer = head.major <= CODEC_NEGATIVE && head.argument <= INT64_MAX;
    if (!is_float && !is_integer)
        return false;
    *out = (struct number){.is_float = is_float};
    if (is_float)
        out->real = codec_float_value(&head);
    else
        out->integer = head.major == CODEC_UNSIGNED ? (int64_t)head.argument
                                                    : -1 - (int64_t)head.argument;
    return true;
}

static inline double number_as_float(struct number number)
{
    return number.is_float ? number.real : (double)number.integer;
}

/* False if the sum is an int of more than 64 bits. */
static inline bool number_add(struct number a, struct number b, struct number *out)
{
    *out = (struct number){.is_float = a.is_float || b.is_float};
    if (!out->is_float)
        return !__builtin_add_overflow(a.integer, b.integer, &out->integer);
    out->real = number_as_float(a) + number_as_float(b);
    return true;
}

#define NUMBER_BYTES CODEC_HEAD_MAX /* of the longest encoding */

/* Encodes it; `at` has room for NUMBER_BYTES.  Returns how many bytes it took. */
static inline size_t number_write(uint8_t *at, struct number number)
{
    struct codec_buf buf; /* stays within its own bytes: nothing is allocated */
    codec_buf_init(&buf, NUMBER_BYTES);
    if (number.is_float)
        codec_write_float(&buf, number.real);
    else
        codec_write_int(&buf, number.integer);
    memcpy(at, buf.bytes, buf.used);
    return buf.used;
}

#endif
