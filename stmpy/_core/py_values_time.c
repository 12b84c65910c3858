/* py_values_time.c - datetime, date, time, timedelta.
 *
 * Invariant: what comes back is equal, with the same wall clock, UTC offset, fold and, for a
 * ZoneInfo, the same zone.  Another tzinfo comes back as the fixed offset it had.  Safe
 * against forged texts because the classes' own parsers read them.
 */
#include "py_values_parts.h"

//// Encoding

/* An offset from UTC is the end of the text, of a length that tells what it goes down to. */
#define OFFSET_OF_MINUTES 6   /* +HH:MM, as RFC 3339 has it */
#define OFFSET_OF_FRACTION 16 /* +HH:MM:SS.ffffff */

static bool ends_in_offset(const char *text, size_t length, size_t offset)
{
    return length > offset && (text[length - offset] == '+' || text[length - offset] == '-');
}

/* Tag 0, in which an offset of zero is a Z. */
static int encode_rfc3339(struct encoder *encoder, const char *text, size_t length)
{
    char written[48]; /* the longest takes 32: 9999-12-31T23:59:59.999999+23:59 */
    memcpy(written, text, length);
    if (memcmp(text + length - 6, "+00:00", 6) == 0) {
        written[length - 6] = 'Z';
        length -= 5;
    }
    if (encode_head(encoder, CODEC_TAG, CODEC_TAG_DATETIME_TEXT) < 0) return -1;
    return codec_write_string(encoder->out, CODEC_TEXT, written, length)
               ? 0
               : encode_fail_full(encoder);
}

/* Our own tag: text, [text, fold] or [text, fold, zone]. */
static int encode_clock(struct encoder *encoder, enum codec_tag tag, PyObject *text, long fold,
                        PyObject *zone)
{
    if (encode_head(encoder, CODEC_TAG, tag) < 0) return -1;
    if (fold == 0 && zone == Py_None) return encode_text(encoder, text);
    if (encode_head(encoder, CODEC_ARRAY, zone == Py_None ? 2 : 3) < 0 ||
        encode_text(encoder, text) < 0 || encode_head(encoder, CODEC_UNSIGNED, (uint64_t)fold) < 0)
        return -1;
    return zone == Py_None ? 0 : encode_text(encoder, zone);
}

/* The key of the object's ZoneInfo, or None if it has another tzinfo or none. */
static PyObject *zone_key(struct encoder *encoder, PyObject *value)
{
    PyObject *zone = PyObject_GetAttrString(value, "tzinfo");
    if (zone == NULL) return NULL;
    PyObject *key = NULL;
    int is_zone = stdlib_is(encoder->state, zone, STDLIB_ZONEINFO);
    if (is_zone == 0)
        key = Py_NewRef(Py_None);
    else if (is_zone > 0)
        key = PyObject_GetAttrString(zone, "key");
    if (is_zone > 0 && key != NULL && !PyUnicode_CheckExact(key)) {
        encode_fail(encoder, "its ZoneInfo has no key to find it by; use ZoneInfo(key)");
        Py_CLEAR(key);
    }
    Py_DECREF(zone);
    return key;
}

static int get_fold(PyObject *value, long *fold)
{
    PyObject *number = PyObject_GetAttrString(value, "fold");
    if (number == NULL) return -1;
    *fold = PyLong_AsLong(number);
    Py_DECREF(number);
    return PyErr_Occurred() ? -1 : 0;
}

static int encode_moment(struct encoder *encoder, PyObject *value, enum codec_tag tag)
{
    long fold;
    if (get_fold(value, &fold) < 0) return -1;
    PyObject *zone = zone_key(encoder, value);
    if (zone == NULL) return -1;
    int result = -1;
    Py_ssize_t length;
    PyObject *text = PyObject_CallMethod(value, "isoformat", NULL);
    const char *characters = text == NULL ? NULL : PyUnicode_AsUTF8AndSize(text, &length);
    if (characters != NULL) {
        /* Python 3.13 reads an offset of less than a second as none. */
        if (ends_in_offset(characters, (size_t)length, OFFSET_OF_FRACTION))
            result = encode_fail(encoder, "its offset from UTC has a fraction of a second; round "
                                          "it to seconds");
        else if (tag == CODEC_TAG_DATETIME && fold == 0 && zone == Py_None &&
                 ends_in_offset(characters, (size_t)length, OFFSET_OF_MINUTES))
            result = encode_rfc3339(encoder, characters, (size_t)length);
        else
            result = encode_clock(encoder, tag, text, fold, zone);
    }
    Py_XDECREF(text);
    Py_DECREF(zone);
    return result;
}

int encode_datetime(struct encoder *encoder, PyObject *value)
{
    return encode_moment(encoder, value, CODEC_TAG_DATETIME);
}

int encode_time(struct encoder *encoder, PyObject *value)
{
    return encode_moment(encoder, value, CODEC_TAG_TIME);
}

int encode_date(struct encoder *encoder, PyObject *value)
{
    PyObject *text = PyObject_CallMethod(value, "isoformat", NULL);
    if (text == NULL) return -1;
    int result = encode_head(encoder, CODEC_TAG, CODEC_TAG_DATE);
    if (result == 0) result = encode_text(encoder, text);
    Py_DECREF(text);
    return result;
}

int encode_timedelta(struct encoder *encoder, PyObject *value)
{
    static const char *const parts[] = {"days", "seconds", "microseconds"};
    if (encode_head(encoder, CODEC_TAG, CODEC_TAG_TIMEDELTA) < 0 ||
        encode_head(encoder, CODEC_ARRAY, 3) < 0)
        return -1;
    for (int i = 0; i < 3; i++) {
        PyObject *part = PyObject_GetAttrString(value, parts[i]);
        if (part == NULL) return -1;
        int result = encode_int(encoder, part);
        Py_DECREF(part);
        if (result < 0) return -1;
    }
    return 0;
}

//// Decoding

static PyObject *parse_text(struct decoder *decoder, enum stdlib_class which)
{
    PyObject *text = decode_text(decoder);
    if (text == NULL) return NULL;
    PyObject *value = NULL, *class = stdlib_import(decoder->state, which);
    if (class != NULL) value = PyObject_CallMethod(class, "fromisoformat", "O", text);
    Py_XDECREF(class);
    Py_DECREF(text);
    return value;
}

/* The ZoneInfo whose key comes next. */
static PyObject *decode_zone(struct decoder *decoder)
{
    PyObject *key = decode_text(decoder);
    if (key == NULL) return NULL;
    PyObject *zone = NULL, *class = stdlib_import(decoder->state, STDLIB_ZONEINFO);
    if (class != NULL) zone = PyObject_CallOneArg(class, key);
    Py_XDECREF(class);
    Py_DECREF(key);
    return zone;
}

/* A copy with the fold, and in the zone if there is one: the wall clock stays, the offset
 * is what the zone says today. */
static PyObject *replaced(PyObject *moment, PyObject *fold, PyObject *zone)
{
    PyObject *names =
        zone == NULL ? Py_BuildValue("(s)", "fold") : Py_BuildValue("(ss)", "fold", "tzinfo");
    PyObject *method = names == NULL ? NULL : PyObject_GetAttrString(moment, "replace");
    PyObject *result = NULL;
    if (method != NULL) {
        PyObject *arguments[] = {fold, zone};
        result = PyObject_Vectorcall(method, arguments, 0, names);
    }
    Py_XDECREF(method);
    Py_XDECREF(names);
    return result;
}

static PyObject *decode_clock(struct decoder *decoder, enum stdlib_class which)
{
    struct codec_head head;
    if (decoder->in.at == decoder->in.end || *decoder->in.at >> 5 != CODEC_ARRAY)
        return parse_text(decoder, which);
    if (decode_head(decoder, &head) < 0) return NULL;
    if (head.argument != 2 && head.argument != 3)
        return decode_fail(decoder, "a time of %llu parts", (unsigned long long)head.argument);
    PyObject *moment = parse_text(decoder, which);
    PyObject *fold = moment == NULL ? NULL : decode_int(decoder), *zone = NULL, *result = NULL;
    if (fold != NULL && head.argument == 3) zone = decode_zone(decoder);
    if (fold != NULL && (zone != NULL || head.argument == 2)) result = replaced(moment, fold, zone);
    Py_XDECREF(zone);
    Py_XDECREF(fold);
    Py_XDECREF(moment);
    return result;
}

PyObject *decode_datetime_text(struct decoder *decoder)
{
    return parse_text(decoder, STDLIB_DATETIME);
}

PyObject *decode_datetime(struct decoder *decoder)
{
    return decode_clock(decoder, STDLIB_DATETIME);
}

PyObject *decode_time(struct decoder *decoder)
{
    return decode_clock(decoder, STDLIB_TIME);
}

PyObject *decode_date(struct decoder *decoder)
{
    return parse_text(decoder, STDLIB_DATE);
}

PyObject *decode_timedelta(struct decoder *decoder)
{
    PyObject *parts[3] = {NULL}, *result = NULL, *class = NULL;
    if (decode_expect_array(decoder, 3, "a timedelta") < 0) return NULL;
    for (int i = 0; i < 3; i++) {
        parts[i] = decode_int(decoder);
        if (parts[i] == NULL) goto done;
    }
    class = stdlib_import(decoder->state, STDLIB_TIMEDELTA);
    if (class != NULL) result = PyObject_Vectorcall(class, parts, 3, NULL);
done:
    Py_XDECREF(class);
    for (int i = 0; i < 3; i++) Py_XDECREF(parts[i]);
    return result;
}
