/* test_codec.c - the CBOR primitives: floats, heads, the buffer's edges, the skipper. */
#include "codec.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void check_float(double value, size_t length)
{
    struct codec_buf buf;
    struct codec_in in;
    struct codec_head head;
    codec_buf_init(&buf, 16);
    assert(codec_write_float(&buf, value));
    assert(buf.used == length);
    codec_in_init(&in, buf.bytes, buf.used);
    assert(codec_read_head(&in, &head) == CODEC_OK);
    assert(head.major == CODEC_SIMPLE && in.at == in.end);
    double back = codec_float_value(&head);
    assert(isnan(value) ? isnan(back) : memcmp(&back, &value, sizeof value) == 0);
    codec_buf_free(&buf);
}

/* Every float of 16 bits, and neighbours that need more. */
static void test_floats(void)
{
    for (unsigned bits = 0; bits < 0x10000; bits++) {
        struct codec_head head = {CODEC_SIMPLE, CODEC_HALF, bits};
        double value = codec_float_value(&head);
        check_float(value, 3);
        if (isfinite(value) && (bits & 0x7fff) != 0) {
            check_float(value * (1 + 0x1p-11), 5);
            check_float(value * (1 + 0x1p-40), 9);
        }
    }
    check_float(0x1.fffffep127, 5);
    check_float(0x1.fffffe0000001p127, 9);
    check_float(0x1p-149, 5);
    check_float(0x1p-150, 9);
    check_float(0x1p-1074, 9);
    check_float(-0.0, 3);
}

static void test_heads(void)
{
    static const struct {
        uint64_t argument;
        size_t length;
    } cases[] = {{0, 1},           {23, 1},         {24, 2},       {0xff, 2},
                 {0x100, 3},       {0xffff, 3},     {0x10000, 5},  {0xffffffff, 5},
                 {0x100000000, 9}, {UINT64_MAX, 9}, {INT64_MAX, 9}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (unsigned major = 0; major < CODEC_SIMPLE; major++) {
            uint8_t bytes[CODEC_HEAD_MAX];
            struct codec_in in;
            struct codec_head head;
            size_t length = codec_put_head(bytes, (enum codec_major)major, cases[i].argument);
            assert(length == cases[i].length);
            codec_in_init(&in, bytes, length);
            assert(codec_read_head(&in, &head) == CODEC_OK);
            assert(head.major == major && head.argument == cases[i].argument);
            codec_in_init(&in, bytes, length - 1);
            assert(codec_read_head(&in, &head) == CODEC_TRUNCATED && in.at == bytes);
        }
    }
}

/* Fills buffers byte by byte to their limits, on both sides of the inline part. */
static void test_buffer(void)
{
    static const size_t limits[] = {0, 1, 255, 256, 257, 480, 5000};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        struct codec_buf buf;
        codec_buf_init(&buf, limits[i]);
        for (size_t n = 0; n < limits[i]; n++) {
            uint8_t *at = codec_buf_reserve(&buf, 1);
            assert(at == buf.bytes + n);
            *at = (uint8_t)(n * 7);
            buf.used++;
        }
        assert(codec_buf_reserve(&buf, 1) == NULL && buf.status == CODEC_TOO_LONG);
        assert(codec_buf_reserve(&buf, SIZE_MAX) == NULL);
        assert(codec_buf_reserve(&buf, 0) != NULL && buf.used == limits[i]);
        for (size_t n = 0; n < limits[i]; n++) assert(buf.bytes[n] == (uint8_t)(n * 7));
        codec_buf_free(&buf);
    }
}

/* A head that fits is written even where the longest one would not. */
static void test_writers_at_the_limit(void)
{
    struct codec_buf buf;
    codec_buf_init(&buf, 8);
    assert(codec_write_string(&buf, CODEC_BYTES, "abcde", 5));
    assert(codec_write_int(&buf, -24));
    assert(!codec_write_int(&buf, -25) && buf.used == 7);
    assert(!codec_write_float(&buf, 1.5) && buf.used == 7);
    assert(!codec_write_string(&buf, CODEC_TEXT, "ab", 2) && buf.used == 7);
    assert(codec_write_head(&buf, CODEC_SIMPLE, CODEC_NULL) && buf.used == 8);
    assert(memcmp(buf.bytes,
                  "\x45"
                  "abcde\x37\xf6",
                  8) == 0);
    codec_buf_free(&buf);
}

static void test_sorting(void)
{
    struct codec_buf buf;
    codec_buf_init(&buf, 100);
    const char *items[] = {"b", "aa", "", "a", "c", "ab", "a"};
    size_t ends[7];
    assert(codec_write_string(&buf, CODEC_TEXT, "kept", 4));
    size_t start = buf.used;
    for (size_t i = 0; i < 7; i++) {
        size_t length = strlen(items[i]);
        memcpy(codec_buf_reserve(&buf, length), items[i], length);
        ends[i] = buf.used += length;
    }
    assert(codec_sort_items(&buf, start, ends, 7));
    assert(buf.used == start + 8 && memcmp(buf.bytes,
                                           "\x64kept"
                                           "aaaaabbc",
                                           13) == 0);
    assert(codec_sort_items(&buf, buf.used, NULL, 0));
    codec_buf_free(&buf);
}

static enum codec_status skip(const char *bytes, size_t count, size_t *used)
{
    struct codec_in in;
    codec_in_init(&in, (const uint8_t *)bytes, count);
    enum codec_status status = codec_skip(&in);
    *used = (size_t)(in.at - in.start);
    return status;
}

static void test_skip(void)
{
    static const struct {
        const char *bytes;
        size_t count;
        enum codec_status status;
    } cases[] = {
        {"\x00", 1, CODEC_OK},
        {"\x83\x01\x82\x02\x80\xa1\x61k\xf6", 9, CODEC_OK},
        {"\xc2\x42\x01\x02", 4, CODEC_OK},
        {"\xd9\x01\x02\x80", 4, CODEC_OK},
        {"", 0, CODEC_TRUNCATED},
        {"\x82\x00", 2, CODEC_TRUNCATED},
        {"\xa1\x00", 2, CODEC_TRUNCATED},
        {"\x42\x00", 2, CODEC_TRUNCATED},
        {"\xc2", 1, CODEC_TRUNCATED},
        {"\x9b\xff\xff\xff\xff\xff\xff\xff\xff\x00", 10, CODEC_TRUNCATED},
        {"\xbb\x80\x00\x00\x00\x00\x00\x00\x01\x00\x00", 11, CODEC_TRUNCATED},
        {"\x5b\xff\xff\xff\xff\xff\xff\xff\xff\x00", 10, CODEC_TRUNCATED},
        {"\x81\x9f", 2, CODEC_INDEFINITE},
        {"\xff", 1, CODEC_INDEFINITE},
        {"\x1c", 1, CODEC_RESERVED},
        {"\xf8\x1f", 2, CODEC_RESERVED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t used;
        assert(skip(cases[i].bytes, cases[i].count, &used) == cases[i].status);
        assert(cases[i].status != CODEC_OK || used == cases[i].count);
    }
    size_t used;
    assert(skip("\x81\x01\x02", 3, &used) == CODEC_OK && used == 2);
}

static void test_skip_depth(void)
{
    char bytes[CODEC_SKIP_DEPTH + 2];
    size_t used;
    memset(bytes, '\x81', sizeof bytes);
    bytes[CODEC_SKIP_DEPTH] = '\x00';
    assert(skip(bytes, CODEC_SKIP_DEPTH + 1, &used) == CODEC_OK);
    bytes[CODEC_SKIP_DEPTH] = '\xc1';
    bytes[CODEC_SKIP_DEPTH + 1] = '\x00';
    assert(skip(bytes, CODEC_SKIP_DEPTH + 2, &used) == CODEC_TOO_DEEP);
}

/* Random bytes: the skipper stops within them, and what it accepts has no shorter form
 * of the same start that it accepts too. */
static void test_skip_random(unsigned seed)
{
    printf("test_codec: seed %u\n", seed);
    for (int round = 0; round < 200000; round++) {
        uint8_t bytes[24];
        size_t count = (size_t)rand_r(&seed) % sizeof bytes, used, again;
        for (size_t i = 0; i < count; i++) bytes[i] = (uint8_t)(rand_r(&seed) >> 8);
        enum codec_status status = skip((char *)bytes, count, &used);
        assert(used <= count);
        if (status == CODEC_OK && used > 0) {
            assert(skip((char *)bytes, used, &again) == CODEC_OK && again == used);
            assert(skip((char *)bytes, used - 1, &again) == CODEC_TRUNCATED);
        }
    }
}

int main(int count, char **arguments)
{
    test_floats();
    test_heads();
    test_buffer();
    test_writers_at_the_limit();
    test_sorting();
    test_skip();
    test_skip_depth();
    test_skip_random(count > 1 ? (unsigned)strtoul(arguments[1], NULL, 0) : 20261123u);
    return 0;
}
