/* py_values_parts.h - what the files py_values*.c share among each other. */
#ifndef STMPY_PY_VALUES_PARTS_H
#define STMPY_PY_VALUES_PARTS_H

#include "py_values.h"

//// Encoding

enum path_kind {
    PATH_INDEX,   /* an item of a list or tuple */
    PATH_VALUE,   /* the value under a key of a dict */
    PATH_KEY,     /* a key of a dict itself */
    PATH_ELEMENT, /* an element of a set: it has no place that could be named */
    PATH_FIELD,   /* a field of a dataclass */
};

/* Where the encoder stands within one open container.  Lives on the C stack, so that a
 * path costs nothing until a message needs it. */
struct path_step {
    struct path_step *outer; /* Borrowed: NULL for the outermost container */
    enum path_kind kind;
    Py_ssize_t index; /* of the item or key */
    PyObject *name;   /* Borrowed: key or field; kept alive by the loop */
};

/* How messages speak of the whole. */
struct encoder_role {
    const char *name;
    size_t max;         /* bytes that it may take */
    const char *advice; /* what to do if it takes more */
};

struct encoder {
    struct values_state *state; /* Borrowed */
    struct codec_buf *out;      /* Borrowed */
    const struct encoder_role *role;
    struct path_step *path; /* Borrowed: the innermost open container */
    unsigned flags;         /* enum values_flag */
    unsigned depth;         /* open containers */
};

/* All encode functions return 0, or -1 with an exception. */
int encode_item(struct encoder *encoder, PyObject *value);
int encode_int(struct encoder *encoder, PyObject *value);
int encode_text(struct encoder *encoder, PyObject *value);
int encode_head(struct encoder *encoder, enum codec_major major, uint64_t argument);

/* Any object that is no builtin: 1 if it was written, 0 if its type is none of these. */
int encode_registered(struct encoder *encoder, PyObject *value);
int encode_stdlib(struct encoder *encoder, PyObject *value);

int encode_decimal(struct encoder *encoder, PyObject *value);
int encode_fraction(struct encoder *encoder, PyObject *value);
int encode_datetime(struct encoder *encoder, PyObject *value);
int encode_date(struct encoder *encoder, PyObject *value);
int encode_time(struct encoder *encoder, PyObject *value);
int encode_timedelta(struct encoder *encoder, PyObject *value);

/* Opens a container: -1 with EncodeError if it is nested too deep. */
int encode_enter(struct encoder *encoder, struct path_step *step, enum path_kind kind);

static inline void encode_leave(struct encoder *encoder, const struct path_step *step)
{
    encoder->path = step->outer;
    encoder->depth--;
}

/* Raise EncodeError with the path before the message, and return -1. */
int encode_fail(struct encoder *encoder, const char *format, ...);
int encode_fail_full(struct encoder *encoder);
int encode_fail_changed(struct encoder *encoder);
int encode_fail_type(struct encoder *encoder, PyObject *value);

//// Decoding

struct decoder {
    struct values_state *state; /* Borrowed */
    struct codec_in in;
    unsigned depth; /* open containers */
};

/* All decode functions return a new reference, or NULL with any exception: values_decode
 * turns those that bytes can cause into DecodeError. */
PyObject *decode_value(struct decoder *decoder);
PyObject *decode_int(struct decoder *decoder);
PyObject *decode_int_of(const struct codec_head *head);
PyObject *decode_text(struct decoder *decoder);
PyObject *decode_dict(struct decoder *decoder, uint64_t count);

PyObject *decode_bignum(struct decoder *decoder, bool negative);
PyObject *decode_complex(struct decoder *decoder);
PyObject *decode_decimal(struct decoder *decoder);
PyObject *decode_decimal_text(struct decoder *decoder);
PyObject *decode_fraction(struct decoder *decoder);
PyObject *decode_uuid(struct decoder *decoder);
PyObject *decode_datetime_text(struct decoder *decoder);
PyObject *decode_datetime(struct decoder *decoder);
PyObject *decode_date(struct decoder *decoder);
PyObject *decode_time(struct decoder *decoder);
PyObject *decode_timedelta(struct decoder *decoder);
PyObject *decode_registered(struct decoder *decoder);

/* Take the next head: 0, or -1 with DecodeError if it is none or not what is expected. */
int decode_head(struct decoder *decoder, struct codec_head *head);
int decode_expect(struct decoder *decoder, enum codec_major major, const char *what,
                  struct codec_head *head);
int decode_expect_array(struct decoder *decoder, uint64_t count, const char *what);

/* Opens a container: -1 with DecodeError if it is nested too deep. */
int decode_enter(struct decoder *decoder);

/* Raise DecodeError with the offset, and return NULL. */
PyObject *decode_fail(struct decoder *decoder, const char *format, ...);
PyObject *decode_fail_status(struct decoder *decoder, enum codec_status status);

/* Replaces the current exception by DecodeError caused by it, if bytes can be its cause. */
void decode_fail_wrap(struct decoder *decoder);

//// Classes of the standard library, imported only when they are met

enum stdlib_class {
    STDLIB_DATETIME,
    STDLIB_DATE,
    STDLIB_TIME,
    STDLIB_TIMEDELTA,
    STDLIB_DECIMAL,
    STDLIB_FRACTION,
    STDLIB_UUID,
    STDLIB_ZONEINFO, /* part of others, no value of its own */
    STDLIB_CLASSES,
};

/* A new reference to the class, which is imported if need be; NULL with an exception. */
PyObject *stdlib_import(struct values_state *state, enum stdlib_class which);

/* 1 if the object is an instance of exactly this class, 0 if not, -1 with an exception. */
int stdlib_is(struct values_state *state, PyObject *value, enum stdlib_class which);

//// Registered classes

enum class_kind {
    CLASS_ENUM,
    CLASS_FLAG,
    CLASS_DATACLASS,
    CLASS_FROZEN, /* a frozen dataclass: immutable if its fields are */
};

/* A registered class is a tuple of these. */
enum entry_part {
    ENTRY_CLASS,
    ENTRY_PREFIX, /* bytes: what stands before every payload */
    ENTRY_KIND,   /* int: enum class_kind */
    ENTRY_FIELDS, /* tuple of the names of a dataclass's fields; empty for an Enum */
};

/* An instance whose fields are not set and whose __init__ did not run. */
PyObject *instance_new(PyObject *class);

//// Hashes

/* A set or dict whose elements share one hash takes time in the square of their number, so
 * that few bytes could stop a program.  Up to this many may share one. */
#define VALUES_HASH_SHARED 1024

/* 1 if more than VALUES_HASH_SHARED of the objects in the list have the same hash, 0 if
 * not, -1 with an exception. */
int hashes_crowded(PyObject *list);

#endif
