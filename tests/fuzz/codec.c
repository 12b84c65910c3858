/* codec.c - the codec as far as it needs no Python: bytes that nobody vouches for, and writers.
 *
 * What the walk over unknown bytes lets pass, a second walk that recurses reads item by item;
 * heads, strings, numbers and floats that are written anew mean the same; and the items of an
 * array, sorted by their bytes, are the same items in order.
 */
#include "../c/core.h"

#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count);

#define ITEMS 64u

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return isnan(value) ? 0 : bits;
}

/* The head once more, in its shortest form. */
static void check_head(const struct codec_head *head)
{
    uint8_t bytes[CODEC_HEAD_MAX];
    size_t length = codec_put_head(bytes, head->major, head->argument);
    struct codec_in in;
    struct codec_head again;
    codec_in_init(&in, bytes, length);
    CHECK(codec_read_head(&in, &again) == CODEC_OK && in.at == in.end);
    CHECK(again.major == head->major && again.argument == head->argument);
}

static void check_float(const struct codec_head *head)
{
    struct codec_buf buf;
    struct codec_in in;
    struct codec_head again;
    double value = codec_float_value(head);
    codec_buf_init(&buf, CODEC_HEAD_MAX);
    CHECK(codec_write_float(&buf, value));
    codec_in_init(&in, buf.bytes, buf.used);
    CHECK(codec_read_head(&in, &again) == CODEC_OK && in.at == in.end);
    CHECK(bits_of(codec_float_value(&again)) == bits_of(value));
    codec_buf_free(&buf);
}

/* Reads one item by recursion; false where the bytes are refused. */
static bool read_item(struct codec_in *in, unsigned depth)
{
    struct codec_head head;
    const uint8_t *contents;
    if (codec_read_head(in, &head) != CODEC_OK)
        return false;
    if (head.major == CODEC_SIMPLE) {
        if (head.info >= CODEC_HALF)
            check_float(&head);
        return true;
    }
    check_head(&head);
    if (head.major == CODEC_BYTES || head.major == CODEC_TEXT)
        return codec_read_contents(in, head.argument, &contents) == CODEC_OK;
    if (head.major < CODEC_BYTES)
        return true;
    uint64_t items = head.argument << (head.major == CODEC_MAP);
    if (depth == 0 || (head.major != CODEC_TAG && items > (uint64_t)(in->end - in->at)))
        return false;
    for (uint64_t i = 0; i < (head.major == CODEC_TAG ? 1 : items); i++) {
        if (!read_item(in, depth - 1))
            return false;
    }
    return true;
}

static void check_number(const uint8_t *data, size_t count)
{
    struct number number, again, sum;
    uint8_t bytes[NUMBER_BYTES];
    if (!number_read(data, count, &number))
        return;
    size_t length = number_write(bytes, number);
    CHECK(length <= count && number_read(bytes, length, &again));
    CHECK(again.is_float == number.is_float && again.integer == number.integer);
    CHECK(bits_of(again.real) == bits_of(number.real));
    number_add(number, again, &sum);
}

/* The well-formed items that the input begins with, sorted. */
static void check_sorting(const uint8_t *data, size_t count)
{
    struct codec_buf buf;
    struct codec_in in;
    size_t ends[ITEMS], items = 0, before = 0;
    codec_in_init(&in, data, count);
    while (items < ITEMS && in.at < in.end && codec_skip(&in) == CODEC_OK)
        ends[items++] = (size_t)(in.at - data);
    if (items == 0)
        return;
    codec_buf_init(&buf, CODEC_VALUE_MAX);
    uint8_t *at = codec_buf_reserve(&buf, ends[items - 1]);
    CHECK(at != NULL);
    memcpy(at, data, ends[items - 1]);
    buf.used = ends[items - 1];
    CHECK(codec_sort_items(&buf, 0, ends, items));
    codec_in_init(&in, buf.bytes, buf.used);
    for (size_t i = 0, start = 0, length = 0; i < items; i++) {
        CHECK(codec_skip(&in) == CODEC_OK);
        size_t end = (size_t)(in.at - buf.bytes), next = end - start;
        int order = i == 0 ? -1 : memcmp(buf.bytes + before, buf.bytes + start,
                                         length < next ? length : next);
        CHECK(order < 0 || (order == 0 && length <= next));
        before = start;
        start = end;
        length = next;
    }
    CHECK(in.at == in.end);
    codec_buf_free(&buf);
}

/* A buffer with a limit holds what fits, refuses the rest, and is what it was. */
static void check_limit(const uint8_t *data, size_t count)
{
    struct codec_buf buf;
    codec_buf_init(&buf, count == 0 ? 0 : data[0] * 4u);
    size_t used = 0;
    while (codec_write_string(&buf, CODEC_BYTES, data, count)) {
        CHECK(buf.used > used && buf.used <= buf.limit);
        used = buf.used;
    }
    CHECK(buf.status == CODEC_TOO_LONG && buf.used == used);
    codec_buf_free(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count)
{
    struct codec_in whole, items;
    codec_in_init(&whole, data, count);
    codec_in_init(&items, data, count);
    enum codec_status status = codec_skip(&whole);
    CHECK(strlen(codec_status_text(status)) > 0);
    if (status == CODEC_OK) {
        CHECK(read_item(&items, CODEC_SKIP_DEPTH + 1));
        CHECK(items.at == whole.at);
    }
    check_number(data, count);
    check_sorting(data, count);
    check_limit(data, count);
    return 0;
}
