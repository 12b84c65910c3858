/* py_var.h - one variable seen from Python: a mapping (Var) or a single value (Ref).
 */
#ifndef STMPY_PY_VAR_H
#define STMPY_PY_VAR_H

#include "py_block.h"

struct var {
    PyObject_HEAD
    struct module_state *state; /* Borrowed from the type's module */
    PyObject *store_object;     /* Owned: the Store */
    struct store *store;        /* Borrowed from the Store */
    region_ref variable;        /* Immutable */
    PyObject *name;             /* Owned: str */
};

enum var_kind {
    VAR_MAPPING = 1,
    VAR_REFERENCE = 2,
    VAR_SITE = 3,
    VAR_KINDS = 3, /* the bits that tell them apart */
    VAR_BARE = 4,  /* made without an initial value: nobody may put one in later */
};

/* The calling thread's context if a block on the variable's store is open, with *inside
 * true; outside a block with *inside false.  NULL with NestedMisuse for another store, or what
 * the hook raised at this point. */
struct thread_context *var_context(struct var *self, enum block_point point, PyObject *key,
                                   bool *inside);

/* Reads a key: 1 with a new reference, 0 if it is absent, -1 with an exception. */
int var_load(struct var *self, PyObject *key, PyObject **out);

/* Writes a value, or deletes the key if it is NULL: 1, 0 if there was nothing to delete,
 * -1 with an exception. */
int var_save(struct var *self, PyObject *key, PyObject *value);

/* 0 if the open block may write the key, else -1 with TransactionRequired or ReadOnly. */
int var_check_writable(struct var *self, struct thread_context *context, bool inside,
                       PyObject *key);

/* The key's entry, which a lookup makes if there is none; with `read` in the read set.  -1
 * with an exception. */
struct encoded_key;
int var_find_entry(struct var *self, struct thread_context *context,
                   const struct encoded_key *key, PyObject *key_object, bool read,
                   struct txn_entry **out);

/* The same for a key that is needed for nothing else. */
int var_entry(struct var *self, struct thread_context *context, PyObject *key_object, bool read,
              struct txn_entry **out);

/* Decodes a version that was just looked up, and ends the read operation. */
PyObject *var_decode(struct thread_context *context, struct txn_value value);

/* The cache of decoded values: the key of a version, within a read operation; what decoding it
 * gave (borrowed), or NULL; and remembering that. */
struct cache_key var_cache_key(const struct thread_context *context,
                               const struct version *version);
PyObject *var_cached(struct thread_context *context, const struct cache_key *key);
void var_cache(struct thread_context *context, const struct cache_key *key, PyObject *object);

/* Gives the entry at a place its object, unless decoding has ended the attempt. */
void var_keep_object(struct thread_context *context, uint32_t place, uint64_t attempt,
                     PyObject *object, bool mutable);

/* Starts and ends a transaction of one read outside a block.  -1 with an exception. */
int var_peek_begin(struct var *self, struct thread_context *context);
void var_peek_end(struct thread_context *context);

/* Writing without reading, and reading for certain: what the methods of both kinds do. */
PyObject *var_add(struct var *self, PyObject *key, PyObject *n);
PyObject *var_commute(struct var *self, PyObject *key, PyObject *function);
/* Raises KeyError, or gives `missing` if that is not NULL, for an absent key. */
PyObject *var_ensure(struct var *self, PyObject *key, PyObject *missing);

/* KeyError(key). */
void var_raise_key_error(PyObject *key);

/* Methods that look at the whole variable, or at many keys of it. */
Py_ssize_t var_length(struct var *self);
PyObject *var_iterate(struct var *self);
PyObject *var_copy(struct var *self, PyObject *unused);
PyObject *var_get_many(struct var *self, PyObject *args, PyObject *kwargs);

/* What repr() shows, in py_look.c. */
PyObject *var_look(struct var *self, PyObject *unused);
PyObject *var_look_at(struct var *self, PyObject *key);

#endif
