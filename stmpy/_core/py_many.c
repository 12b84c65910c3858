/* py_many.c - the values of many keys at once.
 *
 * A batch of keys is encoded, which has the processor fetch what the search for each begins
 * with; then all are looked up in one read operation, and decoded after it, since decoding may
 * run code.  The rest of a batch is read one by one where that is not so simple: from a key on
 * that the block has met, one with a version newer than the snapshot, or a large value.
 */
#include "bytes.h"
#include "py_block.h"
#include "py_errors.h"
#include "py_keys.h"

#define BATCH 32u
#define VALUE_BYTES 40u /* larger values are read one by one */

/* A value that was looked up. */
struct picked {
    PyObject *object; /* Owned: found without decoding, or NULL */
    struct cache_key cache;
    uint32_t length;  /* of the bytes */
    bool present, mutable;
    uint8_t bytes[VALUE_BYTES];
};

struct batch {
    struct var *var;          /* Borrowed */
    PyObject *dict, *missing; /* Borrowed */
    Py_ssize_t count;
    PyObject *objects[BATCH]; /* Owned: the keys */
    struct picked values[BATCH];
};

/* ---- looking up ------------------------------------------------------------------------------- */

/* Encodes all keys; 0, or -1 with EncodeError. */
static int encode_keys(struct thread_context *context, const struct batch *batch,
                       struct codec_buf *buf, struct key *keys)
{
    size_t starts[BATCH];
    struct keys_used used = {0};
    codec_buf_init(buf, BATCH * CODEC_KEY_MAX);
    for (Py_ssize_t i = 0; i < batch->count; i++) {
        starts[i] = buf->used;
        if (keys_append(context, batch->var, batch->objects[i], buf, &used, &keys[i]) < 0)
            return -1;
    }
    for (Py_ssize_t i = 0; i < batch->count; i++) {
        if (keys[i].hint == NULL)
            keys[i].bytes = buf->bytes + starts[i]; /* it may have moved since */
    }
    return 0;
}

/* Copies a value within the read operation; false if it is too large. */
static bool pick(struct thread_context *context, const struct version *version,
                 struct picked *to)
{
    to->present = version != NULL;
    to->object = NULL;
    if (version == NULL)
        return true;
    to->cache = var_cache_key(context, version);
    to->object = Py_XNewRef(var_cached(context, &to->cache));
    to->length = version_length(version);
    to->mutable = (version->shape & VERSION_MUTABLE) != 0;
    if (to->object != NULL)
        return true;
    if (to->length > VALUE_BYTES)
        return false;
    bytes_copy(to->bytes, version->payload, to->length);
    return true;
}

/* Looks up as many keys as go together, in one read operation; -1 with an exception. */
static Py_ssize_t look_up(struct thread_context *context, struct batch *batch)
{
    struct codec_buf buf;
    struct key keys[BATCH];
    const struct version *versions[BATCH];
    Py_ssize_t count = -1;
    if (encode_keys(context, batch, &buf, keys) == 0) {
        count = txn_lookup_many(&context->txn, keys, (uint32_t)batch->count, versions);
        for (Py_ssize_t i = 0; i < count; i++) {
            if (!pick(context, versions[i], &batch->values[i]))
                count = i;
        }
        txn_read_done(&context->txn);
    }
    codec_buf_free(&buf);
    return count;
}

/* ---- decoding --------------------------------------------------------------------------------- */

static PyObject *decode(struct thread_context *context, struct picked *value)
{
    PyObject *object = values_decode(&context->state->values, value->bytes, value->length);
    if (object != NULL)
        var_cache(context, &value->cache, object);
    return object;
}

/* Puts what was looked up into the dict; the entries of the keys begin at `place`. */
static int take(struct thread_context *context, struct batch *batch, Py_ssize_t count,
                uint32_t place)
{
    uint64_t attempt = context->attempts_begun;
    bool keeps = !(context->txn.flags & TXN_READ_ONLY);
    int result = 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        struct picked *value = &batch->values[i];
        PyObject *object = value->object;
        if (result == 0 && object == NULL && value->present)
            result = (object = decode(context, value)) == NULL ? -1 : 0;
        if (result == 0 && object != NULL && keeps)
            var_keep_object(context, place + (uint32_t)i, attempt, object, value->mutable);
        if (result == 0)
            result = PyDict_SetItem(batch->dict, batch->objects[i],
                                    object != NULL ? object : batch->missing);
        Py_XDECREF(object);
    }
    return result;
}

static int load_one(struct batch *batch, PyObject *key)
{
    PyObject *value = NULL;
    int found = var_load(batch->var, key, &value);
    if (found < 0)
        return -1;
    int result = PyDict_SetItem(batch->dict, key, found ? value : batch->missing);
    Py_XDECREF(value);
    return result;
}

/* Takes what goes together; returns how many keys that are, or -1 with an exception. */
static Py_ssize_t load_together(struct batch *batch)
{
    bool inside;
    struct thread_context *context = var_context(batch->var, POINT_READ, Py_None, &inside);
    if (context == NULL || !inside)
        return context == NULL ? -1 : 0;
    uint32_t place = context->txn.count;
    Py_ssize_t count = look_up(context, batch);
    return count < 0 || take(context, batch, count, place) < 0 ? -1 : count;
}

static int load_batch(struct batch *batch)
{
    /* A hook is asked for every key. */
    Py_ssize_t done = batch->var->state->hook != NULL ? 0 : load_together(batch);
    for (; done >= 0 && done < batch->count; done++) {
        if (load_one(batch, batch->objects[done]) < 0)
            return -1;
    }
    return done < 0 ? -1 : 0;
}

/* ---- the method ------------------------------------------------------------------------------- */

/* Takes the next keys from the iterator; -1 with what it raised. */
static int next_keys(PyObject *iterator, struct batch *batch)
{
    for (batch->count = 0; batch->count < (Py_ssize_t)BATCH; batch->count++) {
        batch->objects[batch->count] = PyIter_Next(iterator);
        if (batch->objects[batch->count] == NULL)
            break;
    }
    return PyErr_Occurred() ? -1 : 0;
}

static PyObject *load_many(struct var *self, PyObject *keys, PyObject *missing)
{
    PyObject *iterator = PyObject_GetIter(keys), *dict = PyDict_New();
    struct batch batch = {.var = self, .dict = dict, .missing = missing};
    int result = iterator == NULL || dict == NULL ? -1 : 0;
    while (result == 0) {
        result = next_keys(iterator, &batch);
        if (result == 0)
            result = load_batch(&batch);
        for (Py_ssize_t i = 0; i < batch.count; i++)
            Py_DECREF(batch.objects[i]);
        if (batch.count < (Py_ssize_t)BATCH)
            break;
    }
    Py_XDECREF(iterator);
    if (result < 0)
        Py_CLEAR(dict);
    return dict;
}

/* Outside a block the keys are read in a block of their own, for one snapshot. */
PyObject *var_get_many(struct var *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"keys", "default", NULL};
    PyObject *keys, *missing = Py_None;
    bool inside;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:get_many", names, &keys, &missing))
        return NULL;
    struct thread_context *context = var_context(self, POINT_READ, Py_None, &inside);
    if (context == NULL)
        return NULL;
    if (inside)
        return load_many(self, keys, missing);
    struct block_options options = {.store = self->store, .txn_flags = TXN_READ_ONLY};
    context->block.site = NULL;
    context->block.frame = NULL;
    context->block.saved = NULL;
    if (block_open(context, &options, NULL) < 0)
        return NULL;
    PyObject *dict = load_many(self, keys, missing);
    if (!thread_still(context)) {
        Py_XDECREF(dict);
        errors_format(self->state, ERROR_NESTED_MISUSE, "%U: forked while reading many keys",
                      self->name);
        return NULL;
    }
    if (dict != NULL && block_commit(context) != BLOCK_COMMITTED)
        Py_CLEAR(dict);
    block_close(context);
    return dict;
}
