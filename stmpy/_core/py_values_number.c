/* py_values_number.c - big integers, Decimal, Fraction, complex.
 *
 * Invariant: a number comes back with every digit and its sign, and in a time that grows
 * with its bytes.  Safe against forged ones because what takes the square of the length (a
 * coefficient from binary to decimal, reducing a fraction) has a limit of its own.
 */
#include "py_values_parts.h"

/* Bytes of an integer with CODEC_DECIMAL_DIGITS digits (log 10 / log 256 each), and one. */
#define COEFFICIENT_MAX ((size_t)CODEC_DECIMAL_DIGITS * 416 / 1000 + 1)
/* Bytes of each part of a fraction. */
#define FRACTION_PART_MAX ((size_t)64 << 10)

//// Integers

/* Takes the magnitude of a positive number, and -1 minus a negative one: in two's complement
 * that is its complement, which is why it needs no arithmetic. */
static int encode_twos_complement(struct encoder *encoder, uint8_t *digits, size_t length)
{
    bool negative = digits[0] & 0x80;
    for (size_t i = 0; negative && i < length; i++) digits[i] = (uint8_t)~digits[i];
    while (length > 0 && *digits == 0) {
        digits++;
        length--;
    }
    if (length <= sizeof(uint64_t)) {
        uint64_t argument = 0;
        for (size_t i = 0; i < length; i++) argument = argument << 8 | digits[i];
        return encode_head(encoder, negative ? CODEC_NEGATIVE : CODEC_UNSIGNED, argument);
    }
    if (encode_head(encoder, CODEC_TAG, negative ? CODEC_TAG_BIGNUM_NEGATIVE : CODEC_TAG_BIGNUM) <
        0)
        return -1;
    return codec_write_string(encoder->out, CODEC_BYTES, digits, length)
               ? 0
               : encode_fail_full(encoder);
}

int encode_int(struct encoder *encoder, PyObject *value)
{
    uint8_t few[64], *digits = few;
    Py_ssize_t size = PyLong_AsNativeBytes(value, NULL, 0, Py_ASNATIVEBYTES_BIG_ENDIAN);
    if (size < 0) return -1;
    if ((size_t)size > sizeof few) {
        digits = PyMem_Malloc((size_t)size);
        if (digits == NULL) {
            PyErr_NoMemory();
            return -1;
        }
    }
    PyLong_AsNativeBytes(value, digits, size, Py_ASNATIVEBYTES_BIG_ENDIAN);
    int result = encode_twos_complement(encoder, digits, (size_t)size);
    if (digits != few) PyMem_Free(digits);
    return result;
}

PyObject *decode_bignum(struct decoder *decoder, bool negative)
{
    struct codec_head head;
    const uint8_t *digits;
    if (decode_expect(decoder, CODEC_BYTES, "the bytes of a big integer", &head) < 0) return NULL;
    enum codec_status status = codec_read_contents(&decoder->in, head.argument, &digits);
    if (status != CODEC_OK) return decode_fail_status(decoder, status);
    PyObject *number =
        PyLong_FromUnsignedNativeBytes(digits, (size_t)head.argument, Py_ASNATIVEBYTES_BIG_ENDIAN);
    if (number != NULL && negative) Py_SETREF(number, PyNumber_Invert(number));
    return number;
}

PyObject *decode_int_of(const struct codec_head *head)
{
    if (head->argument <= INT64_MAX) {
        int64_t argument = (int64_t)head->argument;
        return PyLong_FromLongLong(head->major == CODEC_UNSIGNED ? argument : -1 - argument);
    }
    PyObject *number = PyLong_FromUnsignedLongLong(head->argument);
    if (number != NULL && head->major == CODEC_NEGATIVE) Py_SETREF(number, PyNumber_Invert(number));
    return number;
}

PyObject *decode_int(struct decoder *decoder)
{
    struct codec_head head;
    if (decode_head(decoder, &head) < 0) return NULL;
    if (head.major == CODEC_UNSIGNED || head.major == CODEC_NEGATIVE) return decode_int_of(&head);
    if (head.major == CODEC_TAG &&
        (head.argument == CODEC_TAG_BIGNUM || head.argument == CODEC_TAG_BIGNUM_NEGATIVE))
        return decode_bignum(decoder, head.argument == CODEC_TAG_BIGNUM_NEGATIVE);
    return decode_fail(decoder, "something else where an integer belongs");
}

/* An integer of at most `limit` bytes, because the caller has to calculate with it. */
static PyObject *decode_int_limited(struct decoder *decoder, size_t limit)
{
    const uint8_t *start = decoder->in.at;
    PyObject *number = decode_int(decoder);
    if (number != NULL && (size_t)(decoder->in.at - start) > limit + 1 + CODEC_HEAD_MAX) {
        decode_fail(decoder, "part of a number takes more than %zu bytes", limit);
        Py_CLEAR(number);
    }
    return number;
}

//// Decimal

static PyObject *decimal_from_parts(struct values_state *state, PyObject *sign, PyObject *digits,
                                    PyObject *exponent)
{
    PyObject *class = stdlib_import(state, STDLIB_DECIMAL);
    if (class == NULL) return NULL;
    PyObject *decimal = PyObject_CallFunction(class, "((OOO))", sign, digits, exponent);
    Py_DECREF(class);
    return decimal;
}

/* The integer that the digits are; not through its text, whose length is limited. */
static PyObject *decimal_coefficient(struct encoder *encoder, PyObject *sign, PyObject *digits)
{
    PyObject *zero = PyLong_FromLong(0);
    if (zero == NULL) return NULL;
    PyObject *whole = decimal_from_parts(encoder->state, sign, digits, zero);
    Py_DECREF(zero);
    if (whole == NULL) return NULL;
    PyObject *coefficient = PyNumber_Long(whole);
    Py_DECREF(whole);
    return coefficient;
}

static int encode_decimal_text(struct encoder *encoder, PyObject *value)
{
    PyObject *text = PyObject_Str(value);
    if (text == NULL) return -1;
    int result = encode_head(encoder, CODEC_TAG, CODEC_TAG_DECIMAL_TEXT);
    if (result == 0) result = encode_text(encoder, text);
    Py_DECREF(text);
    return result;
}

static int encode_decimal_parts(struct encoder *encoder, PyObject *value, PyObject *sign,
                                PyObject *digits, PyObject *exponent)
{
    if (!PyLong_Check(exponent) || PyTuple_GET_SIZE(digits) > CODEC_DECIMAL_DIGITS)
        return encode_decimal_text(encoder, value);
    PyObject *coefficient = decimal_coefficient(encoder, sign, digits);
    if (coefficient == NULL) return -1;
    int result;
    /* An integer has no sign at zero, so -0 is text too. */
    if (PyObject_IsTrue(sign) == 1 && PyObject_IsTrue(coefficient) == 0)
        result = encode_decimal_text(encoder, value);
    else if ((result = encode_head(encoder, CODEC_TAG, CODEC_TAG_DECIMAL)) == 0 &&
             (result = encode_head(encoder, CODEC_ARRAY, 2)) == 0 &&
             (result = encode_int(encoder, exponent)) == 0)
        result = encode_int(encoder, coefficient);
    Py_DECREF(coefficient);
    return result;
}

int encode_decimal(struct encoder *encoder, PyObject *value)
{
    PyObject *sign, *digits, *exponent, *parts = PyObject_CallMethod(value, "as_tuple", NULL);
    if (parts == NULL) return -1;
    int result = -1;
    if (PyArg_ParseTuple(parts, "OO!O", &sign, &PyTuple_Type, &digits, &exponent))
        result = encode_decimal_parts(encoder, value, sign, digits, exponent);
    Py_DECREF(parts);
    return result;
}

static PyObject *decimal_shifted(struct decoder *decoder, PyObject *coefficient, PyObject *exponent)
{
    PyObject *class = stdlib_import(decoder->state, STDLIB_DECIMAL);
    if (class == NULL) return NULL;
    PyObject *decimal = NULL, *parts = NULL, *whole = PyObject_CallOneArg(class, coefficient);
    Py_DECREF(class);
    if (whole != NULL) parts = PyObject_CallMethod(whole, "as_tuple", NULL);
    PyObject *sign, *digits, *zero;
    if (parts != NULL && PyArg_ParseTuple(parts, "OOO", &sign, &digits, &zero))
        decimal = decimal_from_parts(decoder->state, sign, digits, exponent);
    Py_XDECREF(parts);
    Py_XDECREF(whole);
    return decimal;
}

PyObject *decode_decimal(struct decoder *decoder)
{
    if (decode_expect_array(decoder, 2, "a decimal") < 0) return NULL;
    PyObject *decimal = NULL, *exponent = decode_int_limited(decoder, sizeof(uint64_t));
    PyObject *coefficient = NULL;
    if (exponent != NULL) coefficient = decode_int_limited(decoder, COEFFICIENT_MAX);
    if (coefficient != NULL) decimal = decimal_shifted(decoder, coefficient, exponent);
    Py_XDECREF(coefficient);
    Py_XDECREF(exponent);
    return decimal;
}

PyObject *decode_decimal_text(struct decoder *decoder)
{
    PyObject *text = decode_text(decoder);
    if (text == NULL) return NULL;
    PyObject *decimal = NULL, *class = stdlib_import(decoder->state, STDLIB_DECIMAL);
    if (class != NULL) decimal = PyObject_CallOneArg(class, text);
    Py_XDECREF(class);
    Py_DECREF(text);
    return decimal;
}

//// Fraction, complex

static int encode_part(struct encoder *encoder, PyObject *fraction, const char *name)
{
    PyObject *part = PyObject_GetAttrString(fraction, name);
    if (part == NULL) return -1;
    size_t start = encoder->out->used;
    int result =
        PyLong_CheckExact(part) ? encode_int(encoder, part) : encode_fail_type(encoder, part);
    Py_DECREF(part);
    if (result == 0 && encoder->out->used - start > FRACTION_PART_MAX)
        result = encode_fail(encoder, "the %s of a Fraction takes more than %zu bytes", name,
                             FRACTION_PART_MAX);
    return result;
}

int encode_fraction(struct encoder *encoder, PyObject *value)
{
    if (encode_head(encoder, CODEC_TAG, CODEC_TAG_FRACTION) < 0 ||
        encode_head(encoder, CODEC_ARRAY, 2) < 0 || encode_part(encoder, value, "numerator") < 0)
        return -1;
    return encode_part(encoder, value, "denominator");
}

PyObject *decode_fraction(struct decoder *decoder)
{
    if (decode_expect_array(decoder, 2, "a fraction") < 0) return NULL;
    PyObject *fraction = NULL, *denominator = NULL, *class = NULL;
    PyObject *numerator = decode_int_limited(decoder, FRACTION_PART_MAX);
    if (numerator != NULL) denominator = decode_int_limited(decoder, FRACTION_PART_MAX);
    if (denominator != NULL) class = stdlib_import(decoder->state, STDLIB_FRACTION);
    if (class != NULL) fraction = PyObject_CallFunctionObjArgs(class, numerator, denominator, NULL);
    Py_XDECREF(class);
    Py_XDECREF(denominator);
    Py_XDECREF(numerator);
    return fraction;
}

PyObject *decode_complex(struct decoder *decoder)
{
    double parts[2];
    if (decode_expect_array(decoder, 2, "a complex number") < 0) return NULL;
    for (int i = 0; i < 2; i++) {
        struct codec_head head;
        if (decode_expect(decoder, CODEC_SIMPLE, "a float", &head) < 0) return NULL;
        if (head.info < CODEC_HALF)
            return decode_fail(decoder, "a simple value where a float belongs");
        parts[i] = codec_float_value(&head);
    }
    return PyComplex_FromDoubles(parts[0], parts[1]);
}
