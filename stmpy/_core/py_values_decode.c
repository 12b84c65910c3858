/* py_values_decode.c - bytes that nobody vouches for to Python objects.
 *
 * Invariant: any input ends in an object or an exception.  Safe because heads and lengths
 * are checked by the codec; because containers nest at most CODEC_DEPTH_MAX deep, and no
 * other construct recurses; because what is allocated for a container was announced, so that
 * it is in proportion to the input; and because duplicate keys, unhashable keys and crowds of
 * equal hashes are refused.
 */
#include "py_values_parts.h"

int decode_head(struct decoder *decoder, struct codec_head *head)
{
    enum codec_status status = codec_read_head(&decoder->in, head);
    if (status == CODEC_OK) return 0;
    decode_fail_status(decoder, status);
    return -1;
}

int decode_expect(struct decoder *decoder, enum codec_major major, const char *what,
                  struct codec_head *head)
{
    if (decode_head(decoder, head) < 0) return -1;
    if (head->major == major) return 0;
    decode_fail(decoder, "something else where %s belongs", what);
    return -1;
}

int decode_expect_array(struct decoder *decoder, uint64_t count, const char *what)
{
    struct codec_head head;
    if (decode_expect(decoder, CODEC_ARRAY, what, &head) < 0) return -1;
    if (head.argument == count) return 0;
    decode_fail(decoder, "%s of %llu parts", what, (unsigned long long)head.argument);
    return -1;
}

int decode_enter(struct decoder *decoder)
{
    if (decoder->depth == CODEC_DEPTH_MAX) {
        decode_fail_status(decoder, CODEC_TOO_DEEP);
        return -1;
    }
    decoder->depth++;
    return 0;
}

/* An item that was announced with its container. */
static PyObject *decode_item(struct decoder *decoder)
{
    codec_item_begins(&decoder->in);
    return decode_value(decoder);
}

static int decode_announce(struct decoder *decoder, uint64_t count)
{
    enum codec_status status = codec_announce(&decoder->in, count);
    if (status == CODEC_OK) return 0;
    decode_fail_status(decoder, status);
    return -1;
}

//// Containers

static PyObject *decode_list(struct decoder *decoder, uint64_t count)
{
    if (decode_enter(decoder) < 0 || decode_announce(decoder, count) < 0) return NULL;
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (uint64_t i = 0; list != NULL && i < count; i++) {
        PyObject *item = decode_item(decoder);
        if (item == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, (Py_ssize_t)i, item);
    }
    decoder->depth--;
    return list;
}

static PyObject *decode_tuple(struct decoder *decoder)
{
    struct codec_head head;
    if (decode_expect(decoder, CODEC_ARRAY, "the array of a tuple", &head) < 0 ||
        decode_enter(decoder) < 0 || decode_announce(decoder, head.argument) < 0)
        return NULL;
    PyObject *tuple = PyTuple_New((Py_ssize_t)head.argument);
    for (uint64_t i = 0; tuple != NULL && i < head.argument; i++) {
        PyObject *item = decode_item(decoder);
        if (item == NULL)
            Py_CLEAR(tuple);
        else
            PyTuple_SET_ITEM(tuple, (Py_ssize_t)i, item);
    }
    decoder->depth--;
    return tuple;
}

/* 0 unless many of the objects share one hash. */
static int check_hashes(struct decoder *decoder, PyObject *list)
{
    int crowded = hashes_crowded(list);
    if (crowded > 0)
        decode_fail(decoder, "more than %d elements share one hash", VALUES_HASH_SHARED);
    return crowded == 0 ? 0 : -1;
}

static PyObject *decode_set(struct decoder *decoder, bool frozen)
{
    struct codec_head head;
    if (decode_expect(decoder, CODEC_ARRAY, "the array of a set", &head) < 0) return NULL;
    PyObject *elements = decode_list(decoder, head.argument), *set = NULL;
    if (elements == NULL) return NULL;
    if (check_hashes(decoder, elements) == 0)
        set = frozen ? PyFrozenSet_New(elements) : PySet_New(elements);
    if (set != NULL && PySet_GET_SIZE(set) != PyList_GET_SIZE(elements)) {
        decode_fail(decoder, "a set with equal elements");
        Py_CLEAR(set);
    }
    Py_DECREF(elements);
    return set;
}

/* Takes over both references. */
static int put_entry(struct decoder *decoder, PyObject *dict, PyObject *key, PyObject *value)
{
    int present = PyDict_SetDefaultRef(dict, key, value, NULL);
    if (present > 0) decode_fail(decoder, "a dict with equal keys");
    Py_DECREF(key);
    Py_DECREF(value);
    return present == 0 ? 0 : -1;
}

static int decode_entry(struct decoder *decoder, PyObject **key, PyObject **value)
{
    *key = decode_item(decoder);
    if (*key == NULL) return -1;
    *value = decode_item(decoder);
    if (*value == NULL) Py_CLEAR(*key);
    return *value == NULL ? -1 : 0;
}

/* A dict so large that its hashes have to be looked at before it is built. */
static int decode_many_entries(struct decoder *decoder, PyObject *dict, Py_ssize_t count)
{
    int result = -1;
    PyObject *keys = PyList_New(count), *values = PyList_New(count), *key, *value;
    if (keys == NULL || values == NULL) goto done;
    for (Py_ssize_t i = 0; i < count; i++) {
        if (decode_entry(decoder, &key, &value) < 0) goto done;
        PyList_SET_ITEM(keys, i, key);
        PyList_SET_ITEM(values, i, value);
    }
    result = check_hashes(decoder, keys);
    for (Py_ssize_t i = 0; result == 0 && i < count; i++)
        result = put_entry(decoder, dict, Py_NewRef(PyList_GET_ITEM(keys, i)),
                           Py_NewRef(PyList_GET_ITEM(values, i)));
done:
    Py_XDECREF(values);
    Py_XDECREF(keys);
    return result;
}

static int decode_few_entries(struct decoder *decoder, PyObject *dict, Py_ssize_t count)
{
    PyObject *key, *value;
    for (Py_ssize_t i = 0; i < count; i++) {
        if (decode_entry(decoder, &key, &value) < 0 || put_entry(decoder, dict, key, value) < 0)
            return -1;
    }
    return 0;
}

PyObject *decode_dict(struct decoder *decoder, uint64_t count)
{
    /* Any count that is too large has to stay so when it is doubled. */
    uint64_t items = count > CODEC_VALUE_MAX ? count : count * 2;
    if (decode_enter(decoder) < 0 || decode_announce(decoder, items) < 0) return NULL;
    PyObject *dict = PyDict_New();
    if (dict == NULL) return NULL;
    int result = count > VALUES_HASH_SHARED ? decode_many_entries(decoder, dict, (Py_ssize_t)count)
                                            : decode_few_entries(decoder, dict, (Py_ssize_t)count);
    if (result < 0) Py_CLEAR(dict);
    decoder->depth--;
    return dict;
}

//// One item

static PyObject *decode_tag(struct decoder *decoder, uint64_t tag)
{
    switch (tag) {
    case CODEC_TAG_TUPLE: return decode_tuple(decoder);
    case CODEC_TAG_SET: return decode_set(decoder, false);
    case CODEC_TAG_FROZENSET: return decode_set(decoder, true);
    case CODEC_TAG_OBJECT: return decode_registered(decoder);
    case CODEC_TAG_BIGNUM: return decode_bignum(decoder, false);
    case CODEC_TAG_BIGNUM_NEGATIVE: return decode_bignum(decoder, true);
    case CODEC_TAG_DATETIME_TEXT: return decode_datetime_text(decoder);
    case CODEC_TAG_DATETIME: return decode_datetime(decoder);
    case CODEC_TAG_DATE: return decode_date(decoder);
    case CODEC_TAG_TIME: return decode_time(decoder);
    case CODEC_TAG_TIMEDELTA: return decode_timedelta(decoder);
    case CODEC_TAG_DECIMAL: return decode_decimal(decoder);
    case CODEC_TAG_DECIMAL_TEXT: return decode_decimal_text(decoder);
    case CODEC_TAG_FRACTION: return decode_fraction(decoder);
    case CODEC_TAG_UUID: return decode_uuid(decoder);
    case CODEC_TAG_COMPLEX: return decode_complex(decoder);
    }
    return decode_fail(decoder, "tag %llu means nothing here; a later version may have written it",
                       (unsigned long long)tag);
}

static PyObject *decode_string(struct decoder *decoder, const struct codec_head *head)
{
    const uint8_t *contents;
    enum codec_status status = codec_read_contents(&decoder->in, head->argument, &contents);
    if (status != CODEC_OK) return decode_fail_status(decoder, status);
    return head->major == CODEC_TEXT
               ? PyUnicode_DecodeUTF8((const char *)contents, (Py_ssize_t)head->argument, NULL)
               : PyBytes_FromStringAndSize((const char *)contents, (Py_ssize_t)head->argument);
}

static PyObject *decode_simple(struct decoder *decoder, const struct codec_head *head)
{
    if (head->info >= CODEC_HALF) return PyFloat_FromDouble(codec_float_value(head));
    switch (head->argument) {
    case CODEC_NULL: return Py_NewRef(Py_None);
    case CODEC_TRUE: return Py_NewRef(Py_True);
    case CODEC_FALSE: return Py_NewRef(Py_False);
    }
    return decode_fail(decoder, "simple value %d means nothing here", (int)head->argument);
}

PyObject *decode_value(struct decoder *decoder)
{
    struct codec_head head;
    if (decode_head(decoder, &head) < 0) return NULL;
    switch ((enum codec_major)head.major) {
    case CODEC_UNSIGNED:
    case CODEC_NEGATIVE: return decode_int_of(&head);
    case CODEC_BYTES:
    case CODEC_TEXT: return decode_string(decoder, &head);
    case CODEC_ARRAY: return decode_list(decoder, head.argument);
    case CODEC_MAP: return decode_dict(decoder, head.argument);
    case CODEC_TAG: return decode_tag(decoder, head.argument);
    case CODEC_SIMPLE: break;
    }
    return decode_simple(decoder, &head);
}

/* What many values are, an integer below 2^32; false for everything else. */
static bool read_short_int(const uint8_t *bytes, size_t length, long *out)
{
    if (length == 1 && bytes[0] < 24)
        *out = bytes[0];
    else if (length == 2 && bytes[0] == 24)
        *out = bytes[1];
    else if (length == 3 && bytes[0] == 25)
        *out = bytes[1] << 8 | bytes[2];
    else if (length == 5 && bytes[0] == 26)
        *out = (long)((uint32_t)bytes[1] << 24 | (uint32_t)bytes[2] << 16 |
                      (uint32_t)bytes[3] << 8 | bytes[4]);
    else
        return false;
    return true;
}

PyObject *values_decode(struct values_state *state, const uint8_t *bytes, size_t length)
{
    long number;
    if (read_short_int(bytes, length, &number)) return PyLong_FromLong(number);
    struct decoder decoder = {.state = state};
    codec_in_init(&decoder.in, bytes, length);
    if (length > CODEC_VALUE_MAX)
        return decode_fail(&decoder, "longer than a value can be (%zu bytes)", CODEC_VALUE_MAX);
    PyObject *value = decode_value(&decoder);
    if (value == NULL) {
        decode_fail_wrap(&decoder);
    } else if (decoder.in.at != decoder.in.end) {
        decode_fail(&decoder, "the value ends here, but the bytes go on");
        Py_CLEAR(value);
    }
    return value;
}
