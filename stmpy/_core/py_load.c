/* py_load.c - reading and writing one key from Python.
 *
 * Invariant: within a block a key has one object.  Reading it again gives the same object
 * without decoding; what was assigned is what is read; an object that can be changed in
 * place is marked, and stored by the block if it was.
 */
#include "bytes.h"
#include "py_block.h"
#include "py_errors.h"
#include "py_keys.h"

#define SMALL 40u               /* bytes of a value that are copied to the stack */
#define CACHE_LEAST 16u         /* smaller values are decoded faster than found */
#define CACHE_MOST (64u << 10)  /* larger ones would hold too much memory */

struct thread_context *var_context(struct var *self, enum block_point point, PyObject *key,
                                   bool *inside)
{
    struct thread_context *context = thread_here(self->state);
    if (context == NULL)
        return NULL;
    *inside = context->depth > 0;
    if (block_pass(context, point, self->name, key) < 0)
        return NULL;
    if (!*inside)
        return context;
    if (context->block.options.store != self->store) {
        errors_format(self->state, ERROR_NESTED_MISUSE,
                      "%U: belongs to another store than the open block; use it outside the "
                      "block, or open the block with store=",
                      self->name);
        return NULL;
    }
    return block_may_go_on(context) < 0 ? NULL : context;
}

int var_peek_begin(struct var *self, struct thread_context *context)
{
    struct slot *slot = thread_slot(context, self->store);
    if (slot == NULL)
        return -1;
    if (load_acquire(&self->store->region->closed)) /* Pairs with store_close. */
        return errors_format(self->state, ERROR_STORE_CLOSED,
                             "%U: its store is closed; open it again and make the variable "
                             "from the new store",
                             self->name);
    txn_begin(&context->txn, self->store, slot, TXN_READ_ONLY);
    return 0;
}

void var_peek_end(struct thread_context *context)
{
    txn_end(&context->txn);
}

/* ---- decoding ------------------------------------------------------------------------------ */

struct cache_key var_cache_key(const struct thread_context *context,
                               const struct version *version)
{
    uint32_t length = version_length(version);
    if (length < CACHE_LEAST || length > CACHE_MOST || version->shape & VERSION_MUTABLE)
        return (struct cache_key){0};
    uint64_t ts = load_relaxed(&version->ts);
    return (struct cache_key){ts == UINT64_MAX ? 0 : ts, context->txn.store->number,
                              store_ref(context->txn.store, version)};
}

static struct cached *cache_place(struct thread_context *context, region_ref ref)
{
    return &context->cache[(ref ^ ref >> 9) % CACHE_ENTRIES];
}

PyObject *var_cached(struct thread_context *context, const struct cache_key *key)
{
    if (key->ts == 0 || context->cache == NULL)
        return NULL;
    const struct cached *cached = cache_place(context, key->version);
    bool same = cached->key.ts == key->ts && cached->key.version == key->version &&
                cached->key.store == key->store;
    return same ? cached->object : NULL;
}

void var_cache(struct thread_context *context, const struct cache_key *key, PyObject *object)
{
    if (key->ts == 0)
        return;
    if (context->cache == NULL)
        context->cache = PyMem_RawCalloc(CACHE_ENTRIES, sizeof *context->cache);
    if (context->cache == NULL)
        return;
    struct cached *cached = cache_place(context, key->version);
    PyObject *old = cached->object;
    *cached = (struct cached){*key, Py_NewRef(object)};
    Py_XDECREF(old);
}

static PyObject *decode_copy(struct thread_context *context, struct txn_value value,
                             uint32_t length, uint8_t *copy)
{
    bytes_copy(copy, value.version->payload, length);
    txn_read_done(&context->txn);
    return values_decode(&context->state->values, copy, length);
}

static PyObject *decode_large(struct thread_context *context, struct txn_value value,
                              uint32_t length)
{
    uint8_t *copy = PyMem_Malloc(length);
    if (copy == NULL) {
        txn_read_done(&context->txn);
        return PyErr_NoMemory();
    }
    PyObject *object = decode_copy(context, value, length, copy);
    PyMem_Free(copy);
    return object;
}

PyObject *var_decode(struct thread_context *context, struct txn_value value)
{
    uint8_t small[SMALL];
    uint32_t length = version_length(value.version);
    if (length < CACHE_LEAST)
        return decode_copy(context, value, length, small);
    struct cache_key key = var_cache_key(context, value.version);
    PyObject *object = Py_XNewRef(var_cached(context, &key));
    if (object != NULL) {
        txn_read_done(&context->txn);
        return object;
    }
    object = length <= SMALL ? decode_copy(context, value, length, small)
                             : decode_large(context, value, length);
    if (object != NULL)
        var_cache(context, &key, object);
    return object;
}

/* ---- loading --------------------------------------------------------------------------------- */

static int load_outside(struct var *self, struct thread_context *context, const struct key *key,
                        PyObject *key_object, PyObject **out)
{
    struct txn_value value;
    if (var_peek_begin(self, context) < 0)
        return -1;
    enum stm_status status = txn_lookup(&context->txn, key, true, &value);
    PyObject *object = NULL;
    if (status == STM_OK && value.version != NULL)
        object = var_decode(context, value);
    else if (status == STM_OK)
        txn_read_done(&context->txn);
    var_peek_end(context);
    if (status != STM_OK)
        return errors_raise(context, status, self->name, key_object);
    if (value.version == NULL)
        return 0;
    *out = object;
    return object == NULL ? -1 : 1;
}

void var_keep_object(struct thread_context *context, uint32_t place, uint64_t attempt,
                     PyObject *object, bool mutable)
{
    if (attempt != context->attempts_begun || context->depth == 0 ||
        place >= context->txn.count || context->txn.entries[place].object != NULL)
        return;
    struct txn_entry *entry = &context->txn.entries[place];
    entry->object = Py_NewRef(object);
    if (mutable) {
        entry->flags |= ENTRY_MARK;
        context->block.marked++;
    }
}

static int load_inside(struct var *self, struct thread_context *context,
                       const struct encoded_key *key, PyObject *key_object, PyObject **out)
{
    struct txn *txn = &context->txn;
    struct txn_entry *entry = keys_entry(context, key);
    if (entry != NULL && entry->object != NULL) {
        txn->reads_own |= entry->pending != 0;
        *out = Py_NewRef(entry->object);
        return 1;
    }
    struct txn_value value;
    enum stm_status status = txn_lookup_entry(txn, &key->key, entry, true, &value);
    if (status != STM_OK)
        return errors_raise(context, status, self->name, key_object);
    keys_note_entry(context, key, value.entry);
    if (value.version == NULL) {
        txn_read_done(txn);
        return 0;
    }
    bool mutable = (value.version->shape & VERSION_MUTABLE) != 0;
    uint32_t place = value.entry != NULL ? (uint32_t)(value.entry - txn->entries) : UINT32_MAX;
    uint64_t attempt = context->attempts_begun;
    PyObject *object = var_decode(context, value);
    if (object == NULL)
        return -1;
    if (place != UINT32_MAX)
        var_keep_object(context, place, attempt, object, mutable);
    *out = object;
    return 1;
}

int var_load(struct var *self, PyObject *key_object, PyObject **out)
{
    bool inside;
    struct encoded_key key;
    struct thread_context *context = var_context(self, POINT_READ, key_object, &inside);
    if (context == NULL)
        return -1;
    int result = keys_encode(context, self, key_object, &key);
    if (result == 0)
        result = inside ? load_inside(self, context, &key, key_object, out)
                        : load_outside(self, context, &key.key, key_object, out);
    keys_free(&key);
    return result;
}

/* ---- saving ------------------------------------------------------------------------------------ */

int var_check_writable(struct var *self, struct thread_context *context, bool inside,
                       PyObject *key)
{
    if (!inside)
        return errors_format(self->state, ERROR_TRANSACTION_REQUIRED,
                             "%U[%R]: writing needs a block; write `with stm.atomically():` "
                             "around it",
                             self->name, key);
    if (context->levels[context->depth - 1].read_only)
        return errors_format(self->state, ERROR_READ_ONLY,
                             "%U[%R]: this block only reads: it is read_only, a snapshot(), or a "
                             "function that others compute from; write in a block of its own",
                             self->name, key);
    return 0;
}

static enum stm_status put(struct thread_context *context, struct txn_entry *entry,
                           const struct codec_buf *buf, unsigned flags)
{
    uint32_t version_flags = flags & VALUE_MUTABLE ? VERSION_MUTABLE : 0;
    enum stm_status status =
        txn_put(&context->txn, entry, buf->bytes, buf->used, version_flags);
    if (status != STM_STORE_FULL)
        return status;
    block_relieve(context);
    return txn_put(&context->txn, entry, buf->bytes, buf->used, version_flags);
}

/* Gives the entry the object that was assigned, or none after a deletion. */
static void replace_object(struct thread_context *context, struct txn_entry *entry,
                           PyObject *object, bool mutable)
{
    PyObject *old = entry->object;
    context->block.marked -= (entry->flags & ENTRY_MARK) != 0;
    entry->flags &= ~(uint32_t)ENTRY_MARK;
    entry->object = Py_XNewRef(object);
    if (mutable) {
        entry->flags |= ENTRY_MARK;
        context->block.marked++;
    }
    Py_XDECREF(old); /* last: it may run code */
}

int var_find_entry(struct var *self, struct thread_context *context,
                   const struct encoded_key *key, PyObject *key_object, bool read,
                   struct txn_entry **out)
{
    struct txn_entry *entry = keys_entry(context, key);
    if (entry == NULL || read) {
        struct txn_value value;
        enum stm_status status =
            txn_lookup_entry(&context->txn, &key->key, entry, read, &value);
        if (status != STM_OK)
            return errors_raise(context, status, self->name, key_object);
        txn_read_done(&context->txn);
        entry = value.entry;
        keys_note_entry(context, key, entry);
    }
    *out = entry;
    return 0;
}

int var_entry(struct var *self, struct thread_context *context, PyObject *key_object, bool read,
              struct txn_entry **out)
{
    struct encoded_key key;
    int result = keys_encode(context, self, key_object, &key);
    if (result == 0)
        result = var_find_entry(self, context, &key, key_object, read, out);
    keys_free(&key);
    return result;
}

static int save_bytes(struct var *self, struct thread_context *context, PyObject *key_object,
                      PyObject *value, const struct codec_buf *buf, unsigned flags)
{
    struct txn_entry *entry = NULL;
    if (var_entry(self, context, key_object, false, &entry) < 0)
        return -1;
    enum stm_status status = put(context, entry, buf, flags);
    if (status != STM_OK)
        return errors_raise(context, status, self->name, key_object);
    replace_object(context, entry, value, (flags & VALUE_MUTABLE) != 0);
    return 1;
}

/* The value comes before the key, because encoding it may run Python code. */
static int save_value(struct var *self, struct thread_context *context, PyObject *key_object,
                      PyObject *value)
{
    struct codec_buf buf;
    unsigned flags = 0;
    uint64_t attempt = context->attempts_begun;
    codec_buf_init(&buf, CODEC_VALUE_MAX);
    int result = values_encode(&self->state->values, value, &buf, &flags);
    if (result == 0 && attempt != context->attempts_begun)
        result = errors_format(self->state, ERROR_NESTED_MISUSE,
                               "%U: encoding the value ended the block", self->name);
    if (result == 0)
        result = save_bytes(self, context, key_object, value, &buf, flags);
    codec_buf_free(&buf);
    return result;
}

static int delete_entry(struct var *self, struct thread_context *context,
                        struct txn_entry *entry, PyObject *key_object)
{
    if (!txn_live(&context->txn, entry))
        return 0;
    enum stm_status status = txn_delete(&context->txn, entry);
    if (status == STM_STORE_FULL) {
        block_relieve(context);
        status = txn_delete(&context->txn, entry);
    }
    if (status != STM_OK)
        return errors_raise(context, status, self->name, key_object);
    replace_object(context, entry, NULL, false);
    return 1;
}

static int delete_key(struct var *self, struct thread_context *context, PyObject *key_object)
{
    struct txn_entry *entry = NULL;
    int result = var_entry(self, context, key_object, true, &entry);
    return result < 0 ? -1 : delete_entry(self, context, entry, key_object);
}

int var_save(struct var *self, PyObject *key_object, PyObject *value)
{
    bool inside;
    struct thread_context *context = var_context(self, POINT_WRITE, key_object, &inside);
    if (context == NULL || var_check_writable(self, context, inside, key_object) < 0)
        return -1;
    return value != NULL ? save_value(self, context, key_object, value)
                         : delete_key(self, context, key_object);
}
