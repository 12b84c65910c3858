/* py_look.c - what repr() shows of a variable.
 *
 * A block may print its variables, and a debugger does so unasked.  Neither may change what
 * the block has read, when it conflicts, or which schedule a test explores: so no hook is
 * called here and no entry is made.  What is shown is bounded in number and bytes.
 */
#include "py_block.h"
#include "py_errors.h"
#include "py_keys.h"

#define LOOK_KEYS 4u
#define LOOK_BYTES 1024u /* of a value; `...` stands for larger ones */

struct glimpsed {
    PyObject *object; /* Owned: what the block has for the key, or NULL */
    uint32_t key_length, value_length;
    bool hidden;
};

struct looking {
    struct glimpsed found[LOOK_KEYS];
    uint32_t count;
    struct codec_buf buf; /* the bytes of each key and value */
};

static bool keep(void *opaque, const struct key *key, const struct version *version,
                 const struct txn_entry *entry)
{
    struct looking *to = opaque;
    if (to->count == LOOK_KEYS)
        return false;
    struct glimpsed *found = &to->found[to->count];
    *found = (struct glimpsed){.key_length = key->length};
    if (entry != NULL && entry->object != NULL)
        found->object = Py_NewRef((PyObject *)entry->object);
    else if (version->shape & VERSION_DELTA || version_length(version) > LOOK_BYTES)
        found->hidden = true;
    else
        found->value_length = version_length(version);
    uint8_t *at = codec_buf_reserve(&to->buf, found->key_length + found->value_length);
    if (at == NULL) {
        Py_CLEAR(found->object);
        return false;
    }
    memcpy(at, key->bytes, key->length);
    memcpy(at + key->length, version->payload, found->value_length);
    to->buf.used += found->key_length + found->value_length;
    to->count++;
    return true;
}

/* Begins to look: in the open block, or at the last commit.  -1 with an exception where there
 * is nothing to see. */
static int begin(struct var *self, struct thread_context *context)
{
    if (context->depth == 0)
        return var_peek_begin(self, context);
    if (context->txn.store == self->store && context->txn.snapshot != NO_SNAPSHOT &&
        !context->block.committed)
        return 0;
    return errors_format(self->state, ERROR_NESTED_MISUSE,
                         "%U: the open block does not see it now", self->name);
}

static void end(struct thread_context *context)
{
    if (context->depth == 0)
        var_peek_end(context);
}

static PyObject *value_of(struct var *self, const struct glimpsed *found, const uint8_t *bytes)
{
    if (found->object != NULL)
        return Py_NewRef(found->object);
    return found->hidden ? Py_NewRef(Py_Ellipsis)
                         : values_decode(&self->state->values, bytes, found->value_length);
}

static void forget(struct looking *looking)
{
    codec_buf_free(&looking->buf);
    while (looking->count > 0)
        Py_CLEAR(looking->found[--looking->count].object);
}

static PyObject *list_of(struct var *self, const struct looking *looking)
{
    const uint8_t *at = looking->buf.bytes;
    PyObject *list = PyList_New(looking->count);
    for (uint32_t i = 0; list != NULL && i < looking->count; i++) {
        const struct glimpsed *found = &looking->found[i];
        PyObject *key = values_decode(&self->state->values, at, found->key_length);
        at += found->key_length;
        PyObject *value = key == NULL ? NULL : value_of(self, found, at);
        at += found->value_length;
        PyObject *pair = value == NULL ? NULL : PyTuple_Pack(2, key, value);
        Py_XDECREF(key);
        Py_XDECREF(value);
        if (pair == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, i, pair);
    }
    return list;
}

PyObject *var_look(struct var *self, PyObject *unused)
{
    struct thread_context *context = thread_here(self->state);
    struct looking looking = {.count = 0};
    uint64_t count = 0;
    (void)unused;
    if (context == NULL || begin(self, context) < 0)
        return NULL;
    codec_buf_init(&looking.buf, SIZE_MAX);
    enum stm_status status = txn_look(&context->txn, self->variable, keep, &looking, &count);
    end(context);
    PyObject *list = status != STM_OK ? NULL : list_of(self, &looking);
    if (status != STM_OK)
        errors_raise(context, status, self->name, NULL);
    forget(&looking);
    return list == NULL ? NULL : Py_BuildValue("(KN)", (unsigned long long)count, list);
}

PyObject *var_look_at(struct var *self, PyObject *key_object)
{
    struct thread_context *context = thread_here(self->state);
    struct looking looking = {.count = 0};
    struct encoded_key key;
    if (context == NULL)
        return NULL;
    int ready = keys_encode(context, self, key_object, &key);
    if (ready < 0 || begin(self, context) < 0) {
        keys_free(&key);
        return NULL;
    }
    codec_buf_init(&looking.buf, SIZE_MAX);
    enum stm_status status = txn_look_at(&context->txn, &key.key, keep, &looking);
    end(context);
    keys_free(&key);
    PyObject *value = NULL;
    if (status != STM_OK)
        errors_raise(context, status, self->name, key_object);
    else if (looking.count == 0)
        value = Py_NewRef(Py_None);
    else
        value = value_of(self, looking.found, looking.buf.bytes + looking.found[0].key_length);
    forget(&looking);
    return value;
}
