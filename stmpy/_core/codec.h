/* codec.h - CBOR (RFC 8949), as far as it needs no Python.
 *
 * Written: preferred serialisation (section 4.1), so shortest heads and the shortest
 * float that keeps the value, and definite lengths only.  Read: any definite length,
 * also in longer heads than needed; indefinite lengths are refused.
 *
 * How values map to CBOR.  Standard tags stand where there is one that other readers
 * know; our own come from the range that is first come, first served.
 *
 *   None, bool, float   simple values and floats; every NaN is written as f9 7e00
 *   int                 integer; tags 2 and 3 (bignum) from 64 bits on
 *   str, bytes          text string, byte string
 *   list, dict          array, map in the order of the dict
 *   tuple               54256 array
 *   set                 258   array of distinct items, ascending by their encoded bytes
 *   frozenset           54257 array likewise
 *   complex             43000 [real, imaginary]
 *   Decimal             4     [exponent, coefficient], or 54258 text where that can't say
 *                             it: NaN, infinity, -0, more than CODEC_DECIMAL_DIGITS digits
 *   Fraction            30    [numerator, denominator]
 *   UUID                37    16 bytes
 *   datetime            0     text of RFC 3339, for an offset in whole minutes; else
 *                       54259 text of ISO 8601, or [text, fold], or [text, fold, zone]
 *   date                1004  text, year-month-day
 *   time                54260 text of ISO 8601, or [text, fold], or [text, fold, zone]
 *   timedelta           54261 [days, seconds, microseconds]
 *   registered class    27    [name, payload]: the member's name of an Enum, the number
 *                             of a Flag, the map of fields of a dataclass
 */
#ifndef STMPY_CODEC_H
#define STMPY_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "heads are swapped to big-endian");

#define CODEC_VALUE_MAX ((size_t)16 << 20) /* bytes of one encoded value */
#define CODEC_KEY_MAX ((size_t)480)        /* bytes of one encoded key */
#define CODEC_DEPTH_MAX 64                 /* containers within each other */
#define CODEC_DECIMAL_DIGITS 4300          /* of a coefficient written as a number */
#define CODEC_BUF_INLINE 256               /* bytes a buffer holds without the heap */
#define CODEC_HEAD_MAX 9                   /* bytes of the longest head */

enum codec_major {
    CODEC_UNSIGNED,
    CODEC_NEGATIVE, /* the value is -1 minus the argument */
    CODEC_BYTES,
    CODEC_TEXT,
    CODEC_ARRAY,
    CODEC_MAP,
    CODEC_TAG,
    CODEC_SIMPLE, /* simple values and floats */
};

enum codec_simple {
    CODEC_FALSE = 20,
    CODEC_TRUE = 21,
    CODEC_NULL = 22,
    CODEC_HALF = 25, /* the widths of floats: additional information of the head */
    CODEC_SINGLE = 26,
    CODEC_DOUBLE = 27,
};

enum codec_tag {
    CODEC_TAG_DATETIME_TEXT = 0,
    CODEC_TAG_BIGNUM = 2,
    CODEC_TAG_BIGNUM_NEGATIVE = 3,
    CODEC_TAG_DECIMAL = 4,
    CODEC_TAG_OBJECT = 27,
    CODEC_TAG_FRACTION = 30,
    CODEC_TAG_UUID = 37,
    CODEC_TAG_SET = 258,
    CODEC_TAG_DATE = 1004,
    CODEC_TAG_COMPLEX = 43000,
    CODEC_TAG_TUPLE = 54256,
    CODEC_TAG_FROZENSET = 54257,
    CODEC_TAG_DECIMAL_TEXT = 54258,
    CODEC_TAG_DATETIME = 54259,
    CODEC_TAG_TIME = 54260,
    CODEC_TAG_TIMEDELTA = 54261,
};

enum codec_status {
    CODEC_OK = 0,
    CODEC_TOO_LONG,   /* writing: the limit of the buffer is reached */
    CODEC_NO_MEMORY,  /* writing: the heap gave nothing */
    CODEC_TRUNCATED,  /* reading: the bytes end before the item does, or can't hold it */
    CODEC_INDEFINITE, /* reading: an indefinite length, or a stray break */
    CODEC_RESERVED,   /* reading: additional information 28 to 30, or a reserved simple value */
    CODEC_TOO_DEEP,   /* reading: nested deeper than the caller allows */
};

/* What a status says, for a message; a static string without a full stop. */
const char *codec_status_text(enum codec_status status);

//// Writing

/* Bytes that grow up to a limit.  Small contents stay within the struct, so it must
 * not be copied or moved.  Belongs to one thread. */
struct codec_buf {
    uint8_t *bytes;           /* Owned if it isn't `inlined` */
    size_t used;              /* bytes written so far */
    size_t room;              /* bytes that fit before it has to grow */
    size_t limit;             /* bytes that it may ever hold */
    enum codec_status status; /* why the last reservation failed */
    uint8_t inlined[CODEC_BUF_INLINE];
};

static inline void codec_buf_init(struct codec_buf *buf, size_t limit)
{
    buf->bytes = buf->inlined;
    buf->used = 0;
    buf->room = limit < sizeof buf->inlined ? limit : sizeof buf->inlined;
    buf->limit = limit;
    buf->status = CODEC_OK;
}

/* Frees what the buffer took from the heap.  It may be initialised again. */
static inline void codec_buf_free(struct codec_buf *buf)
{
    if (__builtin_expect(buf->bytes != buf->inlined, 0)) free(buf->bytes);
    buf->bytes = buf->inlined;
    buf->used = 0;
}

/* The slow half of codec_buf_reserve. */
uint8_t *codec_buf_grow(struct codec_buf *buf, size_t count);

/* Where `count` more bytes may be written, not yet counted as used; NULL and the
 * buffer's status if they don't fit. */
static inline uint8_t *codec_buf_reserve(struct codec_buf *buf, size_t count)
{
    if (__builtin_expect(buf->room - buf->used >= count, 1)) return buf->bytes + buf->used;
    return codec_buf_grow(buf, count);
}

/* Writes the shortest head; `at` has room for CODEC_HEAD_MAX bytes.  Returns its length. */
static inline size_t codec_put_head(uint8_t *at, enum codec_major major, uint64_t argument)
{
    uint8_t type = (uint8_t)((unsigned)major << 5);
    if (argument < 24) {
        at[0] = (uint8_t)(type | argument);
        return 1;
    }
    unsigned width = argument <= 0xff ? 0 : argument <= 0xffff ? 1 : argument <= 0xffffffff ? 2 : 3;
    uint64_t big_endian = __builtin_bswap64(argument << (64 - (8u << width)));
    at[0] = (uint8_t)(type | (24 + width));
    memcpy(at + 1, &big_endian, (size_t)1 << width);
    return 1 + ((size_t)1 << width);
}

/* The writers return false when the buffer is full; its status says why. */
static inline bool codec_write_head(struct codec_buf *buf, enum codec_major major,
                                    uint64_t argument)
{
    /* Near the limit the longest head may not fit although this one does. */
    uint8_t head[CODEC_HEAD_MAX];
    size_t length = codec_put_head(head, major, argument);
    uint8_t *at = codec_buf_reserve(buf, length);
    if (at == NULL) return false;
    memcpy(at, head, length);
    buf->used += length;
    return true;
}

/* A byte or text string: head and contents. */
static inline bool codec_write_string(struct codec_buf *buf, enum codec_major major,
                                      const void *bytes, size_t count)
{
    uint8_t head[CODEC_HEAD_MAX];
    size_t length = codec_put_head(head, major, count);
    uint8_t *at = codec_buf_reserve(buf, length + count);
    if (at == NULL) return false;
    memcpy(at, head, length);
    memcpy(at + length, bytes, count);
    buf->used += length + count;
    return true;
}

static inline bool codec_write_int(struct codec_buf *buf, int64_t value)
{
    /* -1 - value is the complement, which can't overflow. */
    return value >= 0 ? codec_write_head(buf, CODEC_UNSIGNED, (uint64_t)value)
                      : codec_write_head(buf, CODEC_NEGATIVE, ~(uint64_t)value);
}

/* The shortest of half, single and double precision that keeps the value. */
bool codec_write_float(struct codec_buf *buf, double value);

/* Puts the items that stand one after another from `start` in the order of their bytes.
 * `ends` holds the offset behind each of the `count` items. */
bool codec_sort_items(struct codec_buf *buf, size_t start, const size_t *ends, size_t count);

//// Reading bytes that nobody vouches for

struct codec_in {
    const uint8_t *start; /* Borrowed: for offsets in messages */
    const uint8_t *at;    /* Borrowed: the next byte */
    const uint8_t *end;   /* Borrowed: behind the last byte */
    size_t owed;          /* items that the open arrays and maps still announce */
};

struct codec_head {
    uint8_t major;     /* enum codec_major */
    uint8_t info;      /* additional information: tells floats from simple values */
    uint64_t argument; /* value, length, count, tag, or the bits of a float */
};

static inline void codec_in_init(struct codec_in *in, const uint8_t *bytes, size_t count)
{
    *in = (struct codec_in){.start = bytes, .at = bytes, .end = bytes + count};
}

/* Takes the head of the next item. */
enum codec_status codec_read_head(struct codec_in *in, struct codec_head *out);

/* Takes the contents of a string; `out` points into the input. */
enum codec_status codec_read_contents(struct codec_in *in, uint64_t count, const uint8_t **out);

/* Announces `count` items of an array (twice as many for a map), each of which is
 * reported with codec_item_begins.  Refuses more than the rest of the input can hold
 * beside what was announced before, since every item takes a byte: so a forged count
 * can't make its reader allocate more than in proportion to the input. */
enum codec_status codec_announce(struct codec_in *in, uint64_t count);

static inline void codec_item_begins(struct codec_in *in)
{
    in->owed--;
}

/* The value of a float's head. */
double codec_float_value(const struct codec_head *head);

/* Checks that the input goes on with one well-formed item, nested at most
 * CODEC_SKIP_DEPTH deep with tags counted, and moves behind it.  Looks at no text
 * encoding and at no meaning of a tag.  After an error the input is of no more use. */
#define CODEC_SKIP_DEPTH (4 * CODEC_DEPTH_MAX)
enum codec_status codec_skip(struct codec_in *in);

#endif
