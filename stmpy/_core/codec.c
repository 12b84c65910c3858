/* codec.c - CBOR heads, floats, the growing buffer, and the walk over unknown bytes.
 *
 * Invariant: `used <= room <= limit` in every buffer, and `at <= end` in every input.
 * Safe against forged bytes because a length is compared with what is left before it is
 * used, in unsigned arithmetic that can't wrap, and nothing here recurses.
 */
#include "codec.h"

#include <math.h>

const char *codec_status_text(enum codec_status status)
{
    switch (status) {
    case CODEC_OK: return "no error";
    case CODEC_TOO_LONG: return "too long";
    case CODEC_NO_MEMORY: return "out of memory";
    case CODEC_TRUNCATED: return "the bytes end inside an item";
    case CODEC_INDEFINITE: return "an item of indefinite length";
    case CODEC_RESERVED: return "a reserved head";
    case CODEC_TOO_DEEP: return "nested too deep";
    }
    return "unknown status";
}

//// Writing

uint8_t *codec_buf_grow(struct codec_buf *buf, size_t count)
{
    if (count > buf->limit - buf->used) {
        buf->status = CODEC_TOO_LONG;
        return NULL;
    }
    size_t need = buf->used + count;
    size_t room = buf->room;
    while (room < need) room = room < buf->limit / 2 ? room * 2 : buf->limit;
    uint8_t *bytes = realloc(buf->bytes == buf->inlined ? NULL : buf->bytes, room);
    if (bytes == NULL) {
        buf->status = CODEC_NO_MEMORY;
        return NULL;
    }
    if (buf->bytes == buf->inlined) memcpy(bytes, buf->inlined, buf->used);
    buf->bytes = bytes;
    buf->room = room;
    return bytes + buf->used;
}

/* The bits of half precision that mean the same as these of single precision. */
static bool half_from_single(uint32_t single, uint16_t *half)
{
    uint32_t sign = single >> 16 & 0x8000, fraction = single & 0x7fffff;
    int exponent = (int)(single >> 23 & 0xff) - 127;
    if ((single & 0x7fffffff) == 0 || (exponent == 128 && fraction == 0)) {
        *half = (uint16_t)(sign | (exponent == 128 ? 0x7c00 : 0));
        return true;
    }
    if (exponent >= -14 && exponent <= 15 && (fraction & 0x1fff) == 0) {
        *half = (uint16_t)(sign | (uint32_t)(exponent + 15) << 10 | fraction >> 13);
        return true;
    }
    if (exponent >= -24 && exponent < -14) { /* subnormal: the leading bit is written out */
        unsigned shift = (unsigned)(-1 - exponent);
        uint32_t whole = fraction | 0x800000;
        if ((whole & ((1u << shift) - 1)) != 0) return false;
        *half = (uint16_t)(sign | whole >> shift);
        return true;
    }
    return false;
}

bool codec_write_float(struct codec_buf *buf, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    unsigned width = 8;
    if (isnan(value)) {
        bits = 0x7e00;
        width = 2;
    } else if (isinf(value) || fabs(value) <= 0x1.fffffep127) {
        float narrow = (float)value;
        if ((double)narrow == value) {
            uint32_t single;
            uint16_t half;
            memcpy(&single, &narrow, sizeof single);
            width = half_from_single(single, &half) ? 2 : 4;
            bits = width == 2 ? half : single;
        }
    }
    uint8_t *at = codec_buf_reserve(buf, 1 + width);
    if (at == NULL) return false;
    uint64_t big_endian = __builtin_bswap64(bits << (64 - 8 * width));
    at[0] = (uint8_t)(CODEC_SIMPLE << 5 | (width == 2   ? CODEC_HALF
                                           : width == 4 ? CODEC_SINGLE
                                                        : CODEC_DOUBLE));
    memcpy(at + 1, &big_endian, width);
    buf->used += 1 + width;
    return true;
}

struct item {
    const uint8_t *bytes; /* Borrowed: in the buffer */
    size_t length;
};

static int item_compare(const void *left, const void *right)
{
    const struct item *a = left, *b = right;
    int order = memcmp(a->bytes, b->bytes, a->length < b->length ? a->length : b->length);
    return order != 0 ? order : (a->length > b->length) - (a->length < b->length);
}

bool codec_sort_items(struct codec_buf *buf, size_t start, const size_t *ends, size_t count)
{
    size_t length = buf->used - start;
    struct item *items = malloc(count * sizeof *items + length + 1);
    if (items == NULL) {
        buf->status = CODEC_NO_MEMORY;
        return false;
    }
    uint8_t *sorted = (uint8_t *)(items + count);
    for (size_t i = 0, from = start; i < count; from = ends[i++])
        items[i] = (struct item){buf->bytes + from, ends[i] - from};
    qsort(items, count, sizeof *items, item_compare);
    for (size_t i = 0, to = 0; i < count; to += items[i++].length)
        memcpy(sorted + to, items[i].bytes, items[i].length);
    memcpy(buf->bytes + start, sorted, length);
    free(items);
    return true;
}

//// Reading

static inline size_t bytes_left(const struct codec_in *in)
{
    return (size_t)(in->end - in->at);
}

enum codec_status codec_read_head(struct codec_in *in, struct codec_head *out)
{
    if (in->at == in->end) return CODEC_TRUNCATED;
    uint8_t first = *in->at, info = first & 31;
    uint64_t argument = info;
    size_t width = 0;
    if (info >= 24) {
        if (info > 27) return info == 31 ? CODEC_INDEFINITE : CODEC_RESERVED;
        width = (size_t)1 << (info - 24);
        if (bytes_left(in) <= width) return CODEC_TRUNCATED;
        uint64_t big_endian = 0;
        memcpy(&big_endian, in->at + 1, width);
        argument = __builtin_bswap64(big_endian) >> (64 - 8 * width);
        /* Simple values below 32 have the short form alone (section 3.3). */
        if (first == (CODEC_SIMPLE << 5 | 24) && argument < 32) return CODEC_RESERVED;
    }
    in->at += 1 + width;
    *out = (struct codec_head){.major = first >> 5, .info = info, .argument = argument};
    return CODEC_OK;
}

enum codec_status codec_read_contents(struct codec_in *in, uint64_t count, const uint8_t **out)
{
    if (count > bytes_left(in)) return CODEC_TRUNCATED;
    *out = in->at;
    in->at += count;
    return CODEC_OK;
}

enum codec_status codec_announce(struct codec_in *in, uint64_t count)
{
    size_t left = bytes_left(in);
    if (in->owed > left || count > left - in->owed) return CODEC_TRUNCATED;
    in->owed += count;
    return CODEC_OK;
}

static double float_of_half(unsigned half)
{
    int exponent = half >> 10 & 31;
    double value = exponent == 0    ? ldexp(half & 0x3ff, -24)
                   : exponent != 31 ? ldexp((half & 0x3ff) + 0x400, exponent - 25)
                   : (half & 0x3ff) ? (double)NAN
                                    : (double)INFINITY;
    return half & 0x8000 ? -value : value;
}

double codec_float_value(const struct codec_head *head)
{
    if (head->info == CODEC_HALF) return float_of_half((unsigned)head->argument);
    if (head->info == CODEC_SINGLE) {
        uint32_t bits = (uint32_t)head->argument;
        float single;
        memcpy(&single, &bits, sizeof single);
        return single;
    }
    double value;
    memcpy(&value, &head->argument, sizeof value);
    return value;
}

/* Takes one head with the contents of a string; `items` are those that follow within it. */
static enum codec_status skip_shallow(struct codec_in *in, uint64_t *items)
{
    struct codec_head head;
    const uint8_t *contents;
    enum codec_status status = codec_read_head(in, &head);
    if (status != CODEC_OK) return status;
    *items = 0;
    switch (head.major) {
    case CODEC_BYTES:
    case CODEC_TEXT: return codec_read_contents(in, head.argument, &contents);
    case CODEC_TAG: *items = 1; break;
    case CODEC_MAP:
        if (head.argument > bytes_left(in)) return CODEC_TRUNCATED;
        *items = head.argument * 2;
        break;
    case CODEC_ARRAY: *items = head.argument; break;
    default: break;
    }
    return codec_announce(in, *items);
}

enum codec_status codec_skip(struct codec_in *in)
{
    uint64_t pending[CODEC_SKIP_DEPTH + 1] = {1};
    unsigned depth = 0;
    enum codec_status status = codec_announce(in, 1);
    while (status == CODEC_OK) {
        while (pending[depth] == 0) {
            if (depth-- == 0) return CODEC_OK;
        }
        pending[depth]--;
        codec_item_begins(in);
        uint64_t items;
        status = skip_shallow(in, &items);
        if (status == CODEC_OK && items != 0) {
            if (depth == CODEC_SKIP_DEPTH) return CODEC_TOO_DEEP;
            pending[++depth] = items;
        }
    }
    return status;
}
