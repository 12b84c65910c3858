/* content.h - the values that blocks.c writes, and how they lie in the store.
 */
#ifndef FUZZ_CONTENT_H
#define FUZZ_CONTENT_H

#include "../c/core.h"

#define LARGE 700u /* bytes of the largest value */

/* A value of a key: absent, a number, or so many bytes that are all the same. */
struct content {
    enum { NOTHING, NUMBER, BYTES, SUM } kind; /* SUM: a number added to what is there */
    int64_t number;
    uint32_t length;
};

static const struct content nothing = {.kind = NOTHING};

static inline bool same(struct content a, struct content b)
{
    return a.kind == b.kind && a.number == b.number && a.length == b.length;
}

static inline size_t encode(struct content content, uint8_t *out)
{
    struct codec_buf buf;
    uint8_t bytes[LARGE];
    codec_buf_init(&buf, CODEC_VALUE_MAX);
    memset(bytes, (int)content.number, content.length);
    bool written = content.kind == NUMBER
                       ? codec_write_int(&buf, content.number)
                       : codec_write_string(&buf, CODEC_BYTES, bytes, content.length);
    CHECK(written);
    size_t length = buf.used;
    memcpy(out, buf.bytes, length);
    codec_buf_free(&buf);
    return length;
}

static inline struct content decode(const uint8_t *bytes, size_t length)
{
    struct number number;
    struct codec_in in;
    struct codec_head head;
    if (number_read(bytes, length, &number))
        return (struct content){.kind = NUMBER, .number = number.integer};
    codec_in_init(&in, bytes, length);
    CHECK(codec_read_head(&in, &head) == CODEC_OK && head.major == CODEC_BYTES);
    CHECK((size_t)(in.end - in.at) == head.argument);
    for (const uint8_t *byte = in.at; byte < in.end; byte++)
        CHECK(*byte == *in.at);
    return (struct content){.kind = BYTES,
                            .number = in.at == in.end ? 30 : *in.at,
                            .length = (uint32_t)head.argument};
}

static inline struct content of_version(const struct version *version)
{
    return version == NULL ? nothing
                           : decode(version->payload, version_length(version));
}

#endif
