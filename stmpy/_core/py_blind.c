/* py_blind.c - add, commute and ensure from Python.
 *
 * The first two write without reading, for as long as the block does not look at the key
 * in another way (txn_blind.c).  A function of commute runs Python, which nothing may do
 * under the commit lock: so a commit that finds a newer value stops, lets go of the lock,
 * and has the functions run on that value; then it is tried again, and takes effect only if
 * the value is still the one that they were given.  Whoever loses that race several times
 * takes the commit lock, as a serial block does, before the functions run once more.
 */
#include "py_blind.h"

#include "lock.h"
#include "py_block.h"
#include "py_errors.h"
#include "py_keys.h"

/* ---- add ----------------------------------------------------------------------------------- */

static int refuse_number(struct var *self, PyObject *key, const char *what, PyObject *value)
{
    return errors_format(self->state, ERROR_NOT_A_NUMBER,
                         "%U[%R]: %s is %R, no number; add() takes numbers to numbers, and "
                         "assigning replaces a value of any kind",
                         self->name, key, what, value);
}

/* The number if the core can add it: 1, else 0. */
static int to_number(PyObject *n, struct number *out)
{
    *out = (struct number){.integer = 1};
    if (n == NULL)
        return 1;
    if (PyFloat_CheckExact(n)) {
        *out = (struct number){.is_float = true, .real = PyFloat_AS_DOUBLE(n)};
        return 1;
    }
    if (!PyLong_CheckExact(n))
        return 0;
    int overflow;
    out->integer = PyLong_AsLongLongAndOverflow(n, &overflow);
    return overflow == 0;
}

/* Adds without reading: 1, 0 if that is not possible, -1 with an exception. */
static int add_blindly(struct var *self, struct thread_context *context, PyObject *key_object,
                       struct number number)
{
    struct txn_entry *entry = NULL;
    bool added = false;
    if (var_entry(self, context, key_object, false, &entry) < 0)
        return -1;
    enum stm_status status = txn_add(&context->txn, entry, number, &added);
    if (status == STM_STORE_FULL) {
        block_relieve(context);
        status = txn_add(&context->txn, entry, number, &added);
    }
    if (status != STM_OK)
        return errors_raise(context, status, self->name, key_object);
    return added;
}

/* Adds any number to any number: an ordinary read and write. */
static int add_ordinarily(struct var *self, PyObject *key, PyObject *n)
{
    PyObject *value = NULL, *sum = NULL;
    int found = var_load(self, key, &value);
    if (found == 0)
        value = PyLong_FromLong(0);
    if (value != NULL && !PyNumber_Check(value))
        refuse_number(self, key, "its value", value);
    else if (value != NULL)
        sum = PyNumber_Add(value, n);
    Py_XDECREF(value);
    int saved = sum == NULL ? -1 : var_save(self, key, sum);
    Py_XDECREF(sum);
    return saved < 0 ? -1 : 0;
}

PyObject *var_add(struct var *self, PyObject *key, PyObject *n)
{
    bool inside;
    struct number number;
    struct thread_context *context = var_context(self, POINT_WRITE, key, &inside);
    if (context == NULL || var_check_writable(self, context, inside, key) < 0)
        return NULL;
    if (n != NULL && !PyNumber_Check(n)) {
        refuse_number(self, key, "what is added", n);
        return NULL;
    }
    int added = to_number(n, &number) ? add_blindly(self, context, key, number) : 0;
    if (added == 0) {
        PyObject *one = n != NULL ? Py_NewRef(n) : PyLong_FromLong(1);
        added = one == NULL ? -1 : add_ordinarily(self, key, one);
        Py_XDECREF(one);
    }
    return added < 0 ? NULL : Py_NewRef(Py_None);
}

/* ---- ensure -------------------------------------------------------------------------------- */

/* Reads the key, and marks its entry; a read-only block keeps none, and needs none. */
static int mark_ensured(struct var *self, struct thread_context *context, PyObject *key_object)
{
    struct txn_entry *entry = NULL;
    int result = var_entry(self, context, key_object, true, &entry);
    if (entry != NULL)
        entry->flags |= ENTRY_ENSURED;
    return result;
}

PyObject *var_ensure(struct var *self, PyObject *key, PyObject *missing)
{
    bool inside;
    PyObject *value = NULL;
    struct thread_context *context = var_context(self, POINT_READ, key, &inside);
    if (context == NULL)
        return NULL;
    if (!inside) {
        errors_format(self->state, ERROR_TRANSACTION_REQUIRED,
                      "%U[%R]: ensure() needs a block, for the time of which it holds; write "
                      "`with stm.atomically():` around it",
                      self->name, key);
        return NULL;
    }
    if (mark_ensured(self, context, key) < 0)
        return NULL;
    int found = var_load(self, key, &value);
    if (found == 0 && missing == NULL)
        var_raise_key_error(key);
    else if (found == 0)
        value = Py_NewRef(missing);
    return value;
}

/* ---- commute ------------------------------------------------------------------------------- */

/* fn(value), where NULL stands for an absent key; the attempt must outlive it. */
static PyObject *apply(struct thread_context *context, PyObject *function, PyObject *value)
{
    struct module_state *state = context->state;
    uint64_t attempt = context->attempts_begun;
    PyObject *result = PyObject_CallOneArg(function, value == NULL ? Py_None : value);
    if (!thread_still(context))
        return call_refuse_child(state, result);
    if (result != NULL && attempt != context->attempts_begun) {
        Py_CLEAR(result);
        errors_format(state, ERROR_NESTED_MISUSE, "commute(): the function ended the block");
    }
    if (result != NULL && block_check(context) < 0)
        Py_CLEAR(result);
    return result;
}

typedef enum stm_status (*put_function)(struct txn *, struct txn_entry *, uint64_t,
                                        const uint8_t *, size_t, uint32_t);

/* Encodes the value and writes it into the entry with `put`; 0, or -1 with an exception. */
static int put_value(struct thread_context *context, uint32_t place, uint64_t base,
                     PyObject *value, put_function put)
{
    struct txn *txn = &context->txn;
    struct codec_buf buf;
    unsigned flags = 0;
    uint64_t attempt = context->attempts_begun;
    codec_buf_init(&buf, CODEC_VALUE_MAX);
    int result = values_encode(&context->state->values, value, &buf, &flags);
    if (result == 0 && attempt != context->attempts_begun)
        result = errors_format(context->state, ERROR_NESTED_MISUSE,
                               "commute(): encoding the value ended the block");
    if (result == 0) {
        uint32_t version_flags = flags & VALUE_MUTABLE ? VERSION_MUTABLE : 0;
        enum stm_status status =
            put(txn, &txn->entries[place], base, buf.bytes, buf.used, version_flags);
        if (status == STM_STORE_FULL) {
            block_relieve(context);
            status = put(txn, &txn->entries[place], base, buf.bytes, buf.used, version_flags);
        }
        if (status != STM_OK)
            result = errors_raise(context, status, NULL, NULL);
    }
    codec_buf_free(&buf);
    return result;
}

/* Remembers the function for the commit. */
static int remember(struct thread_context *context, uint32_t place, PyObject *function)
{
    PyObject **list = &context->block.commutes;
    if (*list == NULL)
        *list = PyList_New(0);
    PyObject *pair = *list == NULL ? NULL : Py_BuildValue("(IO)", place, function);
    int result = pair == NULL ? -1 : PyList_Append(*list, pair);
    Py_XDECREF(pair);
    return result;
}

/* A key that the block has read or assigned: what it sees is what counts. */
static int commute_ordinarily(struct var *self, struct thread_context *context, PyObject *key,
                              PyObject *function)
{
    PyObject *value = NULL;
    if (var_load(self, key, &value) < 0)
        return -1;
    PyObject *result = apply(context, function, value);
    Py_XDECREF(value);
    int saved = result == NULL ? -1 : var_save(self, key, result);
    Py_XDECREF(result);
    return saved < 0 ? -1 : 0;
}

static int commute_blindly(struct var *self, struct thread_context *context,
                           const struct txn_value *from, PyObject *key, PyObject *function)
{
    struct txn *txn = &context->txn;
    uint32_t place = (uint32_t)(from->entry - txn->entries), pending = from->entry->pending;
    uint64_t base = pending != 0 ? from->entry->base : from->ts;
    PyObject *value = from->version == NULL ? NULL : var_decode(context, *from);
    if (from->version == NULL)
        txn_read_done(txn);
    else if (value == NULL)
        return -1;
    PyObject *result = apply(context, function, value);
    Py_XDECREF(value);
    if (result == NULL)
        return -1;
    const struct txn_entry *entry = &txn->entries[place];
    int done = -1;
    if (entry->pending != pending || entry->flags & ENTRY_READ)
        errors_format(self->state, ERROR_NESTED_MISUSE,
                      "%U[%R]: the function given to commute() used this key itself; let it "
                      "use its argument alone",
                      self->name, key);
    else
        done = put_value(context, place, base, result, txn_put_commuted);
    Py_DECREF(result);
    return done < 0 ? -1 : remember(context, place, function);
}

PyObject *var_commute(struct var *self, PyObject *key_object, PyObject *function)
{
    bool inside;
    struct encoded_key key;
    struct txn_entry *entry = NULL;
    struct txn_value from;
    struct thread_context *context = var_context(self, POINT_WRITE, key_object, &inside);
    if (context == NULL || var_check_writable(self, context, inside, key_object) < 0)
        return NULL;
    if (!PyCallable_Check(function)) {
        PyErr_Format(PyExc_TypeError, "commute() takes a function of the value, not %R", function);
        return NULL;
    }
    int result = keys_encode(context, self, key_object, &key);
    if (result == 0)
        result = var_find_entry(self, context, &key, key_object, false, &entry);
    if (result == 0 && txn_may_commute(&context->txn, entry)) {
        enum stm_status status =
            txn_lookup_entry(&context->txn, &key.key, entry, false, &from);
        result = status == STM_OK
                     ? commute_blindly(self, context, &from, key_object, function)
                     : errors_raise(context, status, self->name, key_object);
    } else if (result == 0) {
        result = commute_ordinarily(self, context, key_object, function);
    }
    keys_free(&key);
    return result < 0 ? NULL : Py_NewRef(Py_None);
}

/* ---- at the commit --------------------------------------------------------------------------- */

static uint32_t place_at(PyObject *commutes, Py_ssize_t i)
{
    PyObject *place = PyTuple_GET_ITEM(PyList_GET_ITEM(commutes, i), 0);
    return (uint32_t)PyLong_AsUnsignedLong(place);
}

/* All functions of the place, from the `first` on, on the newest value. */
static PyObject *apply_all(struct thread_context *context, PyObject *commutes, Py_ssize_t first,
                           PyObject *value)
{
    uint32_t place = place_at(commutes, first);
    PyObject *result = Py_XNewRef(value);
    for (Py_ssize_t i = first; i < PyList_GET_SIZE(commutes); i++) {
        if (place_at(commutes, i) != place)
            continue;
        PyObject *function = PyTuple_GET_ITEM(PyList_GET_ITEM(commutes, i), 1);
        PyObject *next = apply(context, function, result);
        Py_XDECREF(result);
        if (next == NULL)
            return NULL;
        result = next;
    }
    return result;
}

/* Runs the functions of one key again if its value has moved; -1 with an exception. */
static int run_again(struct thread_context *context, PyObject *commutes, Py_ssize_t first)
{
    struct txn *txn = &context->txn;
    uint32_t place = place_at(commutes, first);
    const struct txn_entry *entry = &txn->entries[place];
    struct txn_value newest;
    if (!txn_pending_is(txn, entry, VERSION_COMMUTED))
        return 0; /* assigned or read since */
    txn_newest(txn, entry, &newest);
    if (newest.ts == entry->base) {
        txn_read_done(txn);
        return 0;
    }
    PyObject *value = newest.version == NULL ? NULL : var_decode(context, newest);
    if (newest.version == NULL)
        txn_read_done(txn);
    else if (value == NULL)
        return -1;
    PyObject *result = apply_all(context, commutes, first, value);
    Py_XDECREF(value);
    int done = result == NULL ? -1
                              : put_value(context, place, newest.ts, result, txn_put_again);
    Py_XDECREF(result);
    return done;
}

static bool is_first_of_place(PyObject *commutes, Py_ssize_t i)
{
    uint32_t place = place_at(commutes, i);
    while (i-- > 0) {
        if (place_at(commutes, i) == place)
            return false;
    }
    return true;
}

int blind_run_again(struct thread_context *context)
{
    PyObject *commutes = Py_NewRef(context->block.commutes);
    int result = 0;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(commutes) && result == 0; i++) {
        if (is_first_of_place(commutes, i))
            result = run_again(context, commutes, i);
    }
    Py_DECREF(commutes);
    return result;
}
