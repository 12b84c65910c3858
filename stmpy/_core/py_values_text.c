/* py_values_text.c - str that is not plain ASCII to UTF-8.
 *
 * Written straight into the buffer, because PyUnicode_AsUTF8AndSize would leave a second
 * copy of the text in the user's object.  Safe because a str never changes, so the length
 * counted in the first pass is the length that the second one writes.
 */
#include "py_values_parts.h"

static size_t utf8_length(Py_UCS4 character)
{
    return character < 0x80 ? 1 : character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
}

static uint8_t *utf8_put(uint8_t *at, Py_UCS4 character)
{
    static const uint8_t leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    size_t length = utf8_length(character);
    if (length == 1) {
        *at = (uint8_t)character;
        return at + 1;
    }
    for (size_t i = length - 1; i > 0; i--) {
        at[i] = (uint8_t)(0x80 | (character & 0x3f));
        character >>= 6;
    }
    *at = (uint8_t)(leads[length] | character);
    return at + length;
}

int encode_text(struct encoder *encoder, PyObject *value)
{
    int kind = PyUnicode_KIND(value);
    const void *data = PyUnicode_DATA(value);
    Py_ssize_t count = PyUnicode_GET_LENGTH(value);
    size_t length = 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        Py_UCS4 character = PyUnicode_READ(kind, data, i);
        if (Py_UNICODE_IS_SURROGATE(character))
            return encode_fail(encoder,
                               "the surrogate U+%04X at position %zd of a str has no UTF-8; "
                               "store the bytes it came from instead",
                               (unsigned)character, i);
        length += utf8_length(character);
    }
    if (encode_head(encoder, CODEC_TEXT, length) < 0) return -1;
    uint8_t *at = codec_buf_reserve(encoder->out, length);
    if (at == NULL) return encode_fail_full(encoder);
    for (Py_ssize_t i = 0; i < count; i++) at = utf8_put(at, PyUnicode_READ(kind, data, i));
    encoder->out->used += length;
    return 0;
}

PyObject *decode_text(struct decoder *decoder)
{
    struct codec_head head;
    const uint8_t *contents;
    if (decode_expect(decoder, CODEC_TEXT, "a text", &head) < 0) return NULL;
    enum codec_status status = codec_read_contents(&decoder->in, head.argument, &contents);
    if (status != CODEC_OK) return decode_fail_status(decoder, status);
    return PyUnicode_DecodeUTF8((const char *)contents, (Py_ssize_t)head.argument, NULL);
}
