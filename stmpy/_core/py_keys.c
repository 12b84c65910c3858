/* py_keys.c - the keys that a thread remembers.
 *
 * Invariant: what is remembered of an object is what encoding it again would give.  Safe
 * because only exact str and int are remembered, which never change, and because a
 * reference is held, so that no other object can come to lie at the same address.
 * Letting go of one runs no code.
 */
#include "py_keys.h"

static struct known_key *place_of(struct thread_context *context, const struct var *var,
                                  const PyObject *object)
{
    uintptr_t address = (uintptr_t)object; /* of blocks that are 32 bytes apart or more */
    return &context->keys[(address >> 5 ^ address >> 12 ^ var->variable) % KNOWN_KEYS];
}

static void remember(struct known_key *known, const struct var *var, PyObject *object,
                     const struct key *key)
{
    PyObject *old = known->object;
    known->object = Py_NewRef(object);
    known->store = var->store->number;
    known->variable = key->variable;
    known->order = key->order;
    known->length = key->length;
    known->attempt = 0;
    known->hint.cell = 0;
    memcpy(known->bytes, key->bytes, key->length);
    Py_XDECREF(old);
}

int keys_encode(struct thread_context *context, struct var *var, PyObject *object,
                struct encoded_key *out)
{
    struct known_key *known = place_of(context, var, object);
    codec_buf_init(&out->buf, CODEC_KEY_MAX);
    if (known->object == object && known->variable == var->variable &&
        known->store == var->store->number) {
        out->known = known;
        out->key = (struct key){known->variable, known->order, known->length, known->bytes,
                                &known->hint};
        return 0;
    }
    if (values_encode_key(&context->state->values, object, &out->buf) < 0)
        return -1;
    out->key = index_key(var->store, var->variable, out->buf.bytes, (uint32_t)out->buf.used);
    out->known = NULL;
    bool constant = PyUnicode_CheckExact(object) || PyLong_CheckExact(object);
    if (constant && out->key.length <= KNOWN_KEY_BYTES) {
        remember(known, var, object, &out->key);
        out->known = known;
        out->key.hint = &known->hint;
    }
    return 0;
}
