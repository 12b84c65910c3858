/* py_values.h - Python objects to bytes and back.
 *
 * The mapping is the table in codec.h.  Only exact types are stored: an instance of a
 * subclass would come back as something else, so it is refused unless its class is a
 * registered Enum or dataclass.  Keys follow dict equality instead, see values_encode_key.
 *
 * Every function needs an attached interpreter.  All state is per module.
 */
#ifndef STMPY_PY_VALUES_H
#define STMPY_PY_VALUES_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "codec.h"

struct values_state {
    PyObject *encode_error; /* Owned: the class EncodeError */
    PyObject *decode_error; /* Owned: the class DecodeError */
    PyObject *by_type;      /* Owned: dict, registered class -> entry */
    PyObject *by_name;      /* Owned: dict, registered name -> entry */
    PyObject *stdlib;       /* Owned: list of the stdlib's classes met so far, else None */
};

enum values_flag {
    VALUE_MUTABLE = 1, /* the decoded value, or a part of it, can be changed in place */
};

/* 0, or -1 with an exception.  Takes new references to the two error classes. */
int values_init(struct values_state *state, PyObject *encode_error, PyObject *decode_error);
int values_traverse(struct values_state *state, visitproc visit, void *arg);
void values_clear(struct values_state *state);

/* Appends the encoded value to `out`, whose limit should be CODEC_VALUE_MAX, and adds to
 * `flags`.  0, or -1 with EncodeError that names the path to the offending part; an
 * exception of Python code that had to run (a field of a dataclass) passes through.  After
 * an error the contents of `out` are of no use. */
int values_encode(struct values_state *state, PyObject *value, struct codec_buf *out,
                  unsigned *flags);

/* Appends the encoded key: str, bytes, int, float, bool, None, and tuples of these.
 * Keys that are equal in a dict are equal bytes, so True, 1.0 and 1 are all written as the
 * integer (which is what decoding gives back), as is 1e300; so are members of IntEnum or
 * StrEnum and other subclasses that compare as their base does.  0, or -1 with EncodeError:
 * NaN (never equal to itself), another type, more than CODEC_KEY_MAX bytes. */
int values_encode_key(struct values_state *state, PyObject *key, struct codec_buf *out);

/* A new reference, or NULL with DecodeError.  Trusts nothing in the bytes.  MemoryError,
 * RecursionError and what is no Exception (KeyboardInterrupt) pass through. */
PyObject *values_decode(struct values_state *state, const uint8_t *bytes, size_t length);

/* The same for keys from outside: DecodeError also for bytes that values_encode_key would
 * never write.  For keys known to be its work, values_decode is the faster way. */
PyObject *values_decode_key(struct values_state *state, const uint8_t *bytes, size_t length);

/* Makes the instances of an Enum or dataclass storable under this name.  Every interpreter
 * that reads them registers the class under the same name.  0, or -1 with TypeError for
 * other classes, ValueError for a name or class that is taken. */
int values_register(struct values_state *state, PyObject *class, PyObject *name);

/* Functions for the module: encode, decode, encode_key, decode_key, register. */
extern PyMethodDef values_methods[];

/* The state of the module that holds values_methods; defined with the module. */
struct values_state *values_state_of(PyObject *module);

#endif
