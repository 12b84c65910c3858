/* py_follow_take.c - from records of the log to Python.
 *
 * What is taken is copied in one look at the log and decoded after it; only then the
 * position moves on, so that nothing is lost where decoding fails.
 */
#include "py_follow.h"

#include "lock.h"
#include "py_errors.h"

#define TAKE_BYTES ((size_t)256 << 10) /* of one look: until then followers hold memory */

struct record {
    uint64_t ts;
    uint32_t which, shape, key_length, value_length;
};

struct taken {
    struct codec_buf buf; /* records, each followed by its key and value */
    Py_ssize_t count;
    const struct log_part *last; /* the last part that was looked at, or NULL */
};

static bool copy_write(struct follower_object *self, struct taken *taken,
                       const struct log_part *part, const struct log_write *write)
{
    Py_ssize_t which = 0;
    while (which < self->count && self->variables[which] != write->variable)
        which++;
    if (which == self->count)
        return true;
    struct record record = {load_relaxed(&part->ts), (uint32_t)which, write->shape,
                            write->key_length, log_value_length(write)};
    size_t length = (size_t)record.key_length + record.value_length;
    uint8_t *at = codec_buf_reserve(&taken->buf, sizeof record + length);
    if (at == NULL)
        return false;
    memcpy(at, &record, sizeof record);
    memcpy(at + sizeof record, write->bytes, length);
    taken->buf.used += sizeof record + length;
    taken->count++;
    return true;
}

static bool copy_part(struct follower_object *self, struct taken *taken,
                      const struct log_part *part)
{
    const struct log_write *write = log_first_write(part);
    for (uint32_t i = 0; i < part->count; i++) {
        if (!copy_write(self, taken, part, write))
            return false;
        write = log_next_write(write);
    }
    taken->last = part;
    return true;
}

/* Copies what comes next; STM_TOO_OLD if it was missed. */
static enum stm_status look(struct follower_object *self, struct taken *taken)
{
    const struct log_part *part;
    enum stm_status status = log_read_begin(self->seat.store, self->place, &part);
    if (status != STM_OK)
        return status;
    size_t seen = 0;
    while (part != NULL && seen < TAKE_BYTES && status == STM_OK) {
        seen += part->bytes;
        if (!copy_part(self, taken, part))
            status = STM_NO_MEMORY;
        part = log_after(self->seat.store, part);
    }
    log_read_end(self->place);
    return status;
}

/* (commit, which variable, key, value, deleted) */
static PyObject *decode_record(struct follower_object *self, const struct record *record,
                               const uint8_t *bytes)
{
    struct values_state *values = &self->seat.state->values;
    bool deleted = (record->shape & VERSION_TOMBSTONE) != 0;
    PyObject *key = values_decode(values, bytes, record->key_length);
    PyObject *value = key == NULL ? NULL
                      : deleted
                          ? Py_NewRef(Py_None)
                          : values_decode(values, bytes + record->key_length, record->value_length);
    PyObject *item = NULL;
    if (value != NULL)
        item = Py_BuildValue("KIOOO", (unsigned long long)record->ts, record->which, key, value,
                             deleted ? Py_True : Py_False);
    Py_XDECREF(key);
    Py_XDECREF(value);
    return item;
}

static PyObject *decode_all(struct follower_object *self, const struct taken *taken)
{
    PyObject *list = PyList_New(taken->count);
    const uint8_t *at = taken->buf.bytes;
    for (Py_ssize_t i = 0; list != NULL && i < taken->count; i++) {
        struct record record;
        memcpy(&record, at, sizeof record);
        at += sizeof record;
        PyObject *item = decode_record(self, &record, at);
        at += (size_t)record.key_length + record.value_length;
        if (item == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, i, item);
    }
    return list;
}

/* Moves on behind the part; -1 with an exception. */
static int pass(struct follower_object *self, struct thread_context *context,
                const struct log_part *part)
{
    struct store *store = self->seat.store;
    struct slot *slot = thread_slot(context, store);
    enum stm_status status = STM_INTERRUPTED;
    int result = slot == NULL ? -1 : 0;
    follow_detach(self);
    while (status == STM_INTERRUPTED && result == 0) {
        Py_BEGIN_ALLOW_THREADS
        status = log_pass(store, slot, self->place, part, NO_DEADLINE);
        Py_END_ALLOW_THREADS
        if (status == STM_INTERRUPTED)
            result = thread_check_signals(context);
    }
    follow_attached(self);
    return result; /* if the place was lost meanwhile, the next look finds out */
}

static PyObject *raise_look(struct thread_context *context, enum stm_status status)
{
    if (status == STM_TOO_OLD)
        errors_format(context->state, ERROR_TOO_OLD,
                      "this watch: changes were missed, as those that it had not taken outgrew "
                      "half of history_bytes; make another watch and read the contents anew, "
                      "take changes faster, or open the store with more history_bytes");
    else
        errors_raise(context, status, NULL, NULL);
    return NULL;
}

PyObject *follow_take(struct follower_object *self, PyObject *unused)
{
    (void)unused;
    struct thread_context *context = follow_context(self);
    struct taken taken = {0};
    if (context == NULL)
        return NULL;
    codec_buf_init(&taken.buf, SIZE_MAX);
    enum stm_status status = look(self, &taken);
    PyObject *list = status == STM_OK ? decode_all(self, &taken) : raise_look(context, status);
    codec_buf_free(&taken.buf);
    if (list != NULL && taken.last != NULL && pass(self, context, taken.last) < 0)
        Py_CLEAR(list);
    return list;
}
